from export_kit import cases, check


@cases("pod")
def test_case(case):
    check(case)
