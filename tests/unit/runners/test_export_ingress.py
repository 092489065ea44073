from export_kit import cases, check


@cases("ingress")
def test_case(case):
    check(case)
