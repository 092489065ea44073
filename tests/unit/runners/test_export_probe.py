from export_kit import cases, check


@cases("probe")
def test_case(case):
    check(case)
