"""
What LVM says about itself: physical volumes, volume groups, logical volumes.

Full listings only: asked for one name, ``pvs``, ``vgs`` and ``lvs`` exit with 5 for
"not there" as well as for a real error. Plain columns, not JSON, which EL 7.2 lacks.
"""

import os
import re

from salt.exceptions import CommandExecutionError

import _host

_SEPARATOR = "|"
_FIELDS = {
    "pvs": ("pv_name", "pv_uuid", "vg_name", "pv_attr", "pv_size", "pe_start"),
    "vgs": (
        "vg_name",
        "vg_uuid",
        "vg_attr",
        "vg_tags",
        "vg_extent_size",
        "vg_extent_count",
        "vg_free_count",
    ),
    "lvs": (
        "vg_name",
        "lv_name",
        "lv_attr",
        "lv_size",
        "segtype",
        "seg_pe_ranges",
        "data_lv",
        "metadata_lv",
        "lv_profile",
        "seg_monitor",
        "data_percent",
        "metadata_percent",
        "chunk_size",
    ),
}
_NUMBERS = {
    "pv_size",
    "pe_start",
    "vg_extent_size",
    "vg_extent_count",
    "vg_free_count",
    "lv_size",
    "chunk_size",
}
# What LVM says on stderr, with exit code 0, when its answer is not the whole truth.
_DOUBTS = re.compile(
    r"duplicate|prefers device|not using device|missing pv|couldn't find device|rejected by a filter"
    r"|\bmda|metadata (area|header|summary|location)|bad metadata|checksum|seqno|marked in use"
    r"|need repairing|inconsisten|outdated|mismatch",
    re.IGNORECASE,
)


def parse(text, fields):
    """
    Read a report that was made with ``--noheadings --separator '|' --units b --nosuffix``. Returns
    a list of dicts; sizes and counts are int, everything else is str.
    """
    rows = []
    for line in filter(str.strip, _host.lines(text)):
        values = line.strip().split(_SEPARATOR)
        if len(values) != len(fields):
            raise CommandExecutionError(f"LVM answered a line that is not understood: {line!r}")
        row = dict(zip(fields, values, strict=True))
        for key in _NUMBERS.intersection(fields):
            # A column that does not apply to this kind of volume is empty.
            if not re.fullmatch(r"[0-9]*", row[key]):
                raise CommandExecutionError(f"LVM answered {key}={row[key]!r}, not a number")
            row[key] = int(row[key] or 0)
        rows.append(row)
    return rows


def parse_version(text):
    """
    Read the output of ``lvm version``. Returns the version of the tools as a list of three int,
    for example ``[2, 3, 16]``.
    """
    match = re.search(r"LVM version:\s+(\d+)\.(\d+)\.(\d+)", text)
    if not match:
        raise CommandExecutionError(f"`lvm version` answered what is not understood: {text[:80]!r}")
    return [int(part) for part in match.groups()]


def doubts(stderr):
    """
    Pick the warnings after which a listing cannot be trusted: missing or duplicate physical
    volumes, unreadable or old metadata. Returns a list of str, each once.
    """
    lines = (line.strip().removeprefix("WARNING: ") for line in _host.lines(stderr))
    return list(dict.fromkeys(line for line in lines if _DOUBTS.search(line)))


def version():
    """
    Tell the version of the LVM tools. Returns a list of three int, or None when they are not
    installed.
    """
    if not _host.tool("lvm"):
        return None
    return parse_version(_host.run(["lvm", "version"])["stdout"])


