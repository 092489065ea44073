"""
The group that may talk to the Docker daemon, and who is added to it.

Core ``group.present`` predicts other changes than it makes, and leaves a user that does
not exist to the words of a tool.
"""

import contextlib
import grp
import pwd

from salt.exceptions import CommandExecutionError, SaltInvocationError


def plan(name, users, seen):
    """
    Name what is missing; nobody is ever removed. Returns ``{what: {"old": ..., "new": ...}}``.
    """
    unknown = [user for user in users if user not in seen["users"]]
    if unknown:
        raise SaltInvocationError(
            f"rancher:docker:users names {', '.join(unknown)}, and this host has no such user; "
            f"nothing was changed. Create the user first, or take the name out"
        )
    changes = {}
    if seen["members"] is None:
        changes[f"group {name}"] = {"old": None, "new": "system group"}
    for user in users:
        if user not in (seen["members"] or []):
            changes[f"user {user}"] = {"old": None, "new": f"in group {name}"}
    return changes


def status(name, users):
    """
    Look at the group, and which of the users exist. Returns a dict: ``members`` (list of str,
    primary members too; None when there is no such group), ``users`` (those that exist) and
    ``others`` (members that are none of them).
    """
    known = {}
    for user in users:
        with contextlib.suppress(KeyError):
            known[user] = pwd.getpwnam(user)
    try:
        group = grp.getgrnam(name)
    except KeyError:
        return {"members": None, "users": list(known), "others": []}
    inside = [
        user
        for user, entry in known.items()
        if entry.pw_gid == group.gr_gid or entry.pw_name in group.gr_mem
    ]
    asked = {*users, *(entry.pw_name for entry in known.values())}
    return {
        "members": sorted({*group.gr_mem, *inside}),
        "users": list(known),
        "others": sorted({*group.gr_mem} - asked),
    }


def notes(name, users, seen):
    """What a new member has to do, and who stays in the group unasked."""
    told = ["Open sessions see a new group at their next login"] if users else []
    if seen["others"]:
        told.append(
            f"rancher:docker:users does not name {', '.join(seen['others'])}, and nobody is taken "
            f"out of the group {name}: `gpasswd -d {seen['others'][0]} {name}` does it"
        )
    return told


def apply(salt, name, users, seen):
    """Make the group a system group where it is missing, and add users."""
    # A system group, and before the first start: else the socket stays with root alone.
    if seen["members"] is None and not salt["group.add"](name, system=True):
        raise CommandExecutionError(f"the group {name} could not be made")
    for user in users:
        if user not in (seen["members"] or []) and not salt["group.adduser"](name, _called(user)):
            raise CommandExecutionError(f"{user} could not be added to the group {name}")


def _called(user):
    """As the host itself calls a user of a directory, who answers to several spellings."""
    try:
        return pwd.getpwnam(user).pw_name
    except KeyError:
        return user
