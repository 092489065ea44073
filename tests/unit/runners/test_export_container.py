from export_kit import cases, check


@cases("container")
def test_case(case):
    check(case)
