"""
Docker's thin pool: what there is, what is left to do, and the states' work.
"""

from _fresh import checked  # noqa: F401

# isort: split
import _converge
import _thinpool
import _thinpool_extend
import _thinpool_look
import _thinpool_make
import _thinpool_plan
import _thinpool_profile


def profile(threshold, percent):
    """
    Write the text of a profile by which a pool grows.

    threshold (int, percent)
        How full the pool is when it grows; LVM takes 1 to 49 for 50, and 100 is never.
    percent (int)
        By how many percent it grows each time.

    Returns the text. Only keys that LVM allows in a metadata profile: one other key, and it
    would reject the whole file.

    Raises SaltInvocationError for values that LVM does not accept.

    CLI Example:

    .. code-block:: bash

        salt '*' thinpool.profile 80 20

    Source: lvm.conf(5), "profiles"; lvmthin(7), "Automatically extend thin pool LV"
    """
    return _thinpool_profile.profile(threshold, percent)


def write_profile(name, threshold, percent):
    """
    Write a profile to /etc/lvm/profile, whole and 0644.

    name (str)
        Its name, without directory and ``.profile``.
    threshold (int, percent)
        See ``profile``.
    percent (int)
        See ``profile``.

    Returns True when the file was written, False when it was right already.

    Raises SaltInvocationError for a wrong name or value, CommandExecutionError when it
    cannot be written.

    CLI Example:

    .. code-block:: bash

        salt '*' thinpool.write_profile docker-thinpool 80 20

    Source: lvm.conf(5), "profiles"
    """
    return _thinpool_profile.write(name, threshold, percent)


def status(volume_group, name):
    """
    Tell how a thin pool is.

    volume_group (str)
        Name of the volume group.
    name (str)
        Name of the pool.

    Returns None when there is no such pool, else a dict: ``size``, ``metadata_size``,
    ``chunk_size``, ``free`` (in the volume group) and ``next_extension`` in bytes;
    ``data_percent`` and ``metadata_percent`` (float, None while inactive); ``profile`` (None =
    none), ``autoextend_threshold`` and ``autoextend_percent`` as that profile sets them;
    ``active``, ``monitored`` (bool); ``health`` (``ok`` or what is wrong); ``device`` (path below
    /dev/mapper); ``next_extension_fits``: False also when the pool never grows by itself.

    Raises CommandExecutionError when LVM cannot be asked or its answer is in doubt.

    CLI Example:

    .. code-block:: bash

        salt '*' thinpool.status docker thinpool

    Source: lvs(8), lvmthin(7)
    """
    return _thinpool.status(volume_group, name)


def plan(
    device,
    volume_group="docker",
    name="thinpool",
    profile="docker-thinpool",
    data_percent=80,
    metadata_percent=1,
    chunk_size="512K",
    autoextend_threshold=80,
    autoextend_percent=20,
):
    """
    Tell how far a disk is on its way to the thin pool, and what is left. Writes nothing.

    device (str)
        Whole disk, best as /dev/disk/by-id/...
    volume_group (str, default ``docker``)
        Name of the volume group.
    name (str, default ``thinpool``)
        Name of the pool.
    profile (str, default ``docker-thinpool``)
        Name of its profile.
    data_percent (int, default 80)
        Share of the volume group for data when the pool is made.
    metadata_percent (int, default 1)
        Share for metadata, and the same again for its spare.
    chunk_size (str, default ``512K``)
        Multiple of 64K from 64K to 1G, fixed when the pool is made.
    autoextend_threshold (int, percent, default 80)
        How full the pool is when it grows.
    autoextend_percent (int, default 20)
        By how many percent it grows.

    Returns a dict: ``state`` (P0 blank, P1 label, P2 partition, P3 typed partition, P4
    physical volume, P4v half of one, of a vgcreate that was ended, P5 volume group, P6 data volume,
    P6m metadata volume, P7 both, P7s both and an interrupted conversion, P8 pool, P9 profile
    not attached, P9f profile file not right, P10 not monitored, P11 inactive, P13 done; P0x to
    P8x and P12 are refused; None when it cannot be told), ``steps`` (list of str), ``changes``,
    ``refusal`` (str or None), ``notes`` (list of str).

    Raises CommandExecutionError when it could not look.

    CLI Example:

    .. code-block:: bash

        salt '*' thinpool.plan /dev/disk/by-id/virtio-pool

    Source: lvmthin(7)
    """
    return _thinpool.plan(dict(locals()))


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
    test=False,
):
    """
    Converge, as the state ``thinpool.present`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc thinpool.present``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' thinpool.present thinpool /dev/disk/by-id/virtio-pool test=True

    Source: the state ``thinpool.present``
    """
    settings = dict(locals())
    if device is None:
        comment = "No thin pool is configured"
        return {"name": name, "result": True, "changes": {}, "comment": comment}

    def observe():
        return _thinpool_look.observe(_thinpool_look.wanted(settings))

    def with_want(function):
        return lambda *args: function(*args, _thinpool_look.wanted(settings))

    return _converge.run(
        name,
        f"Thin pool {volume_group}/{name}",
        observe=observe,
        plan=with_want(_thinpool_plan.plan),
        apply=with_want(_thinpool_make.apply),
        test=test,
        notes=with_want(_thinpool.notes),
    )


def extended(name, devices=(), volume_group="docker", test=False):
    """
    Converge, as the state ``thinpool.extended`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc thinpool.extended``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' thinpool.extended thinpool '[/dev/disk/by-id/virtio-more]' test=True

    Source: the state ``thinpool.extended``
    """
    if not devices:
        comment = "No further disks are configured"
        return {"name": name, "result": True, "changes": {}, "comment": comment}

    def want():
        return _thinpool_extend.wanted(volume_group, name, devices)

    return _converge.run(
        name,
        f"Room for thin pool {volume_group}/{name}",
        observe=lambda: _thinpool_extend.observe(want()),
        plan=lambda seen: _thinpool_extend.plan(seen, want(), pending=test),
        apply=lambda seen, changes: _thinpool_extend.apply(seen, changes, want()),
        test=test,
    )
