"""
The directory of the embedded database's files: what is there, and whether it may be used.

The container binds it through a link on this host's root file system. Once there is a database, the
link leads through a mark on the database's file system and through MySQL's own folder `mysql`, for
which the server's start script looks, too. Where either is missing the link leads nowhere, and no
version of Docker starts the container, or makes a directory in its place: a bind that must exist is
checked at every start only since Docker 18.06, before that only when the container is made.
"""

import contextlib
import errno
import os
import stat
import uuid

from salt.exceptions import CommandExecutionError

import _disk_kernel
import _fstab
import _host

# User and group mysql inside the image.
OWNER = (102, 105)
# MySQL's system tablespace, and its first schema; the server's start script makes a new database
# when there is no such folder.
TABLESPACE, FOLDER = "ibdata1", "mysql"
# Below it a link for each directory; on the root file system, which is there when Docker starts.
LINKS, SUFFIX = "/var/lib/rancher-salt", ".database"
# A folder beside the directory: which file system it is.
MARK = ".rancher-salt-"
# The older name first, by which newer policies know it as well.
LABELS = ("svirt_sandbox_file_t", "container_file_t")


def link(path):
    """Where the link to a data directory is."""
    return f"{LINKS}{os.path.normpath(path)}{SUFFIX}"


def linked(source):
    """The data directory that a bind's source stands for; None when it is no link of ours."""
    if source and source.startswith(f"{LINKS}/") and source.endswith(SUFFIX):
        return source[len(LINKS) : -len(SUFFIX)]
    return None


def look(path):
    """
    Look at the directory of the embedded database. Returns a dict: ``path``, ``owner`` ([uid,
    gid], or None when it is not there), ``empty``, ``database`` and ``folder`` (bool: MySQL's),
    ``label`` (SELinux type), ``mark`` (name), ``link`` (where it leads) and ``leads`` (here).
    """
    found = {"path": path, "owner": None, "empty": True, "database": False, "folder": False}
    found.update(label=None, mark=None, link=_target(path), leads=False)
    try:
        status = os.stat(path)
        if not stat.S_ISDIR(status.st_mode):
            raise CommandExecutionError(
                f"rancher:server:data_directory {path} is no directory; nothing was changed"
            )
        names = os.listdir(path)
        folder = os.path.isdir(os.path.join(path, FOLDER))
        return {
            **found,
            "owner": [status.st_uid, status.st_gid],
            "empty": not names,
            "database": TABLESPACE in names or folder,
            "folder": folder,
            "label": _label(path),
            "mark": _mark(path, status),
            "leads": os.path.exists(link(path)) and os.path.samefile(link(path), path),
        }
    except FileNotFoundError:
        return found
    except OSError as exc:
        raise CommandExecutionError(f"{path} could not be looked at: {exc.strerror}") from exc


