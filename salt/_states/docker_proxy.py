"""
The proxies by which Docker pulls.
"""


def present(name):
    """
    Docker's daemon has the proxies of the pillar ``rancher:docker:proxy``; null takes away those
    that this state gave it. Other drop-ins stay.

    The state reads the pillar itself: the values may hold a password, which stands in a file that
    only root may read.

    name (str)
        What the comments call it.

    Changes: ``proxy``, never its values.

    Example:

    .. code-block:: yaml

        docker-proxy-present:
          docker_proxy.present:
            - name: docker

    Source: Docker documentation, "Configure the daemon to use a proxy"; systemd.exec(5)
    """
    return __salt__["docker_proxy.present"](name, test=__opts__["test"])
