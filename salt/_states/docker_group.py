"""
Who may talk to the Docker daemon without being root.
"""


def present(name, users=None):
    """
    Make a system group and add users to it; nobody is removed.

    Members of the group ``docker`` are as good as root.

    name (str)
        The group.
    users (list of str, optional)
        Users that must be in it; each has to exist.

    Changes: ``group <name>``, ``user <name>``.

    Returns a state return.

    Example:

    .. code-block:: yaml

        docker-group-present:
          docker_group.present:
            - name: docker
            - users: [operator]

    Source: gpasswd(1)
    """
    return __salt__["docker_group.present"](name, users, test=__opts__["test"])
