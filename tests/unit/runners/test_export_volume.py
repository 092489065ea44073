import pytest

import _export_volume as volume


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10G", "10Gi"),
        ("64m", "64Mi"),
        ("64mb", "64Mi"),
        ("5k", "5Ki"),
        ("1.5g", "1.5Gi"),
        ("1024", "1024"),
        ("0", None),
        ("much", None),
        (None, None),
    ],
)
def test_sizes(text, expected):
    assert volume.quantity(text) == expected


def test_a_size_in_megabytes():
    assert volume.size_of({"sizeMb": 20}) == "20Mi"
    assert volume.size_of({"driverOpts": {"size": "1G"}, "sizeMb": 20}) == "1Gi"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/anon", (None, "/anon", [])),
        ("data:/data", ("data", "/data", [])),
        ("/a:/b:ro,z", ("/a", "/b", ["ro", "z"])),
    ],
)
def test_parts(text, expected):
    assert volume.split(text) == expected


def test_which_paths_are_the_same_everywhere():
    assert volume.is_system("/dev/net") and volume.is_system("/proc")
    assert not volume.is_system("/device") and not volume.is_system("/srv")
    assert volume.is_name("data") and not volume.is_name("./data") and not volume.is_name("a/b")
