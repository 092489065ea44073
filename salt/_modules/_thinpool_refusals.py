"""
What must be left alone on the way to a thin pool: every reason, and the way out. Pure.

Each function returns None, or a dict ``state`` (a name that ends in x, or P12), ``found``
(half a sentence) and ``advice`` (sentences): ``_thinpool_plan`` makes the refusal of it.
"""

import re

import _disk_blank

# The first that knows `lvchange --metadataprofile`.
_OLDEST = [2, 2, 107]
# What LVM calls a group that must exist, by what is on the disk, and cannot be found.
_UNKNOWN = "[unknown]"
_IN_USE = re.compile(r"PV (\S+) is marked in use but no VG was found using it")
_MISSED = (
    "Restore that group with vgcfgrestore. If no group is missed and nothing on it is needed, run "
    "on this host: wipefs -a {it}; blkdiscard -z {it} || shred -v -n 0 -z {it}."
)
_REPAIR = (
    "Stop Docker, then: lvchange -an {it}; lvconvert --repair {it}; lvchange -ay {it}; then check "
    "the file systems in it (lvmthin(7), Metadata check and repair)."
)
_SPACE = "Remove containers and images, or add a disk (vgextend) and space (lvextend -L+SIZE {it})."
_LOOK = "Look at `dmsetup info` and `journalctl -u dm-event`."
# By the ninth letter of lv_attr.
_HEALTH = {
    "F": ("its metadata or its data failed", _REPAIR),
    "M": ("its metadata was set read-only after an error", _REPAIR),
    "D": ("its space for data is used up", _SPACE),
    "p": ("one of its disks is missing", "Bring the disk back: `pvs` names it."),
    "X": ("its health cannot be told", _LOOK),
}
# By the fifth letter of lv_attr: active, inactive, and what a kill leaves while it comes up, a
# device with no table yet or with one that was not resumed. Activating it goes on from there.
_USUAL = "a-di"
_STATE = {
    "c": ("its metadata needs a check", _REPAIR),
    "C": ("its metadata needs a check, and it is suspended", _REPAIR),
    "s": ("it is suspended: another program works on it, or broke off", _LOOK),
    "X": ("its state cannot be told", _LOOK),
}
_GROUP = {
    (2, "x"): ("is exported", "Bring it in with `vgimport`, or use another disk."),
    (3, "p"): ("lacks a disk", "Bring the disk back: `pvs` names it."),
    (5, "c"): ("is shared with other hosts", "A pool for Docker belongs to one host."),
    (5, "s"): ("is shared with other hosts", "A pool for Docker belongs to one host."),
}


def _no(state, found, advice=""):
    return {"state": state, "found": found, "advice": advice}


def lists(lvm, members):
    """Judge whether LVM's lists can be relied on. Returns None, or why not."""
    version = lvm["version"]
    if version is None and members:
        found = "LVM is not installed, so nobody can tell what is on the physical volumes "
        return _no(None, found + ", ".join(members), "Install lvm2 and run this again.")
    if version and version < _OLDEST:
        found = "lvm2 {}.{:02}.{} cannot attach a profile to a pool".format(*version)
        return _no(None, found, "Install lvm2 2.02.107 or newer.")
    if lvm["doubts"]:
        found = f"LVM doubts its own lists: {'; '.join(lvm['doubts'][:3])}"
        return _no("P4x", found, _way_out(lvm["doubts"]))
    return None


def _way_out(doubts):
    marked = _IN_USE.match(doubts[0])
    if marked and all(f"PV {marked[1]} " in doubt for doubt in doubts):
        return _MISSED.format(it=marked[1])
    if any(re.search(r"smaller than corresponding PV size|reaches to", doubt) for doubt in doubts):
        return "Bring the disk back to its size; LVM would write past its end."
    if any(re.search(r"(?i)checksum|\bmda\b|metadata", doubt) for doubt in doubts):
        return "Look at the volumes that it names with pvck(8); vgcfgrestore(8) restores a group."
    return "Put right what `pvs` and `vgs` warn of, then run again."


