"""
Docker's thin pool: what there is, what is left to do, and its autoextend profile.

``poolprobe`` looks, ``poolplan`` decides, ``poolmake`` acts; here is what operators call.
"""

import re

from salt.exceptions import CommandExecutionError, SaltInvocationError

_PROFILES = "/etc/lvm/profile"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+.-]{0,120}")
_SETTING = re.compile(r"^\s*thin_pool_autoextend_(threshold|percent)\s*=\s*(\d+)\s*$", re.MULTILINE)
# LVM's own defaults: never.
_DEFAULTS = {"threshold": 100, "percent": 20}


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
    for word, value, most in (("threshold", threshold, 100), ("percent", percent, 1000)):
        if type(value) is not int or not 1 <= value <= most:
            raise SaltInvocationError(
                f"autoextend_{word} is {value!r}; allowed: a whole number from 1 to {most}"
            )
    return (
        "activation {\n"
        f"  thin_pool_autoextend_threshold={threshold}\n"
        f"  thin_pool_autoextend_percent={percent}\n"
        "}\n"
    )


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
    return __salt__["host.write"](_profile_path(name), profile(threshold, percent))


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
    lvm = _certain_lists()
    rows = {row["lv_name"].strip("[]"): row for row in lvm["lvs"] if row["vg_name"] == volume_group}
    pool = rows.get(name)
    if not pool or pool["segtype"] != "thin-pool":
        return None
    group = next(row for row in lvm["vgs"] if row["vg_name"] == volume_group)
    grows = autoextend(pool["lv_profile"])
    unit = group["vg_extent_size"]
    step = __salt__["poolsize.growth"](pool["lv_size"] // unit, grows["percent"]) * unit
    free = group["vg_free_count"] * unit
    sick = __salt__["poolguard.pool"](pool, f"{name}meta" in rows)
    return {
        "size": pool["lv_size"],
        "metadata_size": rows[pool["metadata_lv"].strip("[]")]["lv_size"],
        "chunk_size": pool["chunk_size"],
        "data_percent": _percent(pool["data_percent"]),
        "metadata_percent": _percent(pool["metadata_percent"]),
        "profile": pool["lv_profile"] or None,
        "autoextend_threshold": grows["threshold"],
        "autoextend_percent": grows["percent"],
        "active": pool["lv_attr"][4] == "a",
        "monitored": pool["seg_monitor"] == "monitored",
        "health": sick["found"] if sick else "ok",
        "device": f"/dev/mapper/{volume_group.replace('-', '--')}-{name.replace('-', '--')}",
        "free": free,
        "next_extension": step,
        "next_extension_fits": grows["threshold"] < 100 and step <= free,
    }


def autoextend(name):
    """
    Read how a profile lets a pool grow.

    name (str)
        Name of the profile; empty for none.

    Returns a dict ``threshold`` and ``percent``; LVM's defaults (100 and 20: never) for what
    the file does not set, or when there is no such file.

    CLI Example:

    .. code-block:: bash

        salt '*' thinpool.autoextend docker-thinpool

    Source: lvm.conf(5), "profiles"
    """
    text = __salt__["host.read"](_profile_path(name)) if name else None
    found = {key: int(value) for key, value in _SETTING.findall(text or "")}
    return {**_DEFAULTS, **found}


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
    physical volume, P4v the same and an interrupted vgcreate, P5 volume group, P6 data volume,
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
    want = __salt__["poolprobe.wanted"](dict(locals()))
    seen = __salt__["poolprobe.observe"](want)
    found = __salt__["poolplan.detect"](seen, want)
    changes = {} if found["refusal"] else __salt__["poolplan.plan"](seen, want)
    return {
        "state": found["state"],
        "refusal": found["refusal"],
        "steps": list(changes),
        "changes": changes,
        "notes": [] if found["refusal"] else __salt__["pooladvice.notes"](seen, want),
    }


def _certain_lists():
    lvm = __salt__["lvmreport.look"]()
    members = __salt__["poolprobe.members"]() if lvm["version"] is None else []
    doubt = __salt__["poolguard.lists"](lvm, members)
    if doubt:
        raise CommandExecutionError(f"{doubt['found']}. {doubt['advice']}")
    return lvm


def _percent(text):
    return float(text) if text else None


def _profile_path(name):
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SaltInvocationError(
            f"{name!r} is not a name for a profile; allowed: letters, digits, _ + . -"
        )
    return f"{_PROFILES}/{name}.profile"
