from export_kit import cases, check


@cases("schedule")
def test_case(case):
    check(case)