def lost(backup, part, group):
    """Judge a group that LVM does not find, by LVM's own backup of it. ``part``: ours, or None."""
    if not backup:
        return None
    count, path = len(backup["volumes"]), backup["path"]
    disks = ", ".join(f"{disk['device']} (UUID {disk['uuid']})" for disk in backup["disks"])
    found = (
        f"LVM does not find volume group {group}, and its own {path} says that the group held "
        f"{count} volume{'s' * (count != 1)} on {disks}"
    )
    here = part and part["path"]
    same = [disk for disk in backup["disks"] if here and disk["size"] == part["size"]]
    if len(same) == 1 and len(backup["disks"]) == 1 and not part["signatures"]:
        way = (
            f"If {part['path']} is that volume, restore it, on this host: pvcreate --uuid "
            f"{same[0]['uuid']} --restorefile {path} {part['path']}; vgcfgrestore --force -f {path} "
            f"{group}; vgchange -ay {group}."
        )
    else:
        way = "Attach its disks, or restore it: pvcreate --restorefile, then vgcfgrestore(8)."
    return _no("P5x", found, f"{way} If that group is gone for good, move away {_all(path)}.")


def _all(path):
    """Behind the newest archive there are older ones."""
    folder, _, name = path.rpartition("/")
    numbered = re.fullmatch(r"(.+)_\d+-\d+\.vg", name)
    return f"{folder}/{numbered[1]}_*" if numbered else path


def named(folder, pool):
    """Judge a pool that is not there, and that Docker knows. Returns None, or why it is not made."""
    if not folder:
        return None
    found = f"Docker's data in {folder} belongs to pool {pool}, which is not there"
    advice = (
        "Attach its disk, or restore it: vgcfgrestore(8). Only if Docker's images and containers of "
        f"before are not needed, move {folder} away and run this again."
    )
    return _no("P5x", found, advice)


def foreign(rows):
    """
    Judge the physical volumes on a disk that is in no volume group of the wanted name. Returns
    None, or why the disk must be left alone.
    """
    for row in rows:
        if row["vg_name"] not in ("", _UNKNOWN):
            found = f"{row['pv_name']} on it belongs to volume group {row['vg_name']}"
            advice = (
                "If that is the pool's group, set the pillar key rancher:thin_pool:volume_group to "
                f"{row['vg_name']}. If nothing there is needed: vgremove that group, then wipefs -a "
                "this disk."
            )
            return _no("P5x", found, advice)
        if row["vg_name"] or row["pv_attr"][0] != "-":
            found = f"{row['pv_name']} is marked as part of a volume group that cannot be read"
            return _no("P4x", found, _MISSED.format(it=row["pv_name"]))
    return None


def partition(part, rows, version):
    """Judge what our own partition holds. Returns None, or why it must be left alone."""
    path, kinds = part["path"], [entry["type"] for entry in part["signatures"]]
    if part["mounts"] or part["holders"] or part["busy"]:
        users = ", ".join([*part["mounts"], *part["holders"]]) or "another program"
        return _no("P3x", f"its partition {path} is in use by {users}")
    if kinds and kinds != ["LVM2_member"]:
        advice = f"If it may be erased, run on this host: wipefs -a {path}."
        return _no("P3x", f"its partition {path} holds old content: {', '.join(kinds)}", advice)
    if kinds and not rows:
        advice = "Look at filter and global_filter in /etc/lvm/lvm.conf"
        # The first with a devices file.
        if version and version >= [2, 3, 12]:
            advice += " and at /etc/lvm/devices/system.devices"
        advice += ", and whether its group belongs to another host (lvmsystemid(7))"
        advice += f"; what LVM says of it: pvck {path}."
        return _no("P4x", f"{path} is a physical volume that LVM does not show", advice)
    return None


