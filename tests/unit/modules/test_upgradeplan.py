"""What the package managers print is read as they mean it, and what is not understood is an error."""

import pytest
from fakes import Salt, load
from salt.exceptions import CommandExecutionError

APT = """\
Reading package lists...
The following packages will be REMOVED:
  library
Inst libc6 [2.36-9] (2.36-10 Debian:12.11/stable [amd64]) []
Inst libc6:i386 [2.36-9] (2.36-10 Debian:12.11/stable [i386])
Conf libc6 (2.36-10 Debian:12.11/stable [amd64])
Remv library [1] [tool:amd64 ]
Inst newcomer (1:1 localhost [all])
Conf newcomer (1:1 localhost [all])
"""
DNF = """\
Last metadata expiration check: 0:00:01 ago on Sun 29 Nov 2026 05:00:22 PM UTC.
Dependencies resolved.
================================================================================
 Package              Architecture       Version         Repository        Size
================================================================================
Installing:
 kernel               x86_64             4.18.0-2        baseos            10 M
Upgrading:
 glibc                i686               2.28-2          baseos           2.0 M
 tool                 noarch             1:2-1           more             5.4 k
 a-newcomer-with-a-name-longer-than-the-column
                      noarch             2-1             more             5.4 k
Installing dependencies:
 newcomer             noarch             1-1             more             5.5 k
     replacing  library.noarch 1-1
Removing:
 kernel               x86_64             4.18.0-0        @baseos            0  
Skipping packages with broken dependencies:
 broken               noarch             9-1             more             5.5 k

Transaction Summary
================================================================================
Install  2 Packages
Upgrade  3 Packages
Remove   1 Package
Skip     1 Package

Operation aborted.
"""
YUM = """\
Resolving Dependencies
--> Running transaction check

================================================================================
 Package           Arch            Version                 Repository      Size
================================================================================
Updating:
 bash              x86_64          4.2.46-35.el7_9         updates        1.0 M
Installing for dependencies:
 newcomer          noarch          1-1.el7                 extras         5.5 k
Updating for dependencies:
 bash-doc          noarch          4.2.46-35.el7_9         updates        1.0 M

Transaction Summary
================================================================================
Install             ( 1 Dependent package)
Exiting on user command
"""
TOOL = " tool                 noarch             1:2-1           more             5.4 k\n"
UPGRADED = {"tool": {"old": "1", "new": "2"}, "library": {"old": "3", "new": ""}}


@pytest.fixture
def plan():
    return load("upgradeplan", Salt({}))


def test_apt_names_what_it_removes(plan):
    assert plan.apt_steps(APT) == [
        ("put", "libc6", "2.36-10"),
        ("put", "libc6:i386", "2.36-10"),
        ("take", "library", "1"),
        ("put", "newcomer", "1:1"),
    ]


def test_dnf_breaks_rows_replaces_packages_and_lists_what_it_skips(plan):
    assert plan.yum_steps(DNF, "x86_64") == [
        ("add", "kernel", "4.18.0-2"),
        ("put", "glibc.i686", "2.28-2"),
        ("put", "tool", "1:2-1"),
        ("put", "a-newcomer-with-a-name-longer-than-the-column", "2-1"),
        ("add", "newcomer", "1-1"),
        ("take", "library", "1-1"),
        ("take", "kernel", "4.18.0-0"),
    ]


def test_yum_has_sections_of_its_own(plan):
    assert plan.yum_steps(YUM, "x86_64") == [
        ("put", "bash", "4.2.46-35.el7_9"),
        ("add", "newcomer", "1-1.el7"),
        ("put", "bash-doc", "4.2.46-35.el7_9"),
    ]


@pytest.mark.parametrize("text", ["Nothing to do.\nComplete!\n", "No packages marked for update\n"])
def test_nothing_to_do_is_no_step(plan, text):
    assert plan.yum_steps(text, "x86_64") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nothing"),
        ("Error: Failed to download metadata for repo 'more'\n", "Error: Failed to download"),
        (DNF.partition("Removing:")[0], "replacing  library.noarch 1-1"),
        (DNF.replace(TOOL, " tool\n"), "Operation aborted"),
        (DNF.replace("library.noarch 1-1", "library"), "Operation aborted"),
    ],
)
def test_what_is_no_whole_table_is_an_error(plan, text, said):
    with pytest.raises(CommandExecutionError, match="was not understood, it said: ") as caught:
        plan.yum_steps(text, "x86_64")
    assert said in str(caught.value)


def test_versions_side_by_side_are_reported_as_salt_does(plan):
    installed = {"kernel": ["0", "1"], "tool": ["1"], "library": ["1"], "quiet": ["1"]}
    steps = [
        ("add", "kernel", "2"),
        ("take", "kernel", "0"),
        ("put", "tool", "2"),
        ("take", "library", "1"),
        ("add", "newcomer", "1"),
    ]
    assert plan.foretold(installed, steps) == {
        "kernel": {"old": "0,1", "new": "1,2"},
        "tool": {"old": "1", "new": "2"},
        "library": {"old": "1", "new": ""},
        "newcomer": {"old": "", "new": "1"},
    }
    assert installed["kernel"] == ["0", "1"]


@pytest.mark.parametrize(
    ("family", "found", "argv"),
    [
        ("Debian", None, ["apt-get", "--simulate", "--quiet", "--yes", "dist-upgrade"]),
        ("RedHat", "/usr/bin/dnf", ["dnf", "--assumeno", "upgrade"]),
        ("RedHat", None, ["yum", "--assumeno", "upgrade"]),
    ],
)
def test_the_host_s_own_package_manager_is_asked(family, found, argv, monkeypatch):
    table = (
        "Upgrading:\n tool noarch 2 more 5 k\nRemoving:\n library noarch 3 more 5 k\n\n"
        "Transaction Summary\n"
    )
    text = "Inst tool [1] (2 x [all])\nRemv library [3]\n" if family == "Debian" else table
    asked = []

    def run(argv, timeout=60, accept=(0,)):
        asked.append((argv, accept))
        return {"retcode": accept[-1], "stdout": text, "stderr": ""}

    def list_pkgs(versions_as_list=False):
        assert versions_as_list
        return {"tool": ["1"], "library": ["3"]}

    grains = {"os_family": family, "osarch": "x86_64"}
    salt = Salt({"host.run": run, "pkg.list_pkgs": list_pkgs})
    plan = load("upgradeplan", salt, __grains__=grains)
    monkeypatch.setattr("salt.utils.path.which", {"dnf": found}.get)
    assert plan.changes() == UPGRADED
    assert asked == [(argv, (0,) if family == "Debian" else (0, 1))]
