"""
The directory of the embedded database's files: what is there, and whether it may be used.
"""

import os
import stat

from salt.exceptions import CommandExecutionError

# User and group mysql inside the image.
OWNER = (102, 105)
# MySQL's system tablespace: where it is, there is a database.
MARK = "ibdata1"


def look(path):
    """
    Look at the directory of the embedded database. Returns a dict: ``path``, ``owner`` ([uid,
    gid], or None when it is not there), ``empty`` (bool) and ``database`` (bool).
    """
    found = {"path": path, "owner": None, "empty": True, "database": False}
    try:
        status = os.stat(path)
        if not stat.S_ISDIR(status.st_mode):
            raise CommandExecutionError(
                f"rancher:server:data_directory {path} is no directory; nothing was changed"
            )
        names = os.listdir(path)
    except FileNotFoundError:
        return found
    except OSError as exc:
        raise CommandExecutionError(f"{path} could not be looked at: {exc.strerror}") from exc
    return {
        **found,
        "owner": [status.st_uid, status.st_gid],
        "empty": not names,
        "database": MARK in names,
    }


def plan(seen):
    """
    What is left to do until the image's MySQL can write there. Returns the change (dict), empty
    when nothing is to do.
    """
    path, owner = seen["path"], seen["owner"]
    if owner == list(OWNER):
        return {}
    words = owner and f"{owner[0]}:{owner[1]}"
    if not seen["empty"]:
        raise CommandExecutionError(
            f"rancher:server:data_directory {path} is not empty and belongs to {words}, "
            f"the database in the image runs as 102:105; nothing was changed. If these are its "
            f"files: `chown -R 102:105 {path}`, else name another directory"
        )
    return {"data directory": {"old": words, "new": f"{path} of 102:105"}}


def prepare(path):
    """Make the directory, for the image's user alone. Missing parents belong to root."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        if not os.path.isdir(path):
            os.mkdir(path, 0o700)
        os.chown(path, *OWNER)
    except OSError as exc:
        raise CommandExecutionError(f"{path} could not be made: {exc.strerror}") from exc