def behind(part, found):
    """Judge what lies behind a physical volume of no group. Returns None, or why it is left alone."""
    if not found:
        return None
    path, words = part["path"], _disk_blank.words(found)
    advice = (
        "Restore its group: vgcfgrestore(8), `ls /etc/lvm/backup /etc/lvm/archive`. If nothing on it "
        f"is needed, run on this host: wipefs -a {path}; blkdiscard -z {path} || shred -v -n 0 -z {path}."
    )
    return _no("P4x", f"{path} is a physical volume of no group, and behind it {words}", advice)


def group(rows, members, here, has_pool, mark):
    """
    Judge the volume group that has the wanted name. Returns None, or why it must be left alone.
    """
    row, where = rows[0], ", ".join(members)
    it, tagged = f"volume group {row['vg_name']}", mark in row["vg_tags"].split(",")
    if len(rows) > 1 or not here:
        advice = "Choose another rancher:thin_pool:volume_group."
        return _no("P5x", f"a {it} exists already, on {where}", advice)
    for (place, letter), (words, advice) in _GROUP.items():
        if row["vg_attr"][place] == letter:
            return _no("P5x", f"{it} {words}", advice)
    take_over = f"vgchange --addtag {mark} {row['vg_name']}."
    if not (tagged or has_pool):
        found = f"{it} on it was not made here (it has no tag {mark}) and holds no such pool"
        return _no("P5x", found, f"If it may become the pool: {take_over}")
    if len(members) > 1 and not has_pool:
        advice = "Take the other disks out with vgreduce until the pool is complete."
        return _no("P5x", f"{it} has several disks ({where}) and no complete pool", advice)
    if len(members) > 1 and not tagged:
        advice = f"If it is to be looked after all the same: {take_over}"
        return _no("P5x", f"{it} was not made here and has several disks: {where}", advice)
    return None


def others(group_name, names):
    """
    Judge further volumes in a group that holds no pool yet. Returns None, or why the group must be
    left alone.
    """
    if not names:
        return None
    found = f"volume group {group_name} holds volumes that are not ours: {', '.join(sorted(names))}"
    return _no("P5x", found, "Remove them, or choose another rancher:thin_pool:volume_group.")


def volume(row, size, signature):
    """
    Judge a plain volume that is to become data or metadata of the pool. Returns None, or why it
    must be left alone.
    """
    it, attributes = f"{row['vg_name']}/{row['lv_name']}", row["lv_attr"]
    reasons = (
        (row["segtype"] != "linear", f"is of type {row['segtype']}, not linear"),
        (attributes[4] not in _USUAL, f"is in an unusual state ({attributes})"),
        (attributes[5] not in "o-", f"is in an unusual state ({attributes})"),
        (attributes[5] == "o", "is in use"),
        (signature, f"holds {signature}"),
        (row["lv_size"] != size, f"has {row['lv_size']} bytes, and {size} were to be expected"),
    )
    for applies, words in reasons:
        if applies:
            advice = f"If nothing on it is needed: lvremove {it}."
            return _no("P6x", f"volume {it} {words}", advice)
    return None


def pool(row, stray):
    """Judge a thin pool that is there. Returns None, or why it must be left alone."""
    it = f"{row['vg_name']}/{row['lv_name']}"
    if stray:
        found = (
            f"beside pool {it} there is a volume {it}meta; repeating Docker's recipe now would "
            "give the pool this volume in place of its metadata"
        )
        return _no("P8x", found, f"If nothing on it is needed: lvremove {it}meta.")
    state, health = row["lv_attr"][4], row["lv_attr"][8]
    words, advice = _HEALTH.get(health) or _STATE.get(state) or (None, "")
    if not words and state not in _USUAL:
        words, advice = f"it is in an unusual state ({row['lv_attr']})", _LOOK
    return _no("P12", f"pool {it} is sick: {words}", advice.format(it=it)) if words else None


def kernel(place, target):
    """Judge whether the running kernel can do it. Returns None, or why nothing should be begun."""
    if target:
        return None
    advice = "Install the modules of this kernel; after an update of the kernel, reboot."
    return _no(place, "the running kernel has no thin pools (module dm_thin_pool)", advice)
