"""
Look at everything that bears on Docker's thin pool; nothing is written.
"""

import glob
import json
import os
import re

from salt.exceptions import CommandExecutionError, SaltInvocationError

import _disk
import _disk_blank
import _disk_marks
import _disk_read
import _host
import _lvm
import _lvm_backup
import _settings
import _thinpool_profile

# GPT name of our finished partition and tag of our volume group: the proof that they are ours.
MARK = _disk_marks.POOL
# Where LVM's own data end in our physical volumes.
_BEGIN = 1024**2
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+.-]{0,120}")
_TOOLS = ("lvm", "parted", "thin_check", "dmeventd", "modprobe")


def wanted(settings):
    """
    Turn settings into what ``observe``, ``_thinpool_plan`` and ``_thinpool_make`` work with.
    Returns a dict: ``device``, ``volume_group``, ``name``, ``pool`` (both names), ``profile`` (its
    name), ``profile_text``, ``data_percent``, ``metadata_percent``, ``chunk_size`` (bytes),
    ``threshold``, ``percent``, ``mark`` (by which partition and volume group are ours).
    """
    for key in ("volume_group", "name", "profile"):
        if not isinstance(settings[key], str) or not _NAME.fullmatch(settings[key]):
            raise SaltInvocationError(
                f"{key} is {settings[key]!r}; allowed: letters, digits, _ + . - (not - at first)"
            )
    threshold, percent = settings["autoextend_threshold"], settings["autoextend_percent"]
    keep = ("device", "volume_group", "name", "profile", "data_percent", "metadata_percent")
    return {
        **{key: settings[key] for key in keep},
        "pool": f"{settings['volume_group']}/{settings['name']}",
        "profile_text": _thinpool_profile.profile(threshold, percent),
        "chunk_size": _settings.size(settings["chunk_size"]),
        "threshold": threshold,
        "percent": percent,
        "mark": MARK,
    }


def observe(want, before=None):
    """Look at everything that bears on the pool; nothing is written."""
    # Gives a dict: what `one_disk` gives; `lvm` (see `_lvm.look`); `members` (physical volumes by their
    # signature, without LVM); `signatures` (what plain volumes hold, by name); `backup` (LVM's own, of
    # a group that it does not find); `docker` (where Docker keeps what it knows of a pool that is not
    # there); `profile` (text, or None); `target` (the kernel knows thin pools); `missing` (programs).
    profile = _host.read(f"/etc/lvm/profile/{want['profile']}.profile")
    if before:
        lvm = _lvm.look(before["lvm"]["version"])
        return {**before, "lvm": lvm, "signatures": _signatures(lvm, want), "profile": profile}
    lvm = _lvm.look()
    one = one_disk(want["device"], "rancher:thin_pool:device", lvm)
    return {
        **one,
        "lvm": lvm,
        "members": members() if lvm["version"] is None else [],
        "signatures": _signatures(lvm, want),
        "backup": _backup(lvm, want),
        "docker": None if _has_pool(lvm, want) else _docker(want),
        "profile": profile,
        "target": _target(),
        "missing": [name for name in _TOOLS if not _host.tool(name)],
    }


def one_disk(device, key, lvm):
    """
    Look at one disk: ``disk``; ``stage`` and ``unfit`` (what ``_disk.stage`` returned, or its
    refusal); ``begun`` (its physical volume is half of one, and never held more: LVM's doubts of it
    are then left out of ``lvm``); ``behind`` (data behind a physical volume of no group, or None).
    """
    disk = _disk.examine(device, key)
    found = {"disk": disk, "stage": None, "unfit": None, "begun": False, "behind": None}
    try:
        found["stage"] = _disk.stage(disk, MARK, "lvm")
    except CommandExecutionError as refusal:
        # Only the plan knows whether it matters: a finished pool makes the disk "in use".
        return {**found, "unfit": str(refusal)}
    ours = [part for part in disk["partitions"] if part["mark"] == MARK]
    if found["stage"] == "ready" and [sign["type"] for sign in ours[0]["signatures"]] == [
        "LVM2_member"
    ]:
        rows = [row for row in lvm["pvs"] if row["path"] == ours[0]["path"]]
        if ours[0]["finished"]:
            found["behind"] = _behind(ours[0], rows)
        elif _begun(ours[0], rows, lvm["doubts"]):
            lvm["doubts"] = [doubt for doubt in lvm["doubts"] if not _about(doubt, ours[0], rows)]
            found["begun"] = True
    return found


