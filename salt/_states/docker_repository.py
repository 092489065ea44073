"""
Docker's package repository, where the host's own repositories do not do.
"""


def configured(name, repository=None):
    """
    Make a repository known to the package manager, its packages checked against a key.

    name (str)
        What the comments call it.
    repository (dict, optional)
        ``baseurl``, ``gpgkey``; on apt also ``distribution`` and ``components``, see
        ``docker_repository.checked``. None: the host's own repositories are used as they are.

    Changes: the options that differ, ``key`` when apt's key is fetched.

    Returns a state return.

    Example:

    .. code-block:: yaml

        docker-repository-configured:
          docker_repository.configured:
            - name: docker
            - repository:
                baseurl: https://download.docker.com/linux/centos/7/$basearch/stable
                gpgkey: https://download.docker.com/linux/centos/gpg

    Source: yum.conf(5), sources.list(5)
    """
    return __salt__["docker_repository.configured"](name, repository, test=__opts__["test"])
