"""
Whether a Rancher server's container can work here: its port and its database, before it is made.
"""

from salt.exceptions import CommandExecutionError

import _docker_engine
import _port_use
import _rancher_database
import _rancher_server_alive
import _rancher_server_plan


def check(name, seen, want, coming=False):
    """Refuse a container that could not work. Returns a list of str, sentences for the operator."""
    said = []
    have = seen["container"]
    if not (have and have["port"] == want["port"] and have["state"] in _rancher_server_plan.RUNS):
        _port_is_free(name, seen, want["port"])
    if seen["blind"]:
        said.append("Docker does not answer yet: predicted for a host without containers")
    return said + _about_database(seen, want["database"], coming)


def _about_database(seen, database, coming):
    """Whether the server can work with its external database; nothing is asked of an embedded one."""
    if database is None:
        return []
    if coming:
        return ["The database comes with rancher_database.present before"]
    if seen["blind"] and not _docker_engine.available():
        return ["The database was not looked at: Salt's Python has no PyMySQL yet"]
    said = _rancher_database.check(database)
    _rancher_server_alive.check(database, seen["blind"])
    return said


def _port_is_free(name, seen, port):
    publisher = None if seen["blind"] else _docker_engine.publisher(port)
    if publisher is not None and publisher == name:
        return
    owner = f"container {publisher}" if publisher else _port_use.listener(port)
    if owner:
        raise CommandExecutionError(
            f"rancher:server:port {port} is in use by {owner}; nothing was changed. "
            "End that, or choose another port"
        )
