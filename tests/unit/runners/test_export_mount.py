from export_kit import cases, check


@cases("mount")
def test_case(case):
    check(case)
