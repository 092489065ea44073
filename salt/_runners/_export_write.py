"""
Files of an export: whole or not at all, nothing outside the folder, nobody else's file touched.

An index in each folder says which files are ours and what was in them. A file that somebody
changed since is no longer ours: it stops the export before anything is written there.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import stat

from salt.exceptions import CommandExecutionError, SaltInvocationError

INDEX = "index.json"


@contextlib.contextmanager
def alone(path):
    """Make the folder of the whole export, and keep other exports out of it."""
    path = str(path or "")
    if not os.path.isabs(path):
        raise SaltInvocationError(f"the export's folder is {path!r}; give an absolute path")
    directory(path)
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise CommandExecutionError(f"another export into {path} is under way") from exc
        yield path
    finally:
        os.close(handle)


def directory(path):
    """Make a directory that is ours alone; never follow a link."""
    with contextlib.suppress(FileExistsError):
        os.makedirs(path, mode=0o700)
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise CommandExecutionError(f"{path} is no directory; move it away, and export again")
    if found.st_uid != os.geteuid():
        raise CommandExecutionError(f"{path} belongs to another user; give an own folder")
    os.chmod(path, 0o700)


def edited(folder):
    """Files of an earlier export that somebody changed since."""
    return [
        name
        for name, known in sorted(_index(folder).items())
        if _mark_of(os.path.join(folder, name)) not in (None, *known)
    ]


def refuse_edited(folders):
    """Raise before anything is written, if somebody changed a file of ours."""
    for folder in folders:
        for name in edited(folder):
            raise CommandExecutionError(
                f"{os.path.join(folder, name)} was changed since the last export: keep a copy "
                "elsewhere, delete it here, and export again"
            )


def folder(path, files):
    """Make a folder hold exactly these files of ours; gives {"written": n, "removed": n}."""
    directory(path)
    before = _index(path)
    after = {name: [_mark(text)] for name, text in files.items()}
    to_write = [n for n in sorted(files) if _mark_of(os.path.join(path, n)) != after[n][0]]
    for name in to_write:
        if _mark_of(os.path.join(path, name)) not in (None, *before.get(name, ())):
            raise CommandExecutionError(
                f"{os.path.join(path, name)} is not of this export, or was changed since: "
                "move it away, and export again"
            )
    stale = [name for name in sorted(before) if name not in files]
    if to_write or stale or before != after:
        # Both are ours until all is done, so that a killed export can go on.
        both = {n: [*before.get(n, ()), *after.get(n, ())] for n in {*before, *after}}
        write(os.path.join(path, INDEX), _text(both))
        for name in to_write:
            directory(os.path.dirname(os.path.join(path, name)))
            write(os.path.join(path, name), files[name])
        for name in stale:
            _remove(path, name)
        write(os.path.join(path, INDEX), _text(after))
    return {"written": len(to_write), "removed": len(stale)}


def remove(path):
    """Take away what is ours of a folder that is no longer needed; gives how many files."""
    before = _index(path)
    for name in sorted(before):
        _remove(path, name)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(path, INDEX))
    with contextlib.suppress(OSError):
        os.rmdir(path)
    return len(before)


def _remove(path, name):
    whole = os.path.join(path, name)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(whole)
    if os.path.dirname(name):
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(whole))


def write(path, text):
    """One whole file, readable by nobody else."""
    head, name = os.path.split(path)
    draft = os.path.join(head, f".{name}.{os.getpid()}.new")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(draft)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(text.encode("utf-8", "backslashreplace"))
            out.flush()
            os.fsync(out.fileno())
        os.rename(draft, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)
        raise


def _text(index):
    return json.dumps(index, indent=1, sort_keys=True) + "\n"


def _mark(text):
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def _mark_of(path):
    """Of a file; None when there is none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise CommandExecutionError(f"{path} is no plain file: {exc.strerror}") from exc
    with os.fdopen(handle, "rb") as known:
        if not stat.S_ISREG(os.fstat(known.fileno()).st_mode):
            raise CommandExecutionError(f"{path} is no plain file; move it away")
        return hashlib.sha256(known.read()).hexdigest()


def _index(path):
    """Names and marks of our files; nothing outside of the folder is ever believed to be ours."""
    try:
        with open(os.path.join(path, INDEX), encoding="utf-8") as known:
            found = json.load(known)
    except FileNotFoundError:
        return {}
    except ValueError:
        found = None
    if not isinstance(found, dict) or any(
        os.path.isabs(name) or ".." in name.split("/") for name in found
    ):
        raise CommandExecutionError(
            f"{os.path.join(path, INDEX)} is no index of an export; move it away"
        )
    return found
