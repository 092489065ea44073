"""
The two ways in which this tree touches a machine: run a command, replace a file.

Everything that acts goes through here, so time limits, the locale, "could not
look is not absent" and atomic writes are decided once.
"""

import contextlib
import errno
import logging
import os
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time

from salt.exceptions import CommandExecutionError

log = logging.getLogger(__name__)

_ENVIRONMENT = {"LC_ALL": "C", "LVM_SUPPRESS_FD_WARNINGS": "1"}
# Seconds for a killed command to be gone.
GRACE = 5
STATES = {"D": "uninterruptible sleep (D)", "T": "a stopped state (T)", "R": "the kernel (R)"}
# The attribute of a thread that holds the lock of its run; see `_converge`.
LOCK = "rancher_salt_lock"
_LABEL = "security.selinux"
_ACLS = ("system.posix_acl_access", "system.posix_acl_default")
# Signatures of the old content.
_OF_THE_BYTES = ("security.ima", "security.evm")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run(argv, timeout=60, accept=(0,)):
    """
    Run a command without a shell and insist on an expected exit code. Returns a dict: ``retcode``
    (int), ``stdout`` and ``stderr`` (str).
    """
    shown = shlex.join(argv)
    log.debug("running: %s", shown)
    try:
        process = subprocess.Popen(
            argv,
            stdin=_stdin(),
            pass_fds=_kept(argv[0]),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PATH": _search_path(), **_ENVIRONMENT},
            start_new_session=True,
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError as exc:
        raise CommandExecutionError(f"{argv[0]} is not installed, needed for `{shown}`") from exc
    except OSError as exc:
        raise CommandExecutionError(f"`{shown}` could not be started: {exc.strerror}") from exc
    try:
        stdout, stderr = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as exc:
        said = f"`{shown}` gave no answer within {timeout} s and {_ended(process)}"
        raise CommandExecutionError(said) from exc
    if process.returncode not in accept:
        reason = " ".join((stderr.strip() or stdout.strip() or "no message").split())
        raise CommandExecutionError(
            f"`{shown}` failed with exit code {process.returncode}: {reason[-500:]}"
        )
    return {"retcode": process.returncode, "stdout": stdout, "stderr": stderr}


def _ended(process):
    """
    End a command and its children; tell how that went. On a sick disk the kernel holds its caller
    beyond any signal: that one is left behind, and does nothing more than the call it is in.
    """
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        process.communicate(timeout=GRACE)
        return "was ended"
    except subprocess.TimeoutExpired:
        process.stdout.close()
        process.stderr.close()
    held = "; ".join(_left(process.pid)) or "a process that it started still holds its output"
    return (
        f"could not be ended within {GRACE} s: {held}. Look at `dmesg`: most often a disk or a "
        "network file system does not answer"
    )


def _left(group):
    """Words for the processes of a group that are still there."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        # Behind the name, which is in parentheses and may hold anything: state, parent, group.
        name, _, rest = (read(f"/proc/{pid}/stat") or "").partition("(")[2].rpartition(")")
        fields = rest.split()
        if len(fields) > 2 and fields[2] == str(group) and fields[0] not in "ZX":
            state = STATES.get(fields[0], f"state {fields[0]}")
            yield f"process {pid} ({name}) is in {state}"


def _stdin():
    """
    Nothing to read. While this thread changes the host, that nothing is the end of the lock's
    file: a command that outlives its run keeps the lock, and the next run waits for it. As a
    further descriptor it would not do, LVM closes those; daemons close this one.
    """
    return getattr(threading.current_thread(), LOCK, subprocess.DEVNULL)


def _kept(tool):
    """dd puts its input in the place of descriptor 0, so it gets the lock as a further one."""
    lock = _stdin()
    return (lock,) if tool == "dd" and lock != subprocess.DEVNULL else ()


def _search_path():
    # A minion started by hand may lack the sbin directories that hold our tools.
    given = os.environ.get("PATH", "").split(":")
    return ":".join([*filter(None, given), *(p for p in _PATH.split(":") if p not in given)])


def tool(name):
    """Find a program where ``_host.run`` would. Returns its path, or None."""
    return shutil.which(name, path=_search_path())


def free_name(path):
    """
    Find a name beside a file, with the time in it. Returns a path (str) that does not exist; no
    program takes it for a configuration file.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    base = f"{path}.before-{stamp}"
    number, free = 1, base
    while os.path.lexists(free):
        number, free = number + 1, f"{base}.{number + 1}"
    return free


def lines(text):
    """
    The lines of a text, without their ends: only a line feed ends one, as for libc, systemd and
    every tool that we ask. For ``str.splitlines`` so does U+2028 in somebody's comment.
    """
    found = text.split("\n")
    return found[:-1] if found[-1] == "" else found


def read(path):
    """Read a text file, byte for byte. Returns the text, or None when there is no such file."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as handle:
            return handle.read()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise CommandExecutionError(f"{path} could not be read: {exc.strerror}") from exc


def write(path, text, mode="0644"):
    """
    Replace a text file whole: a reader, or a crash, meets the old text or the new one. Owner,
    label, ACL and attributes stay; with mode None the mode, too. Returns True when the file was
    written, False when text and mode were right already.
    """
    path = os.path.realpath(path)
    try:
        have = os.stat(path)
    except FileNotFoundError:
        have = None
    wanted_mode = int(str(mode), 8) if mode is not None else _mode_of(have)
    if have and read(path) == text:
        if stat.S_IMODE(have.st_mode) == wanted_mode:
            return False
        os.chmod(path, wanted_mode)
        return True
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        _replace(path, text, wanted_mode, have)
    except OSError as exc:
        raise CommandExecutionError(f"{path} could not be written: {exc.strerror}") from exc
    return True


def _mode_of(have):
    return stat.S_IMODE(have.st_mode) if have else 0o644


def _replace(path, text, mode, have):
    folder, base = os.path.split(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{base}.", suffix=".new", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape", newline="") as out:
            if have:
                os.fchown(out.fileno(), have.st_uid, have.st_gid)
                _copy_attributes(path, out.fileno())
            # After the ACL: to a file with one the group's bits are its mask.
            os.fchmod(out.fileno(), mode)
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    # The rename itself must survive a power cut, too.
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def selinux_labels():
    """
    Whether labels have a meaning here: SELinux is on and has loaded a policy. A kernel that has
    SELinux without one refuses to change a label.
    """
    if read("/sys/fs/selinux/enforce") is None:
        return False
    # What it calls every process until a policy names them.
    return (read("/proc/self/attr/current") or "kernel").strip("\0\n") != "kernel"


def _copy_attributes(path, handle):
    """The label of SELinux, the ACL and whatever else the old file carries; no ACL of the folder."""
    old, new = _attributes(path), _attributes(handle)
    for name in new.keys() & _ACLS - old.keys():
        os.removexattr(handle, name)
    for name, value in old.items():
        if new.get(name) == value or name in _OF_THE_BYTES:
            continue
        try:
            os.setxattr(handle, name, value)
        except OSError:
            # In a container, or on a kernel without a policy, a label may not be set.
            if name != _LABEL or selinux_labels():
                raise


def _attributes(file):
    try:
        return {name: os.getxattr(file, name) for name in os.listxattr(file)}
    except OSError as exc:
        if exc.errno == errno.ENOTSUP:
            return {}
        raise
