from export_kit import cases, check


@cases("dns")
def test_case(case):
    check(case)
