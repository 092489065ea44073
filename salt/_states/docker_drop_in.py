"""
What this tree lays over docker.service.
"""


def waiting(
    name, paths=None, package=None, version=None, daemon=None, thin_pool=None, data_disk=None
):
    """
    Start Docker only when the file systems that its data lives on are mounted.

    Without this a data disk that comes late, or not at all, lets Docker make the missing directories
    on the root file system, and start with empty ones. Docker is not restarted for it.

    name (str)
        What lives there, in one word; the end of the drop-in's name.
    paths (list of str, optional)
        Directories whose file systems must be mounted. Nothing is asked of them: what lies on the
        root file system makes no difference.
        Without any, and without a package, the drop-in is taken away.
    package (str, optional)
        Name of the daemon's package: its data root is one of the directories.
    version (str, optional)
        Its exact version.
    daemon (dict, optional)
        The setting ``docker:daemon``, which may name the data root.
    thin_pool (dict, optional)
        The settings of the thin pool.
    data_disk (dict, optional)
        The settings of the data disk. With a ``device``: refused while its mount point is not
        mounted and one of the directories lies below.

    Changes: ``waits for``, ``systemd`` when it had not read the drop-in yet.

    Returns a state return.

    Example:

    .. code-block:: yaml

        docker-data-awaited:
          docker_drop_in.waiting:
            - name: docker-data
            - package: docker-ce
            - daemon: {data-root: /data/docker}

    Source: systemd.unit(5), "RequiresMountsFor="
    """
    return __salt__["docker_drop_in.waiting"](
        name, paths, package, version, daemon, thin_pool, data_disk, test=__opts__["test"]
    )
