"""
The group that may talk to the Docker daemon, and who is added to it.

Core ``group.present`` predicts other changes than it makes, and leaves a user that does
not exist to the words of a tool.
"""

import grp
import pwd

from salt.exceptions import CommandExecutionError, SaltInvocationError


def plan(name, users, seen):
    """
    Name what is missing; nobody is ever removed.

    name (str)
        The group.
    users (list of str)
        Who must be in it.
    seen (dict)
        What ``docker_group.status`` returned.

    Returns ``{what: {"old": ..., "new": ...}}``.

    Raises SaltInvocationError for users that do not exist.

    CLI Example:

    .. code-block:: bash

        # Not for the command line: it takes what docker_group.status returned.

    Source: gpasswd(1)
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
    Look at the group, and which of the users exist.

    name (str)
        The group.
    users (list of str)
        Who shall be in it.

    Returns a dict: ``members`` (list of str, primary members too; None when there is no
    such group), ``users`` (those that exist).

    CLI Example:

    .. code-block:: bash

        salt '*' docker_group.status docker '[operator]'

    Source: getgrnam(3), getpwnam(3)
    """
    known = {}
    for user in users:
        try:
            known[user] = pwd.getpwnam(user).pw_gid
        except KeyError:
            continue
    try:
        group = grp.getgrnam(name)
    except KeyError:
        return {"members": None, "users": list(known)}
    primary = [user for user, gid in known.items() if gid == group.gr_gid]
    return {"members": sorted({*group.gr_mem, *primary}), "users": list(known)}


def apply(name, users, seen):
    """
    Make the group a system group where it is missing, and add users.

    name (str)
        The group.
    users (list of str)
        Who must be in it.
    seen (dict)
        What ``docker_group.status`` returned.

    Returns nothing.

    Raises CommandExecutionError when a step failed.

    CLI Example:

    .. code-block:: bash

        # Not for the command line: it takes what docker_group.status returned.

    Source: groupadd(8), gpasswd(1)
    """
    # A system group, and before the first start: else the socket stays with root alone.
    if seen["members"] is None and not __salt__["group.add"](name, system=True):
        raise CommandExecutionError(f"the group {name} could not be made")
    for user in users:
        if user not in (seen["members"] or []) and not __salt__["group.adduser"](name, user):
            raise CommandExecutionError(f"{user} could not be added to the group {name}")
