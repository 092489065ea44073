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

_TIMEOUT = 600
_APT = re.compile(r"(?P<word>Inst|Remv) (?P<name>\S+)(?: \[(?P<old>\S+)\])?(?: \((?P<new>\S+) )?")
# The sections of the table, of dnf and of yum 3. One that is skipped has a table, too.
_YUM = {"Upgrading": "put", "Updating": "put", "Downgrading": "put"}
_YUM |= {"Installing": "add", "Removing": "take"}
_DPKG = pathlib.Path("/var/lib/dpkg/status")
_NOTHING = ("Nothing to do", "No packages marked for update")


def changes(kept=(), coming=()):
    """
    The changes that an upgrade would report, as the package manager's own simulation has them.

    The lists are not fetched. Nothing is installed.

    kept (list of str)
        Packages that are left at their version, held or not.
    coming (list of str)
        Packages that are installed first: what that changes is no part of the upgrade.

    Returns a dict: name to ``old`` and ``new`` version, '' for absent.

    Raises CommandExecutionError when the simulation fails or is not understood.

    CLI Example:

    .. code-block:: bash

        salt '*' upgradeplan.changes

    Source: apt-get(8) ``--simulate``; dnf(8), yum(8) ``--assumeno``
    """
    installed = __salt__["pkg.list_pkgs"](versions_as_list=True)
    if __grains__["os_family"] == "RedHat":
        simulated, upgrade = _yum, "upgrade"
    else:
        simulated, upgrade = _apt, "dist-upgrade"
    before = {name for _, name, _ in simulated("install", *coming)} if coming else set()
    found = plan(installed, simulated(upgrade, kept=kept))
    return {name: change for name, change in found.items() if name not in before}


def _yum(*words, kept=()):
    tool = "dnf" if salt.utils.path.which("dnf") else "yum"
    argv = [tool, "--assumeno", *(f"--exclude={name}" for name in kept), *words]
    # 1: it was answered no.
    done = __salt__["host.run"](argv, _TIMEOUT, accept=(0, 1))
    return parse_yum(done["stdout"] + done["stderr"], __grains__["osarch"])


def _apt(*words, kept=()):
    argv = ["apt-get", "--simulate", "--quiet", "--yes"]
    with tempfile.NamedTemporaryFile("wb", prefix="dpkg-status-") as status:
        if kept:
            status.write(holding(_DPKG.read_bytes(), kept))
            status.flush()
            argv += ["-o", f"Dir::State::status={status.name}", "-o", "Dir::Cache::pkgcache="]
        return parse_apt(__salt__["host.run"]([*argv, *words], _TIMEOUT)["stdout"])


def holding(status, names):
    """
    The database of dpkg with packages held, as ``dpkg --set-selections`` would write it.

    status (bytes)
        The text of /var/lib/dpkg/status.
    names (list of str)
        Packages to hold.

    Returns bytes.

    CLI Example:

    .. code-block:: bash

        salt '*' upgradeplan.holding "$(cat /var/lib/dpkg/status)" '[docker-ce]'

    Source: dpkg(1) ``--set-selections``, "Package selection states"; /var/lib/dpkg/status
    """
    wanted = b"|".join(re.escape(name.encode()) for name in names)
    stanza = rb"^(Package: (?:%s)\n(?:.+\n)*?Status: )install " % wanted
    return re.sub(stanza, rb"\1hold ", status, flags=re.MULTILINE)


def parse_apt(text):
    """
    Read what ``apt-get --simulate`` prints.

    text (str)
        Its output.

    Returns a list of (``put`` or ``take``, name, version).

    CLI Example:

    .. code-block:: bash

        salt '*' upgradeplan.parse_apt "$(apt-get --simulate dist-upgrade)"

    Source: apt-get(8) ``--simulate``; apt-pkg/algorithms.cc, pkgSimulate
    """
    found = filter(None, map(_APT.match, text.splitlines()))
    return [
        ("put", it["name"], it["new"]) if it["word"] == "Inst" else ("take", it["name"], it["old"])
        for it in found
    ]


def parse_yum(text, osarch):
    """
    Read the table of a transaction of dnf or yum.

    text (str)
        The output of ``upgrade --assumeno``.
    osarch (str)
        The host's architecture: names of others get theirs, as in Salt's lists.

    Returns a list of (``put``, ``add`` beside other versions, or ``take``; name; version).

    Raises CommandExecutionError when there is no whole table.

    CLI Example:

    .. code-block:: bash

        salt '*' upgradeplan.parse_yum "$(dnf --assumeno upgrade)" x86_64

    Source: dnf's ``cli/output.py`` and yum's ``output.py``, listTransaction
    """
    table, whole, _ = text.partition("\nTransaction Summary\n")
    if not whole and any(words in text for words in _NOTHING):
        return []
    rows, kind = [], None
    for line in table.splitlines():
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
        said = (text.strip().splitlines() or ["nothing"])[-1]
        raise CommandExecutionError(
            f"the dry run of an upgrade was not understood, it said: {said}"
        )
    named = salt.utils.pkg.rpm.resolve_name
    return [(row[0], named(row[1], row[2], osarch), row[3]) for row in rows]


def plan(installed, steps):
    """
    What changes when these steps are made.

    installed (dict)
        Name to the list of its versions.
    steps (list)
        As of ``parse_apt`` or ``parse_yum``.

    Returns a dict: name to ``old`` and ``new`` version, '' for absent; several in one string, as
    Salt's modules report them.

    CLI Example:

    .. code-block:: bash

        salt '*' upgradeplan.plan '{tool: ["1"]}' '[[put, tool, "2"]]'

    Source: Salt's ``pkg.upgrade``, which compares its lists of before and after
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
