from export_kit import cases, check


@cases("service")
def test_case(case):
    check(case)
