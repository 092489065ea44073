import pytest

import _export_port as port


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("80", (None, None, 80, "TCP")),
        ("53/udp", (None, None, 53, "UDP")),
        ("8080:80", (None, 8080, 80, "TCP")),
        ("8080:80/tcp", (None, 8080, 80, "TCP")),
        ("192.0.2.1:8080:80/udp", ("192.0.2.1", 8080, 80, "UDP")),
        ("[2001:db8::1]:8080:80", ("2001:db8::1", 8080, 80, "TCP")),
        ("80-90:80-90", None),
        ("here:8080:80", None),
        ("0:80", None),
        ("65536", None),
        ("80/icmp", None),
        ("", None),
        (None, None),
    ],
)
def test_a_port(text, expected):
    assert port.parse_port(text) == expected


def test_only_what_is_understood():
    assert port.parse_ports(["80", "x", "81:82"]) == [
        (None, None, 80, "TCP"),
        (None, 81, 82, "TCP"),
    ]
    assert port.parse_ports(None) == []
