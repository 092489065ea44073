"""
What LVM says about itself: physical volumes, volume groups, logical volumes.

Full listings only: asked for one name, ``pvs``, ``vgs`` and ``lvs`` exit with 5 for "not there" as
well as for a real error. Plain columns, not JSON, which EL 7.2 lacks. Each look brings its own
settings along, so that it reads the disks, writes nothing, and answers alike on every host.
"""

import os
import re
import shlex

from salt.exceptions import CommandExecutionError

import _host

# Read only: lvm2 2.02 repairs metadata while it lists, any version writes /etc/lvm/backup. With
# `--readonly` instead nobody could tell what is active. From the disks: lvmetad (2.02) answers from
# its memory. The rest are the defaults of what changes the form of an answer. The prefix tells what
# LVM says with these settings from what the host's own make it say before and after them.
_SAYS = "lvm says: "
SETTINGS = (
    "config { checks = 0 }"
    " global { locking_type = 4 metadata_read_only = 1 use_lvmetad = 0 }"
    " devices { write_cache_state = 0 }"
    " backup { backup = 0 archive = 0 }"
    " log { verbose = 0 silent = 0 level = 0 indent = 0 command_names = 0"
    f' prefix = "{_SAYS}"'
    " report_command_log = 0 activation = 0 }"
    ' report { output_format = "basic" compact_output = 0 compact_output_cols = "" aligned = 1'
    ' buffered = 1 headings = 1 list_item_separator = "," prefixes = 0 quoted = 1'
    " columns_as_rows = 0 binary_values_as_numeric = 0 mark_hidden_devices = 1"
    " two_word_unknown_device = 0 }"
)
_SEPARATOR = "|"
_FIELDS = {
    "pvs": ("pv_name", "pv_uuid", "vg_name", "pv_attr", "pv_size", "pe_start", "dev_size"),
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
_ORDER = {"pvs": "pv_name", "vgs": "vg_name", "lvs": "vg_name,lv_name,seg_start"}
_NUMBERS = {
    "pv_size",
    "pe_start",
    "dev_size",
    "vg_extent_size",
    "vg_extent_count",
    "vg_free_count",
    "lv_size",
    "chunk_size",
}
# What LVM may say beside a list that is whole. Every other line is a doubt.
_CHATTER = re.compile(
    r"Consider pruning \S+ VG archive with more then .*"
    r"|locking_type \(4\) is deprecated, using --sysinit --readonly\."
    r"|Not using lvmetad because config setting use_lvmetad=0\."
    r"|To avoid corruption, rescan devices to make changes visible \(pvscan --cache\)\."
    r"|Failed to connect to lvmetad\. Falling back to device scanning\."
    r"|File descriptor \d+ \(.*\) leaked on .* invocation\..*"
    r"|\S+ not found in config: defaulting to.*"
    r'|Configuration (section|setting) "\S+" unknown\.'
    # The device is read all the same.
    r"|Device \S+ not initialized in udev database even after waiting \d+ microseconds\."
    r"|\S+: open failed: No medium found"
    # Drives without a medium, on which no volume of anybody is.
    r"|/dev/(fd|sr)\d+: open failed: No such device or address"
    r"|/dev/(fd|sr)\d+: read failed after \d+ of \d+ at \d+: Input/output error"
    # Who was killed while a volume came up left a device without a table, and so without a node.
    # It holds nothing; a group that misses a disk warns of that by itself.
    r"|/dev/mapper/\S+: open failed: No such (file or directory|device or address)"
    # A container's layer, in Docker's own name for it; when the pool is full all of them say so.
    r"|/dev/mapper/docker-\d+:\d+-\d+-\w+: .*"
    r"|PV \S+ in VG \S+ is using an old PV header, modify the VG to update\."
    # A disk that LVM may not read shows as a signature without a physical volume.
    r"|Devices file .*"
    # Without device mapper there is no pool, and that has its own refusal.
    r"|Activation disabled\. No device-mapper interaction will be attempted\."
    r"|/dev/mapper/control: open failed: .*"
    r"|Failure to communicate with kernel device-mapper driver\."
    r"|Check that device-mapper is available in the kernel\."
    r"|Incompatible libdevmapper \S+ \(\S+\) and kernel driver .*"
)


def parse(text, fields):
    """Read a report; sizes and counts become int. What is neither a row nor chatter raises."""
    rows = []
    for line in map(str.strip, _host.lines(text)):
        line = line.removeprefix(_SAYS.strip()).strip()
        values = line.split(_SEPARATOR)
        if not line or _CHATTER.fullmatch(line):
            continue
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
    """Read the output of ``lvm version``: the version of the tools, for example ``[2, 3, 16]``."""
    match = re.search(r"LVM version:\s+(\d+)\.(\d+)\.(\d+)", text)
    if not match:
        raise CommandExecutionError(f"`lvm version` answered what is not understood: {text[:80]!r}")
    return [int(part) for part in match.groups()]


def doubts(text):
    """
    List what LVM said beside its lists, chatter left out: they cannot be trusted then. Without our
    prefix it is about the host's settings, unless it is a warning.
    """
    said = rf"(?m)(?:^{_SAYS}\s*(?:WARNING: )?|WARNING: )(.*\S)"
    lines = dict.fromkeys(re.findall(said, text))
    return [line for line in lines if not _CHATTER.fullmatch(line)]


def ask(argv, accept=(0,)):
    """Ask LVM with our settings; a failure leaves them out, they would fill the line."""
    try:
        return _host.run([*argv, "--config", SETTINGS], accept=accept)
    except CommandExecutionError as exc:
        text = str(exc).replace(f" --config {shlex.quote(SETTINGS)}", "").replace(_SAYS, "")
        raise CommandExecutionError(text) from exc


def version():
    """The version of the LVM tools as three int, None when they are not installed."""
    if not _host.tool("lvm"):
        return None
    return parse_version(ask(["lvm", "version"])["stdout"])


def look(known=None):
    """
    List everything that LVM knows: ``version`` (None: not installed), ``pvs`` (also with ``path``,
    links resolved), ``vgs``, ``lvs`` (hidden ones, too; one row each), and ``doubts``, after which
    the lists cannot be trusted. Rows are named as LVM's columns.
    """
    seen = {"version": known or version(), "pvs": [], "vgs": [], "lvs": [], "doubts": []}
    if seen["version"] is None:
        return seen
    said = ""
    for kind, fields in _FIELDS.items():
        answer = ask(_listing(kind, fields, seen["version"]))
        try:
            seen[kind] = parse(answer["stdout"], fields)
        except CommandExecutionError as exc:
            raise CommandExecutionError(f"`{kind}`: {exc}") from exc
        said += answer["stderr"]
    for volume in seen["pvs"]:
        volume["path"] = os.path.realpath(volume["pv_name"])
    seen["doubts"] = doubts(said)
    if not seen["doubts"]:
        _agree(seen)
        seen["doubts"] = [_shrunk(row) for row in seen["pvs"] if _ends(row) > row["dev_size"]]
    seen["lvs"] = _one_row_each(seen["lvs"])
    for row in seen["lvs"]:
        if row["lv_attr"][4:6] == "XX" and _bare(row):
            row["lv_attr"] = row["lv_attr"].replace("XX", "d-", 1)
    return seen


def _ends(row):
    """Where a physical volume ends. As part of a group its size is that of its extents."""
    return row["pv_size"] + (row["pe_start"] if row["vg_name"] else 0)


def _shrunk(row):
    return (
        f"PV {row['pv_name']} reaches to {_ends(row)} bytes, and its device has {row['dev_size']}"
    )


def _one_row_each(rows):
    """A volume in several pieces is listed once for each: its ranges together."""
    volumes = {}
    for row in rows:
        first = volumes.setdefault((row["vg_name"], row["lv_name"]), row)
        if first is not row:
            first["seg_pe_ranges"] += " " + row["seg_pe_ranges"]
    return list(volumes.values())


def device(group, name):
    """The path of a volume below /dev/mapper, the only one Docker takes; hyphens are doubled."""
    return f"/dev/mapper/{group.replace('-', '--')}-{name.replace('-', '--')}"


def _bare(row):
    """
    Whether its device has no table and nobody has it open.

    Linux 5.15 and newer make no block device of it, and so LVM cannot tell what it is; on
    older kernels it says "d" itself. Whoever is killed while a volume comes up leaves one.
    """
    path = device(row["vg_name"], row["lv_name"].strip("[]"))
    argv = ["dmsetup", "info", "--columns", "--noheadings", "--separator", _SEPARATOR]
    # 1: there is no such device.
    answer = _host.run(
        [*argv, "--options", "attr,open", path.removeprefix("/dev/mapper/")], accept=(0, 1)
    )
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
    argv += ["--sort", _ORDER[kind], *(["--all"] if kind == "lvs" else [])]
    if have >= [2, 3, 2]:
        # Without hints LVM looks at every device, and leaves no hints file behind.
        argv.append("--nohints")
    return [*argv, "--options", ",".join(fields)]
