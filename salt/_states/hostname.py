"""
The host's name, stored and running, with /etc/hosts and cloud-init in step.

Core ``network.system`` is not used: it is written per distribution (Debian's part stores
the short name and rewrites /etc/resolv.conf, Red Hat's edits /etc/sysconfig/network), it
leaves /etc/hosts and cloud-init alone, stops and starts the network for a new name, and
predicts no changes in a dry run.
"""


def configured(name, hostname=None):
    """
    Give the host this full name, now and at every boot; the minion id stays what it is.

    A line in /etc/hosts with an address of the network that names the host is left alone;
    otherwise the one of 127.0.1.1 is set, before the name changes.

    name (str)
        Only the state's name.
    hostname (str, optional)
        Full name, lower case, at most 64 characters. None: nothing is looked at or changed.

    Returns changes ``/etc/hosts``, ``cloud-init`` (only where there is /etc/cloud),
    ``static``, ``running``.

    CLI Example:

    .. code-block:: bash

        salt '*' state.single hostname.configured x hostname=node1.example.com test=True

    Source: hostname(5), hosts(5), hostnamectl(1); Debian Reference, 5.1.1 "The hostname resolution"
    """
    return __salt__["hostname.configured"](name, hostname, test=__opts__["test"])
