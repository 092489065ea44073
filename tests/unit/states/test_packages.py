"""Core's states are asked only when something is to do, and then with everything they need."""

import sys

import pytest
from fakes import imported
from salt.exceptions import CommandExecutionError, CommandNotFoundError

import _packages_unfinished

STAYS = "; one that is no longer asked for stays until you remove it"


packages = imported("_states/packages")


@pytest.fixture
def configure_loader_modules():
    return {packages: {}}


class Core:
    """Core's `pkg` states: they note the call and answer as core does."""

    def __init__(self, result=True, **changes):
        self.calls, self.result, self.changes = [], result, changes

    def installed(self, name, pkgs, refresh):
        self.calls.append((pkgs, refresh))
        return {"name": name, "result": self.result, "changes": self.changes, "comment": "core"}

    def uptodate(self, name, refresh, **options):
        self.calls.append((refresh, options))
        return {"name": name, "result": self.result, "changes": self.changes, "comment": "core"}


def on(list_pkgs, core, test=False, family="Debian", plan=None, loose=None, context=None):
    def docker(package, version=None):
        assert (package, version) == ("docker-ce", "1")
        return loose or {}

    salt = {"pkg.list_pkgs": list_pkgs, "docker_package.loose": docker}
    dunders = {
        "__salt__": salt | {"packages.upgradable": plan},
        "__opts__": {"test": test},
        "__context__": {} if context is None else context,
        "__grains__": {"os_family": family},
        "__states__": {"pkg.installed": core.installed, "pkg.uptodate": core.uptodate},
    }
    vars(packages).update(dunders)
    return packages


def test_what_is_there_is_not_asked_of_core():
    core = Core()
    ret = on(lambda: {"gdisk": "1.0", "lvm2": "2"}, core).installed("tools", ["lvm2", "gdisk"])
    assert (ret["result"], ret["changes"]) == (True, {})
    assert ret["comment"] == "All packages are installed: lvm2, gdisk" + STAYS
    assert core.calls == []


def test_an_empty_list_looks_at_nothing():
    ret = on(None, Core()).installed("tools", [])
    assert (ret["result"], ret["changes"]) == (True, {})


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("left", [[], ["lvm2"]])
def test_a_package_taken_out_of_the_list_stayed_without_a_word(test, left):
    core = Core()
    have = {"gdisk": "1.0", "lvm2": "2"}
    ret = on(lambda: have, core, test=test).installed("tools", left)
    assert (ret["result"], ret["changes"], core.calls) == (True, {}, [])
    assert ret["comment"].endswith(STAYS)


def test_one_that_lacks_is_left_to_core_and_the_lists_are_fetched_once():
    core = Core()
    packages = on(lambda: {"gdisk": "1.0"}, core)
    assert packages.installed("tools", ["gdisk", "lvm2"])["comment"] == "core"
    packages.installed("more", ["xfsprogs"])
    assert core.calls == [(["gdisk", "lvm2"], True), (["xfsprogs"], False)]


LACKED = {pkg: {"old": None, "new": "installed"} for pkg in ("gdisk", "lvm2")}


@pytest.mark.parametrize("version", ["installed", "2.03.16-2"])
def test_what_comes_with_a_package_made_the_run_another_than_its_dry_run(version):
    """Core foretells names (3006) or versions (3008) and reports dependencies, too."""
    foretold = Core(None, lvm2={"old": "", "new": version}, gdisk={"old": "", "new": version})
    dry = on(dict, foretold, test=True).installed("tools", ["lvm2", "gdisk"])
    assert (dry["result"], dry["changes"], dry["comment"]) == (None, LACKED, "core" + STAYS)
    core = Core(
        lvm2={"old": "", "new": "2.03.16-2"},
        gdisk={"old": "", "new": "1.0.9-2"},
        libaio1={"old": "", "new": "0.3.113-4"},
        dmsetup={"old": "2:1.02.185-1", "new": "2:1.02.185-2"},
        sgdisk={"old": "1", "new": ""},
    )
    made = on(dict, core).installed("tools", ["lvm2", "gdisk"])
    assert (made["result"], made["changes"]) == (True, dry["changes"])
    assert made["comment"] == (
        "The package manager made: dmsetup 2:1.02.185-1 -> 2:1.02.185-2, gdisk 1.0.9-2, "
        "libaio1 0.3.113-4, lvm2 2.03.16-2, sgdisk 1 removed" + STAYS
    )