def look(known=None):
    """List everything that LVM knows on this host."""
    # Gives a dict: ``version`` (list of int, None = LVM is not installed), ``pvs``, ``vgs`` and
    # ``lvs`` (lists of dicts named as LVM's columns, hidden volumes included; ``pvs`` also have
    # ``path``, the name with links resolved; ``lv_attr`` says ``d`` also where only ``dmsetup``
    # knows it), and ``doubts`` (list of str): warnings after which the lists cannot be trusted.
    seen = {"version": known or version(), "pvs": [], "vgs": [], "lvs": [], "doubts": []}
    if seen["version"] is None:
        return seen
    stderr = ""
    for kind, fields in _FIELDS.items():
        answer = _host.run(_listing(kind, fields, seen["version"]))
        try:
            seen[kind] = parse(answer["stdout"], fields)
        except CommandExecutionError as exc:
            raise CommandExecutionError(f"`{kind}`: {exc}") from exc
        stderr += answer["stderr"]
    for volume in seen["pvs"]:
        volume["path"] = os.path.realpath(volume["pv_name"])
    seen["doubts"] = doubts(stderr)
    if not seen["doubts"]:
        _agree(seen)
    # A volume in several pieces is listed once for each.
    pieces = {(row["vg_name"], row["lv_name"]): row for row in reversed(seen["lvs"])}
    seen["lvs"] = list(reversed(pieces.values()))
    for row in seen["lvs"]:
        if row["lv_attr"][4:6] == "XX" and _bare(row):
            row["lv_attr"] = row["lv_attr"].replace("XX", "d-", 1)
    return seen


def _bare(row):
    """
    Whether its device has no table and nobody has it open.

    Linux 5.15 and newer make no block device of it, and so LVM cannot tell what it is; on
    older kernels it says "d" itself. Whoever is killed while a volume comes up leaves one.
    """
    device = "-".join(row[key].strip("[]").replace("-", "--") for key in ("vg_name", "lv_name"))
    argv = ["dmsetup", "info", "--columns", "--noheadings", "--separator", _SEPARATOR]
    # 1: there is no such device.
    answer = _host.run([*argv, "--options", "attr,open", device], accept=(0, 1))
    return re.fullmatch(rf"---[rw]{re.escape(_SEPARATOR)}0", answer["stdout"].strip()) is not None


def _agree(seen):
    """Three answers about one thing: what one of them leaves out, another one names."""
    groups = {row["vg_name"] for row in seen["vgs"]}
    volumes = {row["vg_name"] for row in seen["lvs"]}
    used = {
        row["vg_name"]
        for row in seen["vgs"]
        if row["vg_extent_count"] - row["vg_free_count"] > _taken(seen["lvs"], row["vg_name"])
    }
    named = {row["vg_name"] for row in seen["pvs"] if row["vg_name"][:1] not in ("", "[")}
    places = {word for row in seen["lvs"] for word in row["seg_pe_ranges"].split()}
    devices = {word.rpartition(":")[0] for word in places if word.startswith("/")}
    for tool, missing, other in (
        ("vgs", (named | volumes) - groups, "pvs or lvs"),
        (
            "pvs",
            (groups - named) | (devices - {row["pv_name"] for row in seen["pvs"]}),
            "vgs or lvs",
        ),
        ("lvs", used, "vgs"),
    ):
        if missing:
            raise CommandExecutionError(
                f"`{tool}` leaves out what `{other}` names: {', '.join(sorted(missing))}. "
                "So LVM's lists are not the whole truth; compare them, then run again"
            )


def _taken(rows, group):
    """The extents that the listed volumes of a group lie on."""
    places = " ".join(row["seg_pe_ranges"] for row in rows if row["vg_name"] == group)
    ranges = re.findall(r"/\S+:(\d+)-(\d+)", places)
    return sum(int(last) - int(first) + 1 for first, last in ranges)


def _listing(kind, fields, have):
    argv = [kind, "--noheadings", "--separator", _SEPARATOR, "--units", "b", "--nosuffix"]
    if kind == "lvs":
        argv.append("--all")
    if have >= [2, 3, 2]:
        # Without hints LVM looks at every device, and leaves no hints file behind.
        argv.append("--nohints")
    return [*argv, "--options", ",".join(fields)]
