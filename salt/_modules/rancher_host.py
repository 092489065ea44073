"""
A host in Rancher: taken out of service, emptied, put back, removed. The API keys come from the pillar.
"""

from _fresh import checked  # noqa: F401

# isort: split
import _rancher_host


def deactivate(
    url, host, project=None, access_key=None, secret_key=None, ca_certificate=None, timeout=300
):
    """
    Let Rancher start nothing new on a host; what runs there goes on.

    url (str)
        ``http(s)://host[:port]``. This and the rest are as in ``rancher.project``.
    host (str)
        Id, full host name, or its first part when no other host begins so.
    project (str, default pillar rancher:agent:project)
    access_key (str, default pillar rancher:agent:access_key)
    secret_key (str, default pillar rancher:agent:secret_key)
    ca_certificate (str, PEM text or path, default pillar rancher:agent:ca_certificate)
    timeout (seconds, default 300)
        For everything, until the host is inactive.

    Returns a dict: ``id``, ``hostname``, ``state`` (all str) and ``changed`` (bool).

    Raises SaltInvocationError for wrong arguments, CommandExecutionError when there is no such
    host, the server cannot be asked, refuses, or does not get there in time.

    CLI Example:

    .. code-block:: bash

        salt 'node1' rancher_host.deactivate http://rancher.example.com:8080 node1.example.com

    Source: Rancher 1.6 documentation, API, "Host": actions
    """
    given = (project, access_key, secret_key, ca_certificate, timeout)
    return _rancher_host.at(__pillar__, url, host, *given).deactivate()


def activate(
    url, host, project=None, access_key=None, secret_key=None, ca_certificate=None, timeout=300
):
    """
    Let Rancher use a host again, and wait until it and its agent are active.

    url (str), host (str), project (str), access_key (str), secret_key (str)
        As in ``rancher_host.deactivate``.
    ca_certificate (str, PEM text or path, default pillar rancher:agent:ca_certificate)
    timeout (seconds, default 300)
        For everything, until the host is active.

    Returns a dict: ``id``, ``hostname``, ``state`` (all str) and ``changed`` (bool).

    Raises as ``rancher_host.deactivate`` does.

    CLI Example:

    .. code-block:: bash

        salt 'node1' rancher_host.activate http://rancher.example.com:8080 node1.example.com

    Source: Rancher 1.6 documentation, API, "Host": actions
    """
    given = (project, access_key, secret_key, ca_certificate, timeout)
    return _rancher_host.at(__pillar__, url, host, *given).activate()


def containers(
    url, host, project=None, access_key=None, secret_key=None, ca_certificate=None, timeout=60
):
    """
    Tell what an evacuation, or a removal while its agent runs, means to each container of a host.

    url (str), host (str), project (str), access_key (str), secret_key (str)
        As in ``rancher_host.deactivate``.
    ca_certificate (str, PEM text or path, default pillar rancher:agent:ca_certificate)
    timeout (seconds, default 60)
        For everything.

    Returns a dict of lists: ``moves`` (a service makes them again on another host), ``lost``
    (removed for good), ``stays`` (Rancher's own) and ``others`` (ids of active hosts that could
    take over).

    Raises as ``rancher_host.deactivate`` does.

    CLI Example:

    .. code-block:: bash

        salt 'node1' rancher_host.containers http://rancher.example.com:8080 node1.example.com

    Source: cattle v0.183.83, ExternalHostEventCreate and HostRemove
    """
    given = (project, access_key, secret_key, ca_certificate, timeout)
    return _rancher_host.at(__pillar__, url, host, *given).containers()


def evacuate(
    url, host, project=None, access_key=None, secret_key=None, ca_certificate=None, timeout=300
):
    """
    Deactivate a host and let its services' containers be made again on other hosts.

    Rancher removes **every** container of the host that is not its own, at once, with its anonymous
    volumes; only those of services are made again. So a host with others, stopped ones too, is
    refused by name, and nothing is done. ``rancher_host.containers`` tells beforehand.

    url (str), host (str), project (str), access_key (str), secret_key (str)
        As in ``rancher_host.deactivate``.
    ca_certificate (str, PEM text or path, default pillar rancher:agent:ca_certificate)
    timeout (seconds, default 300)
        For everything, until the host is inactive and empty.

    Returns a dict: ``id``, ``hostname``, ``state`` (all str) and ``changed`` (bool).

    Raises as ``rancher_host.deactivate`` does.

    CLI Example:

    .. code-block:: bash

        salt 'node1' rancher_host.evacuate http://rancher.example.com:8080 node1.example.com

    Source: Rancher 1.6 documentation, "Hosts": Evacuating Hosts; API, "Host": actions
    """
    given = (project, access_key, secret_key, ca_certificate, timeout)
    return _rancher_host.at(__pillar__, url, host, *given).evacuate()


def remove(
    url, host, project=None, access_key=None, secret_key=None, ca_certificate=None, timeout=300
):
    """
    Deactivate a host and take it out of Rancher. Nothing is done on the machine itself.

    While its agent is heard, Rancher orders that to remove the containers of the host; so a host
    with containers that no service makes again is refused. When the agent is gone they stay.

    url (str), project (str), access_key (str), secret_key (str)
        As in ``rancher_host.deactivate``.
    host (str)
        As there; one that is not known any more is right already.
    ca_certificate (str, PEM text or path, default pillar rancher:agent:ca_certificate)
    timeout (seconds, default 300)
        For everything, until Rancher does not list the host any more.

    Returns a dict: ``id`` (None when there was no such host), ``hostname``, ``state``
    (``removed``) and ``changed`` (bool).

    Raises as ``rancher_host.deactivate`` does, but not when the host is gone.

    CLI Example:

    .. code-block:: bash

        salt 'node1' rancher_host.remove http://rancher.example.com:8080 node1.example.com

    Source: Rancher 1.6 documentation, "Hosts": Removing Hosts; API, "Host": actions
    """
    given = (project, access_key, secret_key, ca_certificate, timeout)
    return _rancher_host.at(__pillar__, url, host, *given).remove()
