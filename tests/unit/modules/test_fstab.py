import json
import os
import shutil
import subprocess
import tempfile

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from salt.exceptions import CommandExecutionError, SaltInvocationError

import _fstab
import _host

TEXT = """# /etc/fstab: what an installer left
UUID=0a34\t/  ext4\terrors=remount-ro 0 1   # root

/dev/sdb1 /with\\040space xfs
broken line
/swap none swap sw 0 0
LABEL=x /odd xfs defaults x y
"""
ROOT = {"spec": "UUID=0a34", "file": "/", "type": "ext4", "options": "errors=remount-ro"}


class Host:
    def __init__(self, monkeypatch, folder, text=TEXT):
        self.path, self.ran = folder / "fstab", []
        if text is not None:
            self.path.write_text(text)
            self.path.chmod(0o640)
        run = lambda argv, timeout=60, accept=(0,): self.ran.append(argv)  # noqa: E731
        monkeypatch.setattr(_host, "run", run)
        monkeypatch.setattr(_fstab, "FSTAB", str(self.path))
        monkeypatch.setattr(_fstab, "SYSTEMD", str(folder))


@pytest.fixture
def host(tmp_path, monkeypatch):
    return Host(monkeypatch, tmp_path)


def test_entries(host):
    assert _fstab.entries() == [
        {**ROOT, "freq": 0, "passno": 1},
        {
            "spec": "/dev/sdb1",
            "file": "/with space",
            "type": "xfs",
            "options": "defaults",
            "freq": 0,
            "passno": 0,
        },
        {
            "spec": "/swap",
            "file": "none",
            "type": "swap",
            "options": "sw",
            "freq": 0,
            "passno": 0,
        },
    ]


def test_a_host_without_fstab(tmp_path, monkeypatch):
    host = Host(monkeypatch, tmp_path, text=None)
    assert _fstab.entries() == []
    assert _fstab.set_entry("UUID=1", "/data", "xfs", ["defaults", "nofail"]) is True
    assert host.path.read_text() == "UUID=1 /data xfs defaults,nofail 0 0\n"


def test_an_fstab_that_cannot_be_read_is_no_absence(tmp_path, monkeypatch):
    host = Host(monkeypatch, tmp_path, text=None)
    host.path.mkdir()
    with pytest.raises(CommandExecutionError, match="could not be read"):
        _fstab.entries()


def test_a_new_line_is_appended(host):
    assert _fstab.set_entry("UUID=1", "/data", "xfs", "defaults,nofail") is True
    assert host.path.read_text() == f"{TEXT}UUID=1 /data xfs defaults,nofail 0 0\n"
    assert host.path.stat().st_mode & 0o777 == 0o640
    assert host.ran == [["systemctl", "daemon-reload"]]


def test_a_file_without_a_last_line_end(tmp_path, monkeypatch):
    host = Host(monkeypatch, tmp_path, "/a /b xfs")
    _fstab.set_entry("/c", "/d", "xfs", "ro", 1, 2)
    assert host.path.read_text() == "/a /b xfs\n/c /d xfs ro 1 2\n"


@pytest.mark.parametrize("spelling", ["/with space", "/with space/"])
def test_the_line_of_a_mount_point_is_replaced(host, spelling):
    assert _fstab.set_entry("UUID=1", spelling, "xfs", "ro") is True
    escaped = spelling.replace(" ", "\\040")
    assert host.path.read_text() == TEXT.replace(
        "/dev/sdb1 /with\\040space xfs", f"UUID=1 {escaped} xfs ro 0 0"
    )


def test_the_line_of_a_swap_file_is_found_by_its_path(host):
    assert _fstab.set_entry("/swap", "none", "swap", "sw,nofail", key="spec") is True
    assert _fstab.set_entry("/swap2", "none", "swap", "sw", key="spec") is True
    lines = host.path.read_text().split("\n")
    assert lines[5] == "/swap none swap sw,nofail 0 0"
    assert lines[7] == "/swap2 none swap sw 0 0"


@pytest.mark.parametrize(
    "entry",
    [
        ("UUID=0a34", "/", "ext4", "errors=remount-ro", 0, 1),
        ("/dev/sdb1", "/with space", "xfs", "defaults"),
    ],
)
def test_a_right_line_is_left_as_it_is_written(host, entry):
    before = os.stat(host.path).st_ino
    assert _fstab.set_entry(*entry) is False
    assert (host.path.read_text(), os.stat(host.path).st_ino) == (TEXT, before)
    assert host.ran == []


def test_two_lines_for_one_mount_point_are_refused(tmp_path, monkeypatch):
    text = "/dev/a /data xfs\n# x\n/dev/b /data/ ext4\n"
    host = Host(monkeypatch, tmp_path, text)
    for act in (
        lambda: _fstab.set_entry("UUID=1", "/data", "xfs", "ro"),
        lambda: _fstab.remove_entry(file="/data"),
    ):
        with pytest.raises(CommandExecutionError) as info:
            act()
        assert "2 lines for the same thing (lines 1, 3): `/dev/a /data xfs` and" in str(info.value)
    assert host.path.read_text() == text


def test_remove(host):
    assert _fstab.remove_entry(spec="/swap", file="/other") is False
    assert _fstab.remove_entry(spec="/swap") is True
    assert host.path.read_text() == TEXT.replace("/swap none swap sw 0 0\n", "")
    assert _fstab.remove_entry(spec="/swap") is False
    assert _fstab.remove_entry(file="/with space") is True
    assert len(host.ran) == 2