def test_an_installation_that_broke_off_reports_all_that_changed():
    changed = {"libaio1": {"old": "", "new": "0.3.113-4"}}
    ret = on(dict, Core(False, **changed)).installed("tools", ["lvm2"])
    assert (ret["result"], ret["changes"], ret["comment"]) == (False, changed, "core")


@pytest.mark.parametrize("test", [True, False])
def test_a_name_that_another_package_provides_is_no_change(test):
    ret = on(dict, Core(True), test=test).installed("tools", ["awk"])
    assert (ret["result"], ret["changes"]) == (True, {})


def test_a_dry_run_does_not_install_twice_what_two_steps_need():
    core = Core()
    packages = on(lambda: {}, core, test=True)
    packages.installed("disk", ["parted"])
    packages.installed("pool", ["parted", "lvm2"])
    again = packages.installed("again", ["parted", "lvm2"])
    assert [pkgs for pkgs, _ in core.calls] == [["parted"], ["lvm2"]]
    assert (again["result"], again["changes"]) == (True, {})


def test_a_list_that_cannot_be_read_is_a_failure():
    def broken():
        raise CommandExecutionError("dpkg-query: the database is locked")

    ret = on(broken, Core()).installed("tools", ["lvm2"])
    assert (ret["result"], ret["comment"]) == (False, "dpkg-query: the database is locked")


@pytest.mark.parametrize(
    ("wanted", "family", "calls"),
    [
        (False, "Debian", []),
        (True, "Debian", [(True, {"dist_upgrade": True})]),
        # It became `yum upgrade --dist_upgrade`, which failed.
        (True, "RedHat", [(True, {})]),
    ],
)
def test_the_upgrade_is_made_only_when_it_is_wanted(wanted, family, calls):
    core = Core()
    ret = on(None, core, family=family).upgraded("packages", wanted, "docker-ce", "1")
    assert (ret["result"], ret["changes"]) == (True, {})
    assert core.calls == calls


UPGRADED = {"tool": {"old": "1", "new": "2"}, "library": {"old": "1", "new": ""}}


def test_an_upgrade_that_removes_something_was_foretold_without_that():
    core = Core(None, tool={"old": "1", "new": "2"})
    ret = on(None, core, test=True, plan=lambda kept, coming: UPGRADED).upgraded(
        "packages", True, "docker-ce", "1"
    )
    assert (ret["result"], ret["changes"]) == (None, UPGRADED)
    assert ret["comment"] == "Packages would be upgraded; removed: library"


def test_an_upgrade_that_is_held_back_is_foretold_as_none():
    core = Core(None, tool={"old": "1", "new": "2"})
    ret = on(None, core, test=True, plan=lambda kept, coming: {}).upgraded(
        "packages", True, "docker-ce", "1"
    )
    assert (ret["result"], ret["changes"], ret["comment"]) == (True, {}, "Nothing can be upgraded")


@pytest.mark.parametrize(
    ("test", "kept", "refused"),
    [(False, None, True), (True, None, True), (True, {"docker-ce"}, False)],
)
def test_docker_that_is_not_held_was_moved_by_an_upgrade(test, kept, refused):
    core, asked = Core(None if test else True, tool={"old": "1", "new": "2"}), []

    def plan(kept, coming):
        asked.append((kept, coming))
        return UPGRADED

    context = {"packages.kept": kept} if kept else {}
    packages = on(lambda: {}, core, test, plan=plan, loose={"docker-ce": "2"}, context=context)
    packages.installed("tools", ["parted"])
    core.calls.clear()
    ret = packages.upgraded("packages", True, "docker-ce", "1")
    assert ret["result"] is (False if refused else None)
    if refused:
        assert ret["comment"] == (
            "rancher:packages:upgrade is true, and installed but not held is docker-ce 2: "
            "the upgrade would move Docker; apply docker first"
        )
        assert ret["changes"] == {} and core.calls == asked == []
    else:
        assert asked == [(["docker-ce"], ["parted"])]


