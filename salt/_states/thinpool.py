"""
A thin pool for Docker's devicemapper driver, which grows by itself and is watched.

Core ``lvm`` knows no pool metadata and no profiles, and its ``pv_present`` erases what the
disk holds.
"""


def present(
    name,
    device=None,
    volume_group="docker",
    profile="docker-thinpool",
    data_percent=80,
    metadata_percent=1,
    chunk_size="512K",
    autoextend_threshold=80,
    autoextend_percent=20,
):
    """
    Make the thin pool on a blank disk, finish what an earlier run began, and keep profile,
    attachment, activation and monitoring right for ever.

    Sizes and chunks apply when the pool is made, and are never changed afterwards. A disk
    that holds anything else is refused.

    name (str)
        Name of the pool.
    device (str, optional)
        Whole disk, best as /dev/disk/by-id/... None: nothing is looked at or changed.
    volume_group (str, default ``docker``)
        Name of the volume group.
    profile (str, default ``docker-thinpool``)
        Name of the file in /etc/lvm/profile, without ``.profile``.
    data_percent (int, default 80)
        Share of the volume group for data.
    metadata_percent (int, default 1)
        Share for metadata, and the same again for its spare.
    chunk_size (str, default ``512K``)
        Multiple of 64K from 64K to 1G.
    autoextend_threshold (int, percent, default 80)
        How full the pool is when it grows; 100 is never.
    autoextend_percent (int, default 20)
        By how many percent it grows.

    Returns changes ``partition``, ``physical volume``, ``volume group``, ``data volume``,
    ``metadata volume``, ``pool``, ``profile``, ``attachment``, ``activation``, ``monitoring``:
    those that were left to do. A refusal is ``False`` and changes nothing.

    CLI Example:

    .. code-block:: bash

        salt '*' state.single thinpool.present thinpool device=/dev/disk/by-id/virtio-pool test=True

    Source: lvmthin(7); Docker's manual, "Device Mapper storage driver"
    """
    return __salt__["thinpool.present"](
        name,
        device,
        volume_group,
        profile,
        data_percent,
        metadata_percent,
        chunk_size,
        autoextend_threshold,
        autoextend_percent,
        test=__opts__["test"],
    )


def extended(name, devices=(), volume_group="docker"):
    """
    Add further disks to the volume group of the thin pool; with that room it grows by itself.

    A disk that holds anything is refused. A disk is never taken out again.

    name (str)
        Name of the pool.
    devices (list of str, optional)
        Whole disks, best as /dev/disk/by-id/... None, or an empty list: nothing is looked at.
    volume_group (str, default ``docker``)
        Name of the volume group.

    Returns changes ``<device>: partition``, ``<device>: physical volume``, ``<device>: volume
    group``: those that were left to do. A refusal is ``False`` and changes nothing.

    CLI Example:

    .. code-block:: bash

        salt '*' state.single thinpool.extended thinpool devices='[/dev/disk/by-id/virtio-more]'

    Source: vgextend(8); lvmthin(7), "Automatically extend thin pool LV"
    """
    return __salt__["thinpool.extended"](name, devices, volume_group, test=__opts__["test"])