def _target(path):
    try:
        return os.readlink(link(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise CommandExecutionError(
            f"{link(path)} could not be read as a link: {exc.strerror}"
        ) from exc


def _label(path):
    try:
        context = os.getxattr(path, "security.selinux").decode("ascii", "replace")
    except OSError as exc:
        if exc.errno in (errno.ENODATA, errno.EOPNOTSUPP):
            return None
        raise
    return (context.rstrip("\0").split(":") + [""] * 3)[2]


def _mark(path, status):
    """The mark beside it, '' when there is none; None when what is beside it is another disk."""
    parent = os.path.dirname(path)
    if os.stat(parent).st_dev != status.st_dev:
        return None
    return next((name for name in sorted(os.listdir(parent)) if name.startswith(MARK)), "")


def comes(path):
    """Whether fstab has a file system for this path that is not mounted now."""
    planned = [entry["file"] for entry in _fstab.entries()]
    above = [each for each in planned if each != "/" and f"{path}/".startswith(f"{each}/")]
    mounted = [mount["point"] for mount in _disk_kernel.mounts()]
    return bool(above) and max(above, key=len) not in mounted


def inside(pid, mount_point):
    """
    What a running container has mounted, as it sees it. Returns device and inode, or None when its
    process is gone, or is none of this host.
    """
    table = _host.read(f"/proc/{pid}/mountinfo") if pid else None
    if mount_point not in (line.split()[4] for line in _host.lines(table or "")):
        return None
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return _identity(f"/proc/{pid}/root{mount_point}")
    return None


def _identity(path):
    status = os.stat(path)
    return [status.st_dev, status.st_ino]


def file_system(device, table):
    """In words: the file system with this device number, out of a table of mounts."""
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in _host.lines(table):
        fields = line.split()
        if fields[2] == number:
            return f"{fields[fields.index('-') + 2]}"
    return "a file system that is mounted nowhere any more"


# What the looks mean.


def plan(seen, confining=False):
    """
    What is left to do until the image's MySQL can write there. Returns the change (dict), empty
    when nothing is to do.
    """
    path, owner = seen["path"], seen["owner"]
    if owner == list(OWNER):
        if confining and seen["label"] not in LABELS:
            return {"label": {"old": seen["label"], "new": LABELS[0]}}
        return {}
    words = owner and f"{owner[0]}:{owner[1]}"
    if not seen["empty"]:
        raise CommandExecutionError(
            f"rancher:server:data_directory {path} is not empty and belongs to {words}, "
            f"the database in the image runs as 102:105; nothing was changed. If these are its "
            f"files: `chown -R 102:105 {path}`, else name another directory"
        )
    return {"data directory": {"old": words, "new": f"{path} of 102:105"}}


def expected(seen):
    """Whether the directory held a database when it was last looked at."""
    return bool(seen["link"]) and seen["link"].endswith("/..")


def insist(seen):
    """Refuse a directory that held our database before and does not hold it now."""
    path = seen["path"]
    if not expected(seen) or seen["leads"] or seen.get("coming"):
        return
    if seen["folder"]:
        raise CommandExecutionError(
            f"rancher:server:data_directory {path} holds a database, but is on another file system "
            "than the server's database was; nothing was changed. Mount the right one there; or, "
            f"to use this one from now on: `rm {link(path)}`, then apply again"
        )
    found = "is not there" if seen["owner"] is None else "holds no database"
    raise CommandExecutionError(
        f"rancher:server:data_directory {path} {found}, although the server's database was in it: an "
        "empty database would be started. Nothing was changed. Mount its file system (`findmnt "
        f"--target {path}` shows what is there now) or restore a backup; if the database is lost "
        f"and an empty one is wanted: `rm {link(path)}`, then apply again"
    )


def notes(seen):
    """What a dry run could not look at. Returns a list of str."""
    if not (seen or {}).get("coming"):
        return []
    return [f"{seen['path']} was not looked at: its file system is not mounted yet"]


def protected(seen):
    """Whether the link leads here, and only while there is a database, if there is one."""
    return seen["leads"] and expected(seen) is seen["folder"]


def same(path, mounted):
    """Whether what a container has mounted is what is now at this path."""
    try:
        return _identity(path) == mounted
    except FileNotFoundError:
        return False


def differing(name, seen, mounted):
    """The message for a container that works on another directory than the one that is here."""
    path, table = seen["path"], _host.read("/proc/self/mountinfo") or ""
    there = file_system(mounted[0], table)
    here = "nothing" if seen["owner"] is None else file_system(os.stat(path).st_dev, table)
    text = (
        f"container {name} works on a directory of {there}, but {path} is now {here}: something was "
        f"mounted or unmounted after its start. Nothing was changed. `docker exec {name} ls -l "
        "/var/lib/mysql` shows what it works on. "
    )
    if seen["leads"] or (seen["folder"] and not expected(seen)):
        return text + (
            f"To go on with the database that is at {path} now: `docker restart {name}`; what "
            "was written meanwhile stays below the mount point"
        )
    return text + (
        f"Its database is hidden, do not stop it before a backup; then unmount what hides {path}, "
        "or move the database there"
    )


# What changes the host.


def prepare(path, confining=False):
    """Make the directory, for the image's user alone. Missing parents belong to root."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        if not os.path.isdir(path):
            os.mkdir(path, 0o700)
        os.chown(path, *OWNER)
    except OSError as exc:
        raise CommandExecutionError(f"{path} could not be made: {exc.strerror}") from exc
    if confining and _label(path) not in LABELS:
        _host.run(["chcon", "-R", "-t", LABELS[0], "-l", "s0", path], timeout=600)


def protect(path):
    """Let the link lead to the directory; once there is a database, only while there is one."""
    seen = look(path)
    if protected(seen):
        return
    insist(seen)
    try:
        _point(path, _through(path, seen["mark"]) if seen["folder"] else path)
    except OSError as exc:
        raise CommandExecutionError(f"{link(path)} could not be made: {exc.strerror}") from exc


def _through(path, mark):
    parent, name = os.path.split(path)
    if mark == "":
        mark = MARK + uuid.uuid4().hex[:8]
        os.mkdir(os.path.join(parent, mark), 0o755)
    return os.path.join(parent, f"{mark}/.." if mark else "", name, FOLDER, "..")


def _point(path, target):
    folder = os.path.dirname(link(path))
    os.makedirs(folder, mode=0o755, exist_ok=True)
    new = f"{link(path)}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new)
    os.symlink(target, new)
    os.replace(new, link(path))
    # The rename itself must survive a power cut, too.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
