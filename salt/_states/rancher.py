"""
The members of a Rancher 1.6 cluster: the server's container, the server that answers, the hosts.
"""


def server_running(name, image, port=8080, start=True, data_directory=None):
    """
    The server's image is here, and its container runs with the present settings.

    The database is the one of the pillar ``rancher:server:database``; this state reads it there,
    so that its password never stands in an SLS. It is looked at before a container is made. A
    container is replaced, data kept, when it differs; one that somebody else made is refused.

    name (str)
        Name of the container.
    image (str)
        The server's image.
    port (int, default 8080)
        Port of this host.
    start (bool, default True)
        False: the image only, an operator starts it.
    data_directory (str, optional)
        The embedded database's files, used without a database in the pillar.

    Changes: ``pulled``, ``container`` and what differs; a password appears as ``changed``.

    Example:

    .. code-block:: yaml

        rancher-server-running:
          rancher.server_running:
            - name: rancher-server
            - image: rancher/server:v1.6.30
            - data_directory: /data/rancher/mysql

    Source: Rancher 1.6 documentation, "Installing Rancher Server", "Upgrading Rancher Server"
    """
    return __salt__["rancher.server_running"](
        name, image, port, start, data_directory, test=__opts__["test"]
    )


def server_ready(name, port=8080, start=True, timeout=600):
    """
    The server answers ``pong``, which it does when its API is usable.

    Waits for it, and gives up early when the container's log tells that it cannot start; those
    lines are in the comment.

    name (str)
        Name of the container.
    port (int, default 8080)
        Port of this host.
    start (bool, default True)
        False: an operator starts it, nothing is waited for.
    timeout (seconds, default 600)
        How long to wait at most.

    Changes: ``server``.

    Example:

    .. code-block:: yaml

        rancher-server-ready:
          rancher.server_ready:
            - name: rancher-server
            - port: 8080

    Source: Rancher 1.6 documentation, "Installing Rancher Server"; cattle's ping servlet
    """
    return __salt__["rancher.server_ready"](name, port, start, timeout, test=__opts__["test"])


def agent_registered(
    name, server_url=None, project=None, image=None, ip=None, labels=None, timeout=600
):
    """
    Make this host an active member of a Rancher 1.x project, through the container rancher-agent.

    API keys, the authority's certificate and a registration URL come from the pillar
    ``rancher:agent``. With a registration URL the API is not asked. A running agent is left
    alone, one that the server upgraded, too; a host is never moved between servers or projects.

    name (str)
        What the comments call it.
    server_url (str, optional)
        ``http(s)://host[:port]`` of the server. Needed without a registration URL.
    project (str, optional)
        Id or name. None: the default project.
    image (str, optional)
        Image of the agent. None: the one that the server names; with a registration URL, which
        names none, rancher/agent:v1.2.11.
    ip (str, optional)
        Address by which other hosts reach this one. None: detected.
    labels (dict, optional)
        Labels of the host, read by Rancher at the first registration only.
    timeout (seconds, default 600)
        How long everything may take.

    Changes: ``authority`` (the certificate), ``bootstrap`` (what a killed run left over),
    ``agent`` (the container), ``ip``, ``host`` (what Rancher says of it): those that were left.

    Example:

    .. code-block:: yaml

        rancher-agent-registered:
          rancher.agent_registered:
            - name: rancher-agent
            - server_url: http://rancher.example.com:8080

    Source: Rancher 1.6 documentation, "Adding Hosts"
    """
    return __salt__["rancher.agent_registered"](
        name, server_url, project, image, ip, labels, timeout, test=__opts__["test"]
    )
