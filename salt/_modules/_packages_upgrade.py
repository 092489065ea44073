"""
What an upgrade of all packages would make: core's list knows what gets a newer version, but not
what comes with that on Red Hat's family, nor on any what is removed for it.
"""

import pathlib
import re
import tempfile

import salt.utils.data
import salt.utils.path
import salt.utils.pkg.rpm
from salt.exceptions import CommandExecutionError

import _host

_TIMEOUT = 600
_APT = re.compile(r"(?P<word>Inst|Remv) (?P<name>\S+)(?: \[(?P<old>\S+)\])?(?: \((?P<new>\S+) )?")
# The sections of the table, of dnf and of yum 3. One that is skipped has a table, too.
_YUM = {"Upgrading": "put", "Updating": "put", "Downgrading": "put"}
_YUM |= {"Installing": "add", "Removing": "take"}
# The host's configuration may say otherwise, and hide the table or colour it. yum 3 would leave a
# file in /tmp for each transaction that it was told not to make.
_SETTINGS = {"dnf": ["--setopt=assumeyes=0", "--setopt=color=never", "--setopt=debuglevel=2"]}
_SETTINGS["yum"] = [*_SETTINGS["dnf"], "--setopt=autosavets=0"]
_DPKG = pathlib.Path("/var/lib/dpkg/status")
_NOTHING = ("Nothing to do", "No packages marked for update")


def changes(list_pkgs, grains, kept=(), coming=()):
    """
    The changes that an upgrade would report, as the package manager's own simulation has them.
    Returns a dict: name to ``old`` and ``new`` version, '' for absent.
    """
    installed = list_pkgs(versions_as_list=True)
    if grains["os_family"] == "RedHat":
        simulated, upgrade = _yum, "upgrade"
    else:
        simulated, upgrade = _apt, "dist-upgrade"
    before = {name for _, name, _ in simulated(grains, "install", *coming)} if coming else set()
    found = plan(installed, simulated(grains, upgrade, kept=kept))
    return {name: change for name, change in found.items() if name not in before}


def _yum(grains, *words, kept=()):
    tool = "dnf" if salt.utils.path.which("dnf") else "yum"
    argv = [tool, "--assumeno", *_SETTINGS[tool], *(f"--exclude={name}" for name in kept), *words]
    # 1: it was answered no.
    done = _host.run(argv, _TIMEOUT, accept=(0, 1))
    return parse_yum(done["stdout"] + done["stderr"], grains["osarch"])


def _apt(_grains, *words, kept=()):
    argv = ["apt-get", "--simulate", "--quiet", "--yes"]
    with tempfile.NamedTemporaryFile("wb", prefix="dpkg-status-") as status:
        if kept:
            status.write(holding(_DPKG.read_bytes(), kept))
            status.flush()
            argv += ["-o", f"Dir::State::status={status.name}", "-o", "Dir::Cache::pkgcache="]
        return parse_apt(_host.run([*argv, *words], _TIMEOUT)["stdout"])


def holding(status, names):
    """
    The database of dpkg with packages held, as ``dpkg --set-selections`` would write it. Returns
    bytes.
    """
    wanted = b"|".join(re.escape(name.encode()) for name in names)
    stanza = rb"^(Package: (?:%s)\n(?:.+\n)*?Status: )install " % wanted
    return re.sub(stanza, rb"\1hold ", status, flags=re.MULTILINE)


def parse_apt(text):
    """
    Read what ``apt-get --simulate`` prints. Returns a list of (``put`` or ``take``, name,
    version).
    """
    found = filter(None, map(_APT.match, _host.lines(text)))
    return [
        ("put", it["name"], it["new"]) if it["word"] == "Inst" else ("take", it["name"], it["old"])
        for it in found
    ]


def parse_yum(text, osarch):
    """
    Read the table of a transaction of dnf or yum. Returns a list of (``put``, ``add`` beside other
    versions, or ``take``; name; version).
    """
    table, whole, _ = text.partition("\nTransaction Summary\n")
    if not whole and any(words in text for words in _NOTHING):
        return []
    rows, kind = [], None
    for line in _host.lines(table):
        words = line.split()
        if not words:
            continue
        if not line.startswith(" "):
            kind = _YUM.get(words[0].rstrip(":"))
        elif kind and words[0] == "replacing":
            name, _, arch = words[1].rpartition(".")
            rows.append(["take", name, arch, *words[2:]])
        elif kind and line[1] != " ":
            rows.append([kind, *words])
        elif kind and rows:
            # What followed a column that was too long.
            rows[-1] += words
    if not whole or any(len(row) < 4 for row in rows):
        said = _host.lines(text.strip() or "nothing")[-1]
        raise CommandExecutionError(
            f"the dry run of an upgrade was not understood, it said: {said}"
        )
    named = salt.utils.pkg.rpm.resolve_name
    return [(row[0], named(row[1], row[2], osarch), row[3]) for row in rows]


def plan(installed, steps):
    """
    What changes when these steps are made. Returns a dict: name to ``old`` and ``new`` version, ''
    for absent; several in one string, as Salt's modules report them.
    """
    after = {name: list(versions) for name, versions in installed.items()}
    for kind, name, version in steps:
        have = after.pop(name, [])
        left = {
            "put": [version],
            "add": [*have, version],
            "take": [each for each in have if each != version],
        }[kind]
        if left:
            after[name] = left
    return salt.utils.data.compare_dicts(_joined(installed), _joined(after))


def _joined(versions):
    return {name: ",".join(sorted(set(each))) for name, each in versions.items()}