@pytest.mark.parametrize(
    "act",
    [
        lambda fstab: fstab.remove_entry(),
        lambda fstab: fstab.set_entry("", "/data", "xfs", "ro"),
        lambda fstab: fstab.set_entry("/dev/a", "/da\0ta", "xfs", "ro"),
        lambda fstab: fstab.set_entry("/dev/a", "/data", "xfs", []),
        lambda fstab: fstab.set_entry("/dev/a", "/data", "xfs", "ro", key="type"),
    ],
)
def test_mistakes_of_the_caller(host, act):
    with pytest.raises(SaltInvocationError):
        act(_fstab)
    assert host.path.read_text() == TEXT


def test_no_systemd_is_not_told(host):
    _fstab.SYSTEMD = "/nowhere"
    _fstab.set_entry("UUID=1", "/data", "xfs", "ro")
    assert host.ran == []


@pytest.mark.parametrize("kind", ["spec", "file"])
@pytest.mark.parametrize(
    "name",
    [
        "/a b",
        "/a\tb",
        "/a\nb",
        "#x",
        "\\040",
        "\\134040",
        "/\u2028ü",
        "/a\u00a0b",
        "/a\rb",
        "\rx",
        "'\"$(x)`",
    ],
)
def test_whatever_the_names_are_one_line_is_written_and_read_back(kind, name):
    entry = {"spec": "/s", "file": "/f", "type": "xfs", "options": "ro", "freq": 0, "passno": 0}
    entry[kind] = name
    text = _fstab.replaced(TEXT, {kind: name}, entry)
    assert _fstab.parse(text)[3:] == [entry]
    assert text.count("\n") == TEXT.count("\n") + 1
    assert _fstab.replaced(text, {kind: name}, entry) == text
    assert _fstab.replaced(text, {kind: name}, None) == TEXT


@pytest.mark.parametrize(
    ("spec", "tag"),
    [
        ("LABEL=data", ("LABEL", "data")),
        ('LABEL="my data"', ("LABEL", "my data")),
        ("UUID='0a34'", ("UUID", "0a34")),
        ("PARTLABEL=a=b", ("PARTLABEL", "a=b")),
        ('PARTUUID="x"y', ("PARTUUID", "x")),
        ("LABEL=", ("LABEL", "")),
        ('LABEL="x', None),
        ("label=data", None),
        ("ID=x", None),
        ("/dev/disk/by-label/data", None),
        ("server:/a=b", None),
    ],
)
def test_a_name_instead_of_a_path(spec, tag):
    assert _fstab.tag(spec) == tag


@pytest.mark.parametrize(
    ("tag", "link"),
    [
        (("LABEL", "my data/ü"), "/dev/disk/by-label/my\\x20data\\x2fü"),
        (("PARTUUID", "0a34-01"), "/dev/disk/by-partuuid/0a34-01"),
    ],
)
def test_the_link_of_a_name(tag, link):
    assert _fstab.link(*tag) == link


@pytest.mark.parametrize("spelling", ["//data", "/data/", "/./data//", "/data/."])
def test_a_line_for_the_same_mount_point_in_another_spelling(spelling):
    entry = dict(zip(_fstab.FIELDS, ("UUID=1", "/data", "xfs", "ro", 0, 0), strict=True))
    text = f"/dev/a {spelling} ext4\n"
    assert _fstab.replaced(text, {"file": "/data"}, entry) == "UUID=1 /data xfs ro 0 0\n"


WORDS = st.text(
    st.sampled_from([*"/a1=\"'#,", "\\", *"0437", "é", "\r", "\u2028"]), min_size=1, max_size=9
)
SPELLED = st.sampled_from(
    [
        "/a\\040b",
        "/a\\053b",
        "\\303\\251",
        "\\134040",
        "\\\\040",
        "/a\\9",
        "0",
        "-1",
        "+2",
        "1x",
        "٣",
    ]
)
GAPS = st.sampled_from([" ", "\t", " \t ", "  "])
LINES = st.lists(st.tuples(WORDS | SPELLED, GAPS).map("".join), max_size=8).map("".join)


@pytest.mark.skipif(not shutil.which("findmnt"), reason="no findmnt")
@given(st.lists(LINES, max_size=5), st.sampled_from(["\n", "\r\n", "\n\n \n"]))
@settings(max_examples=60)
@example(["/dev/a\t/b\\040c xfs", 'LABEL="a b" /b xfs ro', "/a /b xfs ro 0 x", "#/a /b xfs"], "\n")
@example(["/a /b xfs ro -1 +2 more", "/a /b xfs ro ٣ 0", "/a /b", "/a /b xfs #c"], "\n")
def test_lines_are_read_as_libmount_reads_them(lines, end):
    text = end.join(lines)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        columns = "SOURCE,TARGET,FSTYPE,OPTIONS,FREQ,PASSNO"
        argv = ["findmnt", "--fstab", "--tab-file", file.name, "--json", "--list", "-o", columns]
        said = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False).stdout
    found = json.loads(said)["filesystems"] if said.strip() else []
    theirs = [
        (
            *(each[key] for key in ("source", "target", "fstype")),
            each["options"] or "defaults",
            *(int(each[key] or 0) for key in ("freq", "passno")),
        )
        for each in found
    ]
    assert [tuple(each.values()) for each in _fstab.parse(text)] == theirs
