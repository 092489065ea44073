"""
Who else uses a block device without leaving a trace on it: processes that have it open, loop devices
that lie on it, mounts in other namespaces. None of them shows in ``holders`` or in our own mounts.
"""

import contextlib
import fcntl
import os
import struct
import time

from salt.exceptions import CommandExecutionError

import _disk_kernel
import _host

PROC = "/proc"
DEV = "/dev"
# They look at every disk and only look; some keep it open for that.
WATCHERS = {"(udev-worker)", "lvmetad", "multipathd", "smartd", "systemd-udevd", "udisksd"}
# A program that looks at each new device is gone after a moment.
TRIES, PAUSE = 5, 0.3
_LOOP_GET_STATUS64 = 0x4C05


def of(numbers):
    """Words for each user of block devices (a set of ``maj:min``) that stays for over a second."""
    for left in reversed(range(TRIES)):
        found = [*_loops(numbers), *_processes(numbers)]
        if not found or not left:
            return found
        time.sleep(PAUSE)
    return found


def _processes(numbers):
    ours, seen = _namespace("self"), set()
    for pid in sorted(filter(str.isdigit, os.listdir(PROC)), key=int):
        # It can end at any moment. One that even root may not look into (a confined one, or we are)
        # is passed over: whoever writes in earnest holds the device exclusively, which shows elsewhere.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            space = _namespace(pid)
            if space not in (ours, *seen):
                seen.add(space)
                yield from _mounted(pid, numbers)
            if int(pid) != os.getpid():
                yield from _opened(pid, numbers)


def _namespace(pid):
    return os.readlink(f"{PROC}/{pid}/ns/mnt")


def _mounted(pid, numbers):
    for mount in _disk_kernel.parse_mountinfo(_host.read(f"{PROC}/{pid}/mountinfo") or ""):
        if numbers & {mount["devno"], _disk_kernel.devno(mount["source"])}:
            yield f"{_name(pid)}, in whose namespace it is mounted at {mount['point']}"
            return


def _opened(pid, numbers):
    folder = f"{PROC}/{pid}/fd"
    for entry in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            number = _disk_kernel.devno(f"{folder}/{entry}")
            if number in numbers and not (_comm(pid) in WATCHERS and _reads_only(pid, entry)):
                yield f"{_name(pid)}, which has it open"
                return


def _reads_only(pid, entry):
    text = _host.read(f"{PROC}/{pid}/fdinfo/{entry}") or ""
    words = dict(line.split(":", 1) for line in text.split("\n") if ":" in line)
    return "flags" in words and int(words["flags"], 8) & os.O_ACCMODE == os.O_RDONLY


def _comm(pid):
    return (_host.read(f"{PROC}/{pid}/comm") or "").strip()


def _name(pid):
    return f"process {pid} ({_comm(pid) or 'ended'})"


def _loops(numbers):
    folder = f"{_disk_kernel.SYSFS}/block"
    for name in sorted(os.listdir(folder) if os.path.isdir(folder) else ()):
        if name.startswith("loop") and os.path.isdir(f"{folder}/{name}/loop"):
            path = _disk_kernel.attribute(f"{folder}/{name}/loop", "backing_file") or ""
            if numbers & {_backing(f"{DEV}/{name}"), _disk_kernel.devno(path)}:
                yield f"{DEV}/{name}, a loop device on it"


def _backing(path):
    """The block device below a loop device, by its number: its path may mean another by now."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise CommandExecutionError(f"{path} cannot be opened: {exc.strerror}") from exc
    try:
        # struct loop_info64: lo_device, lo_inode, lo_rdevice, ...
        info = fcntl.ioctl(handle, _LOOP_GET_STATUS64, bytes(232))
        number = struct.unpack_from("=3Q", info)[2]
        return f"{os.major(number)}:{os.minor(number)}"
    except OSError:
        # It was taken down a moment ago.
        return None
    finally:
        os.close(handle)
