"""The commands in their order; what they do to a machine is tests/unit/states/test_swapfile.py."""

import os

import pytest
from disk_kit import laid
from salt.exceptions import CommandExecutionError

import _fstab
import _host
import _swapfile_make
import _swapfile_plan

MIB = 1024**2
CHANGE = {"old": None, "new": None}
FSTAB = {"old": None, "new": "/s none swap sw,nofail 0 0"}


class Os:
    """`os`, whose changing functions only note their call; pytest needs the real ones."""

    def __init__(self, calls):
        self.calls = calls

    def __getattr__(self, name):
        if name in ("unlink", "replace", "chmod", "chown"):
            return lambda *args: self.calls.append(f"{name} {args}")
        if name == "fsync":
            return lambda _handle: self.calls.append("fsync")
        return getattr(os, name)


@pytest.fixture
def calls():
    """Every command, and every change through `os`, as one list of texts."""
    return []


def apply(
    calls, changes, size=2 * MIB, beside=True, limits=None, sparse=False, signed=True, **seen
):
    def run(argv, timeout=60, accept=(0,)):
        calls.append(" ".join(argv))
        (limits if limits is not None else {})[argv[0]] = timeout
        if argv[0] == "dd":
            with open(argv[2].removeprefix("of="), "ab") as out:
                amount = int(argv[4].removeprefix("count=")) * MIB
                out.truncate(amount) if sparse else out.write(bytes(amount))
        if argv[0] == "mkswap" and signed:
            with open(argv[1], "r+b") as out:
                out.seek(os.sysconf("SC_PAGE_SIZE") - 10)
                out.write(b"SWAPSPACE2")

    def set_entry(*entry, key):
        calls.append(f"fstab {entry} by {key}")

    base = {"path": "/s", "file": None, "active": None, "selinux": False, "waits_for": None}
    with laid(
        (_host, {"run": run}),
        (_swapfile_plan, {"fits_beside": lambda path, size, seen: beside}),
        (_fstab, {"set_entry": set_entry}),
        (_swapfile_make, {"os": Os(calls), "_PIECE_MIB": 2}),
    ):
        seen = {**base, "folder": {"missing": []}, **seen}
        _swapfile_make.apply(size, seen, changes)
    return calls


def test_the_file_is_made_in_the_only_safe_order(calls, tmp_path):
    path, missing = str(tmp_path / "s"), ["/data/a", "/data/a/b"]
    changes = {"file": CHANGE, "active": CHANGE, "fstab": FSTAB}
    apply(calls, changes, path=path, folder={"missing": missing}, selinux=True)
    new = path + ".new"
    assert calls == [
        "install -d -m 0755 /data/a /data/a/b",
        f"install -m 0600 -o root -g root /dev/null {new}",
        f"dd if=/dev/zero of={new} bs=1M count=2 seek=0 conv=nocreat,notrunc,fsync oflag=nofollow",
        f"chcon -t swapfile_t {new}",
        f"mkswap {new}",
        "fsync",
        f"replace {(new, path)}",
        "fsync",
        f"swapon {path}",
        f"fstab {(path, 'none', 'swap', 'sw,nofail', 0, 0)} by spec",
    ]


def test_a_great_file_is_written_in_pieces(calls, tmp_path):
    limits = {}
    apply(calls, {"file": CHANGE}, 5 * MIB, path=str(tmp_path / "s"), limits=limits)
    pieces = [call.split()[4:6] for call in calls if call.startswith("dd")]
    assert pieces == [["count=2", "seek=0"], ["count=2", "seek=2"], ["count=1", "seek=4"]]
    assert limits["dd"] == 3600


def test_a_file_with_holes_is_not_used(calls, tmp_path):
    path = str(tmp_path / "s")
    with pytest.raises(CommandExecutionError, match="has holes after 2 MiB of zeros"):
        apply(calls, {"file": CHANGE}, path=path, sparse=True)
    assert calls[-1] == f"unlink {(path + '.new',)}"


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        ({"mode": CHANGE}, ["chmod ('/s', 384)"]),
        ({"owner": CHANGE}, ["chown ('/s', 0, 0)"]),
        ({"context": CHANGE}, ["chcon -t swapfile_t /s"]),
        ({"leftover": CHANGE}, ["unlink ('/s.new',)"]),
        ({"active": CHANGE}, ["swapon /s"]),
        ({"fstab": FSTAB}, ["fstab ('/s', 'none', 'swap', 'sw,nofail', 0, 0) by spec"]),
    ],
)
def test_single_changes(calls, changes, want):
    assert apply(calls, changes) == want


def test_the_old_file_is_in_use_until_the_new_one_is_complete(calls, tmp_path):
    path = str(tmp_path / "s")
    apply(calls, {"file": CHANGE}, path=path, active={"size": 1})
    tools = [call.split()[0] for call in calls]
    assert tools == ["install", "dd", "mkswap", "swapoff", "fsync", "replace", "fsync", "swapon"]


def test_a_great_swapoff_may_take_hours(calls, tmp_path):
    limits = {}
    apply(calls, {"file": CHANGE}, path=str(tmp_path / "s"), active={"size": 1}, limits=limits)
    assert limits["swapoff"] == 4 * 3600


def test_waiting_for_the_data_disk_touches_nothing(calls):
    with pytest.raises(CommandExecutionError, match="not mounted at /data"):
        apply(calls, {"file": CHANGE}, waits_for="/data")
    assert calls == []


def test_an_mkswap_that_does_nothing_leaves_no_file_that_is_refused_for_ever(calls, tmp_path):
    path = str(tmp_path / "s")
    with pytest.raises(CommandExecutionError, match="mkswap reported success without effect"):
        apply(calls, {"file": CHANGE, "active": CHANGE}, path=path, signed=False)
    assert not any(call.startswith("replace") for call in calls)
    assert calls[-1].startswith("unlink")


def test_a_file_that_appeared_under_the_name_that_we_build_under_is_left_alone(calls, tmp_path):
    (tmp_path / "s.new").write_text("precious")
    with pytest.raises(CommandExecutionError, match="s.new appeared a moment ago, and may be data"):
        apply(calls, {"file": CHANGE}, path=str(tmp_path / "s"))
    assert calls == []
    assert (tmp_path / "s.new").read_text() == "precious"
