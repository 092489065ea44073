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
    return _staying(lambda: [*_loops(numbers), *_processes(numbers)])


def of_file(path):
    """Words for each process that can write to a file, and each loop device over it."""
    have = os.stat(path)
    return _staying(lambda: list(_of_file((have.st_dev, have.st_ino))))


def _staying(look):
    for left in reversed(range(TRIES)):
        found = look()
        if not found or not left:
            return found
        time.sleep(PAUSE)
    return found


def _of_file(key):
    for name in _loop_names():
        if _backing(f"{DEV}/{name}")[:2] == key:
            yield f"{DEV}/{name}, a loop device on it"
    # As below, who cannot be looked into is passed over.
    for pid in sorted(filter(str.isdigit, os.listdir(PROC)), key=int):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            for entry in os.listdir(f"{PROC}/{pid}/fd"):
                with contextlib.suppress(FileNotFoundError):
                    have = os.stat(f"{PROC}/{pid}/fd/{entry}")
                    if (have.st_dev, have.st_ino) == key and not _reads_only(pid, entry):
                        yield f"{_name(pid)}, which can write to it"
                        break


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


def _loop_names():
    folder = f"{_disk_kernel.SYSFS}/block"
    names = sorted(os.listdir(folder) if os.path.isdir(folder) else ())
    return [name for name in names if os.path.isdir(f"{folder}/{name}/loop")]


def _loops(numbers):
    for name in _loop_names():
        folder = f"{_disk_kernel.SYSFS}/block/{name}/loop"
        path = _disk_kernel.attribute(folder, "backing_file") or ""
        if numbers & {_backing(f"{DEV}/{name}")[2], _disk_kernel.devno(path)}:
            yield f"{DEV}/{name}, a loop device on it"


def _backing(path):
    """
    What is below a loop device, by its numbers, since its path may mean another by now: a file's
    (device and inode), and a block device's.
    """
    nothing = (None, None, None)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return nothing
    except OSError as exc:
        raise CommandExecutionError(f"{path} cannot be opened: {exc.strerror}") from exc
    try:
        # struct loop_info64: lo_device, lo_inode, lo_rdevice, ...
        info = fcntl.ioctl(handle, _LOOP_GET_STATUS64, bytes(232))
        device, inode, number = struct.unpack_from("=3Q", info)
        return device, inode, f"{os.major(number)}:{os.minor(number)}"
    except OSError:
        # It was taken down a moment ago.
        return nothing
    finally:
        os.close(handle)
