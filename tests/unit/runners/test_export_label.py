from export_kit import cases, check


@cases("label")
def test_case(case):
    check(case)
