"""
What LVM's own backups say of a volume group that LVM does not find: the last word on what it was.

LVM writes a group's text to ``backup/`` after each change, and to ``archive/`` before each.
"""

import os
import re

from salt.exceptions import CommandExecutionError

import _host
import _lvm

_FOLDERS = {"backup": "/etc/lvm/backup", "archive": "/etc/lvm/archive"}
# The commands after which a group of that name is gone on purpose.
_ENDED = re.compile(r"executing '(\S*/)?(vgremove|vgrename|vgmerge)\b")


def look(group):
    """
    Tell what LVM last wrote of a group: None (nothing, no volumes, or it was removed), else
    ``path``, ``volumes`` (names) and ``disks``: ``uuid``, ``device``, ``size`` (bytes) of each.
    """
    folders = _folders()
    paths = [os.path.join(folders["backup"], group), *_archived(folders["archive"], group)]
    for path in paths:
        text = _host.read(path)
        if text is not None:
            found = {"path": path, **parse(text, group, path)}
            ended = _ENDED.search(found.pop("description"))
            return None if ended or not found["volumes"] else found
    return None


def parse(text, group, path):
    """Read a backup: ``description``, ``volumes`` and ``disks``."""
    root = _tree(text)
    if group not in root:
        raise CommandExecutionError(
            f"{path} is not understood: LVM's backup of volume group {group} names no such group. "
            "Look at it; if it is of no use, move it away, then run again"
        )
    disks = root[group].get("physical_volumes", {}).values()
    return {
        "description": root.get("description", ""),
        "volumes": list(root[group].get("logical_volumes", {})),
        "disks": [
            {
                "uuid": disk.get("id", ""),
                "device": disk.get("device", ""),
                "size": int(disk.get("dev_size", 0)) * 512,
            }
            for disk in disks
        ],
    }


def _tree(text):
    """Sections as dicts. Of the values only texts and whole numbers, which stand on one line."""
    root = here = {}
    above = []
    for line in map(str.strip, _host.lines(text)):
        if begins := re.fullmatch(r"([A-Za-z0-9_+.-]+) \{", line):
            above.append(here)
            here = here.setdefault(begins[1], {})
        elif line == "}":
            if not above:
                break
            here = above.pop()
        elif value := re.match(r'(\w+) = (?:"((?:[^"\\]|\\.)*)"|(\d+))', line):
            here[value[1]] = value[3] if value[2] is None else value[2]
    return root


def _folders():
    """Where they are: the host's lvm.conf may say somewhere else."""
    if not _host.tool("lvm"):
        return _FOLDERS
    keys = [f"backup/{name}_dir" for name in _FOLDERS]
    # 3 and 5: an LVM that does not know the type, or the key.
    argv = ["lvm", "dumpconfig", "--type", "full", *keys]
    said = _lvm.ask(argv, accept=(0, 3, 5))["stdout"]
    return {**_FOLDERS, **dict(re.findall(r'(backup|archive)_dir="([^"]+)"', said))}


def _archived(folder, group):
    """The archived texts of a group, the newest first: they are numbered."""
    name = re.compile(rf"{re.escape(group)}_(\d+)-\d+\.vg")
    try:
        found = [match for entry in os.listdir(folder) if (match := name.fullmatch(entry))]
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise CommandExecutionError(f"{folder} could not be read: {exc.strerror}") from exc
    newest = sorted(found, key=lambda match: int(match[1]), reverse=True)
    return [os.path.join(folder, match[0]) for match in newest]
