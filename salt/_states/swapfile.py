"""
A swap file that is complete, private, in use now and after every boot.

Core ``mount.swap`` does not make the file, and its two halves (use, fstab) go on
separately when the other one failed.
"""


def active(name, size=None, data_disk=None):
    """
    Make a swap file of this size, use it, and use it again at every boot.

    A file of another size is replaced when disk and memory allow. A file without a swap
    signature is never touched: it may be data.

    name (str)
        Absolute path of the swap file.
    size (str, optional)
        Whole MiB with a unit, such as ``20G``. None: nothing is looked at or changed.
    data_disk (dict, optional)
        The settings of the data disk (``device``, ``mount_point``). A file below its mount
        point is only made when it is mounted; a dry run predicts for an empty disk.

    Returns changes ``file``, ``active``, ``fstab``; for a file that was there ``mode``,
    ``owner``, ``context``; ``leftover`` when an earlier run was interrupted. A refusal is
    ``False`` and changes nothing.

    CLI Example:

    .. code-block:: bash

        salt '*' state.single swapfile.active /swapfile size=4G test=True

    Source: mkswap(8), swapon(8), fstab(5)
    """
    return __salt__["swapfile.active"](name, size, data_disk, test=__opts__["test"])
