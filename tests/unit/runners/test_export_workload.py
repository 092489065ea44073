from export_kit import cases, check


@cases("workload")
def test_case(case):
    check(case)
