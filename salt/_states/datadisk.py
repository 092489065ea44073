"""
A blank disk becomes the data disk: partitioned, formatted, mounted, also after a reboot.

Core ``blockdev.formatted`` formats over another file system; this state never does.
"""


def mounted(name, device=None, filesystem="xfs", label="data", options=("defaults", "nofail")):
    """
    Have the data disk mounted. A disk that may hold something of value is refused.

    name (str)
        The mount point.
    device (str, optional)
        The whole disk, best below /dev/disk/by-id. None: nothing is looked at or changed.
    filesystem (str, default ``xfs``)
        ``xfs`` or ``ext4``.
    label (str, default ``data``)
        Label of the file system.
    options (list of str, default ``[defaults, nofail]``)
        Mount options.

    Returns changes ``partition``, ``filesystem``, ``directory``, ``mount``, ``fstab``. What an
    operator mounted there by hand is right when it is this disk and this kind of file system;
    then only its line in fstab is completed. A refusal is ``False`` and changes nothing.

    CLI Example:

    .. code-block:: bash

        salt '*' state.single datadisk.mounted /data device=/dev/vdb test=True

    Source: parted(8), mkfs.xfs(8), mke2fs(8), fstab(5)
    """
    return __salt__["datadisk.mounted"](
        name, device, filesystem, label, options, test=__opts__["test"]
    )
