import os
import random

import pytest
from salt.exceptions import CommandExecutionError

import _disk_blank

KIB, MIB, GIB = 1024, 1024**2, 1024**3


@pytest.fixture
def device(tmp_path):
    """A sparse file: reading it is reading zeros."""
    path = tmp_path / "device"

    def make(size, *pieces):
        with open(path, "wb") as out:
            out.truncate(size)
            for offset, data in pieces:
                out.seek(offset)
                out.write(data)
        return str(path)

    return make


def test_a_blank_device(device):
    assert _disk_blank.look(device(80 * MIB)) is None


def test_a_sparse_terabyte_is_looked_at_in_time(device):
    assert _disk_blank.look(device(8 * 1024 * GIB)) is None


@pytest.mark.parametrize("offset", [0, 1, 511, 12345678, 40 * MIB - 1, 40 * MIB, 80 * MIB - 1])
def test_one_byte_anywhere_on_a_small_device(device, offset):
    assert _disk_blank.look(device(80 * MIB, (offset, b"\1")))["offset"] == offset


def test_how_much_is_there(device):
    path = device(32 * MIB, (12345678, b"\1"), (20 * MIB, b"\1" * 3 * 64 * KIB))
    assert _disk_blank.look(path) == {"offset": 12345678, "hits": 4, "samples": 512}


@pytest.mark.parametrize("seed", range(20))
def test_one_mib_anywhere_on_a_gib_is_met(device, seed):
    offset = random.Random(seed).randrange(GIB - MIB)
    assert _disk_blank.look(device(GIB, (offset, b"\xa5" * MIB)))["offset"] == offset


@pytest.mark.parametrize("start", [0, 17408])
@pytest.mark.parametrize("size", [512, MIB, GIB, GIB + 512, 3 * GIB, 100 * GIB, 64 * 1024 * GIB])
def test_a_2048th_of_a_disk_is_never_passed_over_and_the_work_is_bounded(start, size):
    found = _disk_blank.pieces(start, start + size)
    ends = [start, *(offset + length for offset, length in found)]
    gaps = [offset - end for end, (offset, _) in zip(ends, found, strict=False)]
    assert max(gaps) < max(1, size // 2048)
    assert ends[-1] == start + size
    assert found == sorted(found)
    assert all(offset % 512 == 0 and length <= MIB for offset, length in found)
    assert sum(length for _, length in found) <= max(GIB, 170 * MIB)
    assert len(found) < 2200
    # Both ends without a gap.
    assert not size > 32 * MIB or not any(gaps[:16] + gaps[-15:])


@pytest.mark.parametrize("begin", [0, 63 * 512, MIB])
@pytest.mark.parametrize(
    "copy",
    [64 * MIB, 256 * GIB, 128 * MIB, 3 * 128 * MIB, 32 * MIB],
    ids=["btrfs", "btrfs, second", "ext4", "ext4, group 3", "ext4 with 2 KiB"],
)
def test_second_superblocks_are_looked_at_on_a_disk_of_any_size(device, begin, copy):
    path = device(4096 * GIB, (begin + copy + 1024, b"\1" * 100))
    assert _disk_blank.look(path)["offset"] == begin + copy + 1024


def test_a_byte_between_two_samples_is_seen_by_a_whole_look_alone(device):
    offset = 1_500_000_001
    path = device(2 * GIB, (offset, b"\1"))
    assert not any(at <= offset < at + length for at, length in _disk_blank.pieces(0, 2 * GIB))
    assert _disk_blank.look(path) is None
    assert _disk_blank.look(path, whole=True)["offset"] == offset
    assert _disk_blank.look(path, offset // 4096 * 4096 + 4096, whole=True) is None


def test_what_the_samples_find_needs_no_whole_look(device):
    path = device(64 * GIB, (0, b"\1"))
    samples = sum(length for _, length in _disk_blank.pieces(0, 64 * GIB)) // (64 * KIB)
    assert _disk_blank.look(path, whole=True)["samples"] == samples


def test_a_part_of_it(device):
    path = device(80 * MIB, (0, b"\1" * 17408), (80 * MIB - 16896, b"\1" * 16896))
    assert _disk_blank.look(path, 17408, 80 * MIB - 16896) is None


def test_what_is_shorter_than_expected_is_not_blank(device):
    with pytest.raises(
        CommandExecutionError, match="it ends at 0x100000, and 0x200000 was expected"
    ):
        _disk_blank.look(device(MIB), 0, 2 * MIB)


def test_nothing_there_is_not_blank(tmp_path):
    with pytest.raises(
        CommandExecutionError, match="could not be read at offset 0x0: No such file"
    ):
        _disk_blank.look(str(tmp_path / "none"))


def test_a_read_error_is_not_blank(device, monkeypatch):
    real = os.preadv

    def failing(descriptor, buffers, offset):
        if offset == 20 * MIB:
            raise OSError(5, "Input/output error")
        return real(descriptor, buffers, offset)

    monkeypatch.setattr(os, "preadv", failing)
    with pytest.raises(CommandExecutionError, match="at offset 0x1400000: Input/output error"):
        _disk_blank.look(device(80 * MIB))


def test_a_short_answer_is_not_blank(device, monkeypatch):
    monkeypatch.setattr(os, "preadv", lambda descriptor, buffers, offset: 512)
    with pytest.raises(CommandExecutionError, match="it gave 512 bytes instead of 1048576"):
        _disk_blank.look(device(MIB))


def test_a_disk_that_does_not_answer_holds_up_nobody(device, monkeypatch):
    import threading

    stuck = threading.Event()
    monkeypatch.setattr(_disk_blank, "LIMIT", 0.2)
    monkeypatch.setattr(os, "preadv", lambda *_: stuck.wait(30))
    with pytest.raises(CommandExecutionError, match="not done within 0.2 s. Look at `dmesg`"):
        _disk_blank.look(device(MIB))
    monkeypatch.setattr(_disk_blank, "LIMIT_WHOLE", 0.2)
    with pytest.raises(CommandExecutionError, match="or it is too large to be read whole"):
        _disk_blank.look(device(MIB), whole=True)
    stuck.set()


def test_without_direct_reading_the_cache_is_written_first(device, monkeypatch):
    real, flushed = os.open, []

    def plain(path, flags, *more):
        if flags & os.O_DIRECT:
            raise OSError(22, "Invalid argument")
        return real(path, flags, *more)

    monkeypatch.setattr(os, "open", plain)
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.append(descriptor))
    assert _disk_blank.look(device(MIB, (5, b"\1")))["offset"] == 5
    assert len(flushed) == 1


def test_its_words(device):
    found = _disk_blank.look(device(32 * MIB, (4096, b"\1")))
    assert _disk_blank.words(found) == (
        "the first byte that is not zero is at offset 0x1000, and 1 of 512 samples of 64 KiB hold data"
    )
