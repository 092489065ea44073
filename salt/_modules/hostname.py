"""
The host's own name: stored, running, in /etc/hosts, kept by cloud-init.
"""

from _fresh import checked  # noqa: F401

# isort: split
import _converge
import _hostname


def configured(name, hostname=None, test=False):
    """
    Converge, as the state ``hostname.configured`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc hostname.configured``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' hostname.configured hostname node1 test=True

    Source: the state ``hostname.configured``
    """
    if hostname is None:
        comment = "No host name is configured, so it stays as it is"
        return {"name": name, "result": True, "changes": {}, "comment": comment}
    return _converge.run(
        name,
        f"Host name {hostname}",
        observe=lambda: _hostname.status(hostname),
        plan=lambda seen: _hostname.plan(hostname, seen),
        apply=lambda seen, changes: _hostname.apply(hostname, seen, changes),
        test=test,
        notes=lambda seen: _hostname.notes(__opts__, __grains__, hostname, seen),
    )
