"""
The Docker daemon: fit for this host, configured, running with that configuration.
"""

# What a run does for a role, whatever the pillar says.
_STEPS = {"server": ("rancher", "server_running"), "agent": ("rancher", "agent_registered")}


def suitable(
    name, package, version=None, daemon=None, thin_pool=None, repository=None, data_disk=None
):
    """
    Refuse, before anything is changed, a Docker that cannot work on this host.

    Never changes anything. Refuses a Docker without devicemapper on a thin pool, an older
    one than is installed, a configuration that the daemon would refuse, storage that cannot do
    what is asked of it, and data that Docker would no longer see: of another data root, storage
    driver or user mapping than before.

    name (str)
        What the comments call it.
    package (str)
        Name of the daemon's package.
    version (str, optional)
        Its exact version.
    daemon (dict, optional)
        The setting ``docker:daemon``.
    thin_pool (dict, optional)
        The settings of the thin pool; its ``device`` decides whether one is used.
    repository (dict, optional)
        The setting ``docker:repository``.
    data_disk (dict, optional)
        The settings of the data disk; what lies on it is not judged before it is mounted.

    Example:

    .. code-block:: yaml

        docker-suitable:
          docker_daemon.suitable:
            - name: docker
            - package: docker-ce

    Source: docs.docker.com, "Deprecated Engine Features"
    """
    return __salt__["docker_daemon.suitable"](
        name, package, version, daemon, thin_pool, repository, data_disk, test=__opts__["test"]
    )


def configured(name, package, version=None, daemon=None, thin_pool=None):
    """
    Write the daemon's configuration, checked before; the file that was there is kept.

    The whole file is ours: a key that is not in the settings goes away.

    name (str)
        Path of the file, ``/etc/docker/daemon.json``.
    package (str)
        Name of the daemon's package.
    version (str, optional)
        Its exact version.
    daemon (dict, optional)
        The setting ``docker:daemon``; wins over what is computed.
    thin_pool (dict, optional)
        The settings of the thin pool; with a ``device`` the storage driver is devicemapper
        on that pool, else overlay2.

    Changes: the keys that differ.

    Example:

    .. code-block:: yaml

        docker-daemon-configured:
          docker_daemon.configured:
            - name: /etc/docker/daemon.json
            - package: docker-ce
            - daemon: {log-driver: json-file}

    Source: docs.docker.com, "dockerd", "Daemon configuration file"
    """
    return __salt__["docker_daemon.configured"](
        name, package, version, daemon, thin_pool, test=__opts__["test"]
    )


def enabled(name):
    """
    Start the daemon at every boot.

    name (str)
        What the comments call it.

    Changes: ``boot``.

    Example:

    .. code-block:: yaml

        docker-daemon-enabled:
          docker_daemon.enabled:
            - name: docker.service

    Source: systemctl(1), "enable"
    """
    return __salt__["docker_daemon.enabled"](name, test=__opts__["test"])


def running(name, roles=None):
    """
    Run the daemon with what is configured now; restart it only when that changed.

    Also when an earlier run was killed before the restart: the time at which the daemon
    started is compared with the last change of everything that it read then. A container of
    Rancher that runs for a role which this host does not have, and which is no part of this run,
    is named and left alone.

    name (str)
        What the comments call it.
    roles (list of str, optional)
        The roles of this host. None: no container is looked at.

    Changes: ``daemon``.

    Example:

    .. code-block:: yaml

        docker-daemon-running:
          docker_daemon.running:
            - name: docker.service
            - watch:
              - docker_daemon: docker-daemon-configured

    Source: systemctl(1)
    """
    return __salt__["docker_daemon.running"](name, roles=_at_work(roles), test=__opts__["test"])


def _at_work(roles):
    """The roles of the host, and those that this run gives it by their own name."""
    chunks = globals().get("__lowstate__") or ()
    steps = {(chunk.get("state"), chunk.get("fun")) for chunk in chunks}
    if roles is None:
        return None
    return [*roles, *(role for role, step in _STEPS.items() if step in steps)]


def mod_watch(name, sfun=None, **kwargs):
    """
    Restart the daemon because a state that it watches made, or would make, changes.

    name (str)
        What the comments call it.
    sfun (str, optional)
        The function whose requisite it is, ``running``.
    kwargs
        The other arguments of the state; of these ``roles`` is used.

    Example:

    .. code-block:: yaml

        docker-daemon-running:
          docker_daemon.running:
            - watch:
              - docker_daemon: docker-daemon-configured

    Source: Salt's documentation "Requisites", section "watch"
    """
    roles = _at_work(kwargs.get("roles"))
    return __salt__["docker_daemon.running"](name, restart=True, roles=roles, test=__opts__["test"])