def _begun(part, rows, doubts):
    """
    Whether a pvcreate, vgcreate or vgextend was ended in it: LVM doubts it, or finds it in use by a
    group that it cannot find. The partition's name says that there never was more.
    """
    if part["mounts"] or part["holders"] or part["busy"] or len(rows) > 1:
        return False
    if any(row["vg_name"] not in ("", "[unknown]") for row in rows):
        return False
    half = any(row["vg_name"] or row["pv_attr"][0] != "-" for row in rows)
    return half or any(_about(doubt, part, rows) for doubt in doubts)


def _about(doubt, part, rows):
    names = {part["path"], *(row["pv_name"] for row in rows)}
    return any(re.search(rf"(?<!\S){re.escape(name)}(?![\w/-])", doubt) for name in names)


def _behind(part, rows):
    """What lies behind a physical volume of no group: what was a pool once is not made anew."""
    if not rows or rows[0]["vg_name"] or rows[0]["pe_start"] != _BEGIN:
        return None
    return _disk_blank.look(part["path"], _BEGIN, whole=True)


def members():
    """
    List devices with the signature of a physical volume, without LVM's help. Returns a list of
    paths.
    """
    # Without its cache, which it would also write.
    argv = ["blkid", "-c", "/dev/null", "-t", "TYPE=LVM2_member", "-o", "device"]
    return _host.run(argv, accept=(0, 2))["stdout"].split()


def _backup(lvm, want):
    """What LVM itself wrote of the group, when it does not find it."""
    known = any(row["vg_name"] == want["volume_group"] for row in lvm["vgs"])
    return None if known else _lvm_backup.look(want["volume_group"])


def _has_pool(lvm, want):
    names = (want["volume_group"], want["name"], "thin-pool")
    return names in [(row["vg_name"], row["lv_name"], row["segtype"]) for row in lvm["lvs"]]


def _docker(want):
    """The directory in which Docker keeps what it knows of this pool, None: it knows nothing."""
    try:
        config = json.loads(_host.read("/etc/docker/daemon.json") or "{}")
    except ValueError:
        config = None
    if not isinstance(config, dict) or not isinstance(config.get("storage-opts", []), list):
        raise CommandExecutionError(
            "/etc/docker/daemon.json is not understood, so nobody can tell whether Docker has data in "
            f"pool {want['pool']}. Correct it, then run again"
        )
    names = (_lvm.device(want["volume_group"], want["name"]), want["pool"].replace("/", "-"))
    if not {f"dm.thinpooldev={name}" for name in names} & {*config.get("storage-opts", [])}:
        return None
    root = glob.escape(str(config.get("data-root") or config.get("graph") or "/var/lib/docker"))
    # With userns-remap it is below <uid>.<gid>.
    places = [f"{root}/devicemapper/metadata", f"{root}/*.*/devicemapper/metadata"]
    found = [path for place in places for path in sorted(glob.glob(f"{place}/*"))]
    return os.path.dirname(found[0]) if found else None


def _target():
    if os.path.isdir("/sys/module/dm_thin_pool") or not _host.tool("modprobe"):
        # Not to be told without the tool: a dry run goes on, a run stops because it is missing.
        return True
    argv = ["modprobe", "--dry-run", "--quiet", "dm-thin-pool"]
    return _host.run(argv, accept=(0, 1))["retcode"] == 0


def _signatures(lvm, want):
    """What the plain volumes hold that are still to become data and metadata."""
    found = {}
    for row in lvm["lvs"]:
        ours = row["lv_name"] in (want["name"], f"{want['name']}meta")
        if ours and row["vg_name"] == want["volume_group"] and row["segtype"] == "linear":
            found[row["lv_name"]] = _content(_areas(row, lvm))
    return found


def _content(areas):
    """The signature that begins there, or what a look finds that knows none; None: it is blank."""
    known = _disk_read.blkid(*areas[0])
    if "AMBIVALENT" in known:
        return "several signatures"
    kind = known.get("TYPE") or known.get("PTTYPE")
    for path, *area in [] if kind else areas:
        start, size = area or (0, None)
        found = _disk_blank.look(path, start, start + size if size else None)
        if found:
            return f"data that no tool knows: {_disk_blank.words(found)}"
    return kind


def _areas(row, lvm):
    """Where its content lies: an inactive volume has no device of its own."""
    if row["lv_attr"][4] == "a":
        return [(f"/dev/{row['vg_name']}/{row['lv_name']}",)]
    size = next(vg["vg_extent_size"] for vg in lvm["vgs"] if vg["vg_name"] == row["vg_name"])
    found = []
    for word in row["seg_pe_ranges"].split():
        device, _, extents = word.rpartition(":")
        first, last = (int(number) for number in extents.split("-"))
        start = next(pv["pe_start"] for pv in lvm["pvs"] if pv["pv_name"] == device)
        found.append((device, start + first * size, (last - first + 1) * size))
    return found
