"""
Whether a device is blank: blank is what was looked at and is zero.

Up to 1 GiB everything is read. On a larger device both ends are read whole, and between them samples
at even distances and at the places where file systems keep a second copy of their beginning. It all
comes from the device, not from a cache. A single piece of data that is shorter than a 2048th of the
device can lie between two samples: that is what a look cannot see, unless it is ``whole``.
"""

import errno
import logging
import mmap
import os
import threading

from salt.exceptions import CommandExecutionError

log = logging.getLogger(__name__)

KIB, MIB = 1024, 1024**2
# Up to this size a device is read whole: on a spinning disk that is faster than to seek.
WHOLE = 1024 * MIB
# Read whole at both ends of a larger one.
END = 16 * MIB
SAMPLE = 64 * KIB
SAMPLES = 2048
# Seconds for one look: 160 MiB in 2,100 places, on a spinning disk half a minute.
LIMIT = 300
# And for one that reads all of a large device or file.
LIMIT_WHOLE = 3600
# Where a file system may begin: at the device's start, in a partition of old, in one of today.
_BEGINNINGS = (0, 63 * 512, MIB)
# From its beginning: second superblocks of btrfs, of ext with blocks of 2 KiB and of 4 KiB.
_SPARSE = (1, 3, 5, 7, 9, 25, 27, 49, 81, 125, 243, 343)
_COPIES = (64 * MIB, 256 * 1024 * MIB, *(n * size * MIB for size in (32, 128) for n in _SPARSE))
# Read at once.
_PIECE = MIB
_ZEROS = bytes(_PIECE)


def look(path, start=0, end=None, whole=False):
    """
    What a device or a file holds from ``start`` to ``end`` (bytes, None = to its end): None when all
    that was read is zero, else a dict ``offset`` (of the first byte that is not), ``hits`` and
    ``samples`` (of 64 KiB). ``whole``: where the samples find nothing, every byte is read. Raises when
    it could not be read, or not in time.
    """
    state, limit = {"at": start}, LIMIT_WHOLE if whole else LIMIT

    def read():
        try:
            state["answer"] = _read(path, start, end, whole, state)
        except (OSError, CommandExecutionError) as exc:
            state["error"] = exc

    # A failing disk can hold its reader in the kernel, beyond any signal: that one is left behind.
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(limit)
    where = f"at offset {state['at']:#x}"
    if "error" in state:
        reason = getattr(state["error"], "strerror", None) or str(state["error"])
        raise CommandExecutionError(f"{path} could not be read {where}: {reason}") from state[
            "error"
        ]
    if "answer" not in state:
        large = ", or it is too large to be read whole" if whole else ""
        raise CommandExecutionError(
            f"{path} could not be read {where}: not done within {limit} s. Look at `dmesg`, the disk "
            f"may be failing{large}"
        )
    return state["answer"]


def words(found):
    """What a look found, as the end of a sentence."""
    return (
        f"the first byte that is not zero is at offset {found['offset']:#x}, and {found['hits']:,} "
        f"of {found['samples']:,} samples of 64 KiB hold data"
    )


def pieces(start, end):
    """What is read of an area, as (offset, bytes) in ascending order; none is longer than 1 MiB."""
    if end - start <= WHOLE:
        return _cut(start, end, _PIECE)
    step = (end - start) // SAMPLES // 4096 * 4096
    middle = {*range(start + END, end - END, step)}
    # A copy need not begin at the first byte of its sample, so that begins 4 KiB before.
    copies = (begin + copy - 4096 for begin in _BEGINNINGS for copy in _COPIES)
    middle.update(at // 4096 * 4096 for at in copies if start + END < at < end - END)
    head, tail = _cut(start, start + END, _PIECE), _cut(end - END, end, _PIECE)
    return [*head, *((at, SAMPLE) for at in sorted(middle)), *tail]


def _cut(start, end, length):
    return [(at, min(length, end - at)) for at in range(start, end, length)]


def _read(path, start, end, whole, state):
    descriptor = _open(path)
    try:
        size = os.lseek(descriptor, 0, os.SEEK_END)
        end = size if end is None else end
        if end > size:
            raise CommandExecutionError(f"it ends at {size:#x}, and {end:#x} was expected")
        found = _judge(descriptor, pieces(start, end), state)
        if whole and not found and end - start > WHOLE:
            log.warning("%s seems empty, all of it is read: %d MiB", path, (end - start) // MIB)
            found = _judge(descriptor, _cut(start, end, _PIECE), state)
        return found
    finally:
        os.close(descriptor)


def _open(path):
    """For reading past every cache; what is in one is written to the device first."""
    flags = os.O_RDONLY | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags | os.O_DIRECT)
    except OSError as exc:
        # Some file systems know no such thing; block devices all do.
        if exc.errno != errno.EINVAL:
            raise
        descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _judge(descriptor, wanted, state):
    first, hits, count = None, 0, 0
    # Anonymous memory begins at a page, as O_DIRECT demands.
    with mmap.mmap(-1, _PIECE) as buffer:
        for offset, length in wanted:
            state["at"] = offset
            data = _piece(descriptor, buffer, offset, length)
            count += -(-length // SAMPLE)
            if data != _ZEROS[:length]:
                hits += sum(any(data[at : at + size]) for at, size in _cut(0, length, SAMPLE))
                first = offset + length - len(data.lstrip(b"\0")) if first is None else first
    return None if first is None else {"offset": first, "hits": hits, "samples": count}


def _piece(descriptor, buffer, offset, length):
    # Whole blocks of 4 KiB, as a device may demand; only its end can be somewhere else.
    with memoryview(buffer) as view, view[: -(-length // 4096) * 4096] as part:
        got = os.preadv(descriptor, [part], offset)
    if got < length:
        raise CommandExecutionError(f"it gave {got} bytes instead of {length}")
    return buffer[:length]
