"""
Whether a Rancher server's container can work here: its port and its database, before it is made.
"""

from salt.exceptions import CommandExecutionError


def check(name, seen, want, coming=False):
    """
    Refuse a container that could not work.

    name (str)
        Name of the container.
    seen (dict)
        As ``rancher_server.observe`` gives it.
    want (dict)
        As ``rancher_server.wanted`` gives it.
    coming (bool, default False)
        True: the database is made earlier in the same run, of which this is the dry run.

    Returns a list of str, sentences for the operator.

    Raises CommandExecutionError when the port is taken, or the database is not usable.

    CLI Example:

    .. code-block:: bash

        # Not for the command line: it takes what the state observed. See rancher_database.check.

    Source: Rancher 1.6 documentation, "Installing Rancher Server"
    """
    said = []
    have = seen["container"]
    if not (have and have["port"] == want["port"] and have["state"] in ("running", "restarting")):
        _port_is_free(name, seen, want["port"])
    if seen["blind"]:
        said.append("Docker does not answer yet: predicted for a host without containers")
    if want["database"] is None:
        return said
    if coming:
        said.append("The database comes with rancher_database.present before")
    elif seen["blind"] and not __salt__["docker_engine.available"]():
        said.append("The database was not looked at: Salt's Python has no PyMySQL yet")
    else:
        said += __salt__["rancher_database.check"]()
    return said


def _port_is_free(name, seen, port):
    publisher = None if seen["blind"] else __salt__["docker_engine.publisher"](port)
    if publisher is not None and publisher == name:
        return
    owner = f"container {publisher}" if publisher else __salt__["port_use.listener"](port)
    if owner:
        raise CommandExecutionError(
            f"rancher:server:port {port} is in use by {owner}; nothing was changed. "
            "End that, or choose another port"
        )
