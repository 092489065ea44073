"""
What this tree lays over docker.service.
"""


def waiting(name, paths=None, daemon=None, data_disk=None):
    """
    Start Docker only when the file systems that its data lives on are mounted.

    Without this a data disk that comes late, or not at all, lets Docker make the missing directories
    on the root file system, and start with empty ones. Docker is not restarted for it.

    name (str)
        What lives there, in one word; the end of the drop-in's name.
    paths (list of str, optional)
        Directories whose file systems must be mounted. Nothing is asked of them: what lies on the
        root file system makes no difference.
    daemon (dict, optional)
        The setting ``docker:daemon``: its data root counts as one of the directories. None: no data
        root. Without any directory the drop-in is taken away.
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
            - daemon: {data-root: /data/docker}

    Source: systemd.unit(5), "RequiresMountsFor="
    """
    return __salt__["docker_drop_in.waiting"](name, paths, daemon, data_disk, test=__opts__["test"])
