"""
Make a swap file: carry out what ``_swapfile_plan`` found, in an order that a crash cannot hurt.

Whatever is written goes to ``F.new`` first, which is renamed to F when it is complete.
So a run that ends anywhere leaves either no F or a usable one, and at most an ``F.new``
that the next run knows as its own.
"""

import logging
import os

from salt.exceptions import CommandExecutionError

import _fstab
import _host
import _swapfile_plan

log = logging.getLogger(__name__)

MIB = 1024**2
_SIGNATURE = b"SWAPSPACE2"
# Zeros are written in pieces: each has its own time limit and leaves a line in the log.
_PIECE_MIB = 1024


def apply(size, seen, changes):
    """Carry out the changes that ``_swapfile_plan.plan`` found."""
    path = seen["path"]
    if seen["waits_for"]:
        raise CommandExecutionError(
            f"{path} belongs on the data disk, which is not mounted at {seen['waits_for']}: "
            f"apply common.data_disk first"
        )
    if "leftover" in changes:
        os.unlink(path + ".new")
    if "file" in changes:
        _make(path, size, seen)
    if "mode" in changes:
        os.chmod(path, 0o600)
    if "owner" in changes:
        os.chown(path, 0, 0)
    if "context" in changes:
        _label(path)
    if "active" in changes or "file" in changes:
        _host.run(["swapon", path])
    if "fstab" in changes:
        _, point, kind, options, freq, passno = changes["fstab"]["new"].split()
        _fstab.set_entry(path, point, kind, options, int(freq), int(passno), key="spec")


def _make(path, size, seen):
    if not _swapfile_plan.fits_beside(path, size, seen):
        _swap_off(path, seen)
        os.unlink(path)
        seen = {**seen, "active": None}
    if os.path.lexists(path + ".new"):
        raise CommandExecutionError(f"{path}.new appeared a moment ago, and may be data. Run again")
    try:
        _build(path + ".new", size, seen)
        _swap_off(path, seen)
        if not seen["file"] and os.path.lexists(path):
            raise CommandExecutionError(f"{path} appeared while it was being made. Run again")
        _rename(path + ".new", path)
    except (CommandExecutionError, OSError):
        if os.path.lexists(path + ".new"):
            os.unlink(path + ".new")
        raise


def _swap_off(path, seen):
    if seen["active"]:
        # The kernel reads every page back; that is slow, and can be interrupted without harm.
        _host.run(["swapoff", path], timeout=4 * 3600)


def _build(path, size, seen):
    run = _host.run
    if seen["folder"]["missing"]:
        run(["install", "-d", "-m", "0755", *seen["folder"]["missing"]])
    # Empty and private first: what will be swapped out is never readable for anybody.
    run(["install", "-m", "0600", "-o", "root", "-g", "root", "/dev/null", path])
    _write_zeros(path, size // MIB)
    have = os.stat(path)
    if have.st_size != size or have.st_blocks * 512 < size:
        raise CommandExecutionError(
            f"{path} has holes after {size // MIB} MiB of zeros were written to it: "
            f"its file system cannot hold a swap file"
        )
    if seen["selinux"]:
        _label(path)
    run(["mkswap", path])
    # Without a signature nobody would know the file as ours once it has its name.
    with open(path, "rb") as handle:
        handle.seek(os.sysconf("SC_PAGE_SIZE") - len(_SIGNATURE))
        if handle.read(len(_SIGNATURE)) != _SIGNATURE:
            raise CommandExecutionError(f"mkswap reported success without effect on {path}")


def _write_zeros(path, total):
    for done in range(0, total, _PIECE_MIB):
        piece = min(_PIECE_MIB, total - done)
        log.info("%s: %s of %s MiB written, next %s MiB", path, done, total, piece)
        options = ["conv=nocreat,notrunc,fsync", "oflag=nofollow"]
        argv = ["dd", "if=/dev/zero", f"of={path}", "bs=1M", f"count={piece}", f"seek={done}"]
        _host.run([*argv, *options], timeout=3600)


def _label(path):
    _host.run(["chcon", "-t", "swapfile_t", path])


def _rename(old, new):
    _flush(old)
    os.replace(old, new)
    _flush(os.path.dirname(new))


def _flush(path):
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