def test_an_upgrade_that_cannot_be_foretold_is_a_failure():
    def broken(kept, coming):
        raise CommandExecutionError("the dry run of an upgrade was not understood, it said: x")

    core = Core(None, tool={"old": "1", "new": "2"})
    ret = on(None, core, test=True, plan=broken).upgraded("packages", True, "docker-ce", "1")
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "not understood" in ret["comment"]


class Dpkg:
    """Interrupted, until somebody completes it."""

    def __init__(self, *left):
        self.left = dict.fromkeys(left, "1")
        self.context = {"pkg.list_pkgs": {}}

    def packages(self):
        return self.left

    def finish(self):
        self.left = None


@pytest.fixture
def dpkg(state, replace):
    """An interrupted dpkg, and the state on its host."""

    def made(*left):
        dpkg = Dpkg(*left)
        replace(_packages_unfinished, packages=dpkg.packages, finish=dpkg.finish)

        def at(core, test=False):
            file = state("packages", test, __context__=dpkg.context)
            file.__context__, file.__states__ = dpkg.context, {"pkg.installed": core.installed}
            file.__salt__["pkg.list_pkgs"] = dict
            return file

        dpkg.state = at
        return dpkg

    return made


CHANGES = {"dpkg": {"old": "interrupted", "new": "completed"}}


def test_an_interrupted_dpkg_is_completed(dpkg):
    dpkg = dpkg("lvm2", "gdisk")
    ret = dpkg.state(Core()).finished("x")
    assert (ret["result"], ret["changes"], dpkg.left) == (True, CHANGES, None)
    # What Salt remembered of the packages is asked anew.
    assert dpkg.context == {}
    again = dpkg.state(Core()).finished("x")
    assert (again["result"], again["changes"]) == (True, {})


def test_a_dry_run_says_what_is_completed_and_that_it_is_there_then(dpkg):
    core, dpkg = Core(), dpkg("lvm2")
    packages = dpkg.state(core, test=True)
    ret = packages.finished("x")
    assert (ret["result"], ret["changes"], dpkg.left) == (None, CHANGES, {"lvm2": "1"})
    assert "In the middle are: lvm2" in ret["comment"]
    packages.installed("tools", ["lvm2", "gdisk"])
    assert core.calls == [(["gdisk"], True)]


class Pip:
    """Salt's `pip`: it puts modules where Python has looked already."""

    def __init__(self, folder, works=True):
        self.folder, self.works, self.calls = folder, works, []

    def install(self, pkgs):
        self.calls.append(pkgs)
        if not self.works:
            return {"retcode": 1, "stdout": "", "stderr": "ERROR: no network"}
        for pkg in pkgs:
            (self.folder / f"{pkg.partition('==')[0]}.py").touch()
        return {"retcode": 0, "stdout": "Successfully installed", "stderr": ""}


@pytest.fixture
def pip(folder, state):
    """The state with a pip that works, or not; pip's calls are in its list."""

    def made(works=True):
        pip = Pip(folder, works)
        libraries = {"json": "json==1", "made_by_the_test": "made_by_the_test==2"}
        pip.importable = lambda test=False: state(
            "packages", test, __salt__={"pip.install": pip.install}
        ).importable("sdk", libraries)
        return pip

    return made


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("made_by_the_test", None)


LIBRARY = {"made_by_the_test==2": {"old": None, "new": "installed"}}


def test_a_library_that_lacks_is_installed_and_can_be_used_at_once(pip):
    pip = pip()
    assert (pip.importable(test=True)["changes"], pip.calls) == (LIBRARY, [])
    done, again = pip.importable(), pip.importable()
    assert (done["result"], done["changes"]) == (True, LIBRARY)
    assert (again["result"], again["changes"]) == (True, {})
    assert pip.calls == [["made_by_the_test==2"]]


def test_a_python_without_pip_ended_in_a_traceback(pip, monkeypatch):
    def install(pkgs):
        raise CommandNotFoundError("Could not find a `pip` binary")

    lacking = pip()
    monkeypatch.setattr(lacking, "install", install)
    ret = lacking.importable()
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "made_by_the_test==2: missing, and there is no pip" in ret["comment"]
    assert "salt-ssh --regen-thin" in ret["comment"] and "\n" not in ret["comment"]


def test_libraries_that_pip_cannot_get_are_a_failure(pip):
    ret = pip(works=False).importable()
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "no network" in ret["comment"]
