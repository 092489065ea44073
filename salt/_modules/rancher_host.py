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
        ``http(s)://host[:port]``. This and the rest are as in ``_rancher.project``.
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
    return _rancher_host.deactivate(
        __pillar__, url, host, project, access_key, secret_key, ca_certificate, timeout
    )


def activate(
    url, host, project=None, access_key=None, secret_key=None, ca_certificate=None, timeout=300
):
    """
    Let Rancher use a host again, and wait until it and its agent are active.

    url (str), host (str), project (str), access_key (str), secret_key (str)
        As in ``_rancher_host.deactivate``.
    ca_certificate (str, PEM text or path, default pillar rancher:agent:ca_certificate)
    timeout (seconds, default 300)
        For everything, until the host is active.

    Returns a dict: ``id``, ``hostname``, ``state`` (all str) and ``changed`` (bool).

    Raises as ``_rancher_host.deactivate`` does.

    CLI Example:

    .. code-block:: bash

        salt 'node1' rancher_host.activate http://rancher.example.com:8080 node1.example.com

    Source: Rancher 1.6 documentation, API, "Host": actions
    """
    return _rancher_host.activate(
        __pillar__, url, host, project, access_key, secret_key, ca_certificate, timeout
    )


def evacuate(
    url, host, project=None, access_key=None, secret_key=None, ca_certificate=None, timeout=300
):
    """
    Deactivate a host and move its containers elsewhere. Rancher's own ones (system), and those
    that somebody started without Rancher (native), stay.

    url (str), host (str), project (str), access_key (str), secret_key (str)
        As in ``_rancher_host.deactivate``.
    ca_certificate (str, PEM text or path, default pillar rancher:agent:ca_certificate)
    timeout (seconds, default 300)
        For everything, until the host is inactive and empty.

    Returns a dict: ``id``, ``hostname``, ``state`` (all str) and ``changed`` (bool).

    Raises as ``_rancher_host.deactivate`` does.

    CLI Example:

    .. code-block:: bash

        salt 'node1' rancher_host.evacuate http://rancher.example.com:8080 node1.example.com

    Source: Rancher 1.6 documentation, "Hosts": Evacuating Hosts; API, "Host": actions
    """
    return _rancher_host.evacuate(
        __pillar__, url, host, project, access_key, secret_key, ca_certificate, timeout
    )


def remove(
    url, host, project=None, access_key=None, secret_key=None, ca_certificate=None, timeout=300
):
    """
    Deactivate a host and take it out of Rancher. Nothing is done on the machine itself.

    url (str), project (str), access_key (str), secret_key (str)
        As in ``_rancher_host.deactivate``.
    host (str)
        As there; one that is not known any more is right already.
    ca_certificate (str, PEM text or path, default pillar rancher:agent:ca_certificate)
    timeout (seconds, default 300)
        For everything, until Rancher does not list the host any more.

    Returns a dict: ``id`` (None when there was no such host), ``hostname``, ``state``
    (``removed``) and ``changed`` (bool).

    Raises as ``_rancher_host.deactivate`` does, but not when the host is gone.

    CLI Example:

    .. code-block:: bash

        salt 'node1' rancher_host.remove http://rancher.example.com:8080 node1.example.com

    Source: Rancher 1.6 documentation, "Hosts": Removing Hosts; API, "Host": actions
    """
    return _rancher_host.remove(
        __pillar__, url, host, project, access_key, secret_key, ca_certificate, timeout
    )
