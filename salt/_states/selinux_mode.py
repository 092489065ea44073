"""
The mode of SELinux, now and at boot.
"""


def configured(name="selinux", mode=None):
    """
    Bring SELinux into a mode, as far as that goes without a reboot.

    Core ``selinux.mode`` needs semanage's package and mixes the running mode with the
    configured one; here they are two changes: ``running`` and ``at boot``.

    name (str, default ``selinux``)
        Any name.
    mode (str)
        ``enforcing``, ``permissive`` or ``disabled``. Default None: leave it as it is.

    Returns a state return. To and from ``disabled`` only the configuration changes; the
    comment says that a reboot is needed for as long as it is. Nothing is ever rebooted.

    CLI Example:

    .. code-block:: bash

        salt '*' state.single selinux_mode.configured mode=permissive test=True

    Source: selinux(8), selinux_config(5)
    """
    return __salt__["selinux_mode.configured"](name, mode, test=__opts__["test"])
