"""What the pillar tells about modules and states saves questions, and hides no change."""

import ast
import contextlib
import pathlib
import shutil

import pytest
from fakes import ROOT

STEPS = ("common.swap", "sync")
SYNC, PILLAR = "salt/rancher_salt/sync.sls", "pillar/modules.sls"


def sls(path, **names):
    """The names of an SLS in Python, run as Salt's renderer does."""
    names["__name__"] = path
    exec(compile((ROOT / path).read_text(), path, "exec"), names)  # noqa: S102
    return names


class Master:
    """The tree in environment base, as a file client sees it; `asked` are the questions."""

    def __init__(self, folder):
        self.folder = folder
        self.roots = {"base": [self.tree("base")]}
        self.backend = ["roots"]
        self.asked = []
        self.bytes = False

    def tree(self, name):
        for kind in ("_modules", "_states"):
            shutil.copytree(ROOT / "salt" / kind, self.folder / name / kind)
        (self.folder / name / "rancher_salt").mkdir()
        (self.folder / name / "rancher_salt/sync.sls").touch()
        return self.folder / name

    def pillar(self):
        roots = {env: list(map(str, folders)) for env, folders in self.roots.items()}
        opts = {"file_roots": roots, "fileserver_backend": self.backend}
        return sls(PILLAR, __opts__=opts)["run"]()

    def envs(self):
        return list(self.roots)

    def find(self, name, saltenv):
        return next(
            (path for root in self.roots.get(saltenv, []) if (path := root / name).is_file()), None
        )

    def hash_file(self, url, saltenv):
        self.asked.append(url)
        path = self.find(url.removeprefix("salt://"), saltenv)
        answer = path and (path.read_bytes() if self.bytes else path.read_text())
        return {"hsum": answer, "hash_type": "plain"} if path else {}


@pytest.fixture
def master(tmp_path):
    return Master(tmp_path / "master")


class Minion:
    """It synced before; `run` renders sync.sls, `fetched` what that made it fetch."""

    python = [3, 10, 4, "final", 0]

    def __init__(self, master, copies):
        self.master, self.copies, self.fetched, self.deaf = master, copies, [], False
        for kind in ("modules", "states"):
            self.fetch(kind, ["base"])

    def fetch(self, kind, saltenv, refresh=False):
        self.fetched.append(kind)
        if self.deaf:
            return
        shutil.rmtree(self.copies / kind, ignore_errors=True)
        (self.copies / kind).mkdir(parents=True)
        for env in saltenv:
            for root in reversed(self.master.roots.get(env, [])):
                if (root / f"_{kind}").exists():
                    shutil.copytree(root / f"_{kind}", self.copies / kind, dirs_exist_ok=True)

    def run(self, saltenv="base", pillar=None, **opts):
        self.fetched[:], self.master.asked[:] = [], []
        names = sls(
            SYNC,
            saltenv=saltenv,
            __grains__={"pythonversion": self.python},
            __pillar__=self.master.pillar() if pillar is None else pillar,
            __opts__={"extension_modules": str(self.copies), **opts},
            __salt__={
                f"saltutil.sync_{kind}": lambda saltenv, refresh, kind=kind: self.fetch(
                    kind, saltenv
                )
                for kind in ("modules", "states")
            }
            | {"cp.list_states": lambda saltenv: ["motd", *map("rancher_salt.{}".format, STEPS)]},
        )
        names["get_file_client"] = lambda opts: contextlib.nullcontext(self.master)
        names["get_hash"] = lambda path, form: pathlib.Path(path).read_text()
        return names["run"]()

    def sync(self, **more):
        """What it fetched, in a run that goes on."""
        assert list(self.run(**more)) == (["modules-reloaded"] if self.fetched else [])
        return list(self.fetched)

    def refused(self, **more):
        """The line with which the run ends."""
        made = self.run(**more)
        assert made.pop("exclude") == [{"sls": "rancher_salt.common.swap"}]
        ((key, state),) = made.items()
        (name, *rest) = state["test.fail_without_changes"]
        assert key == "modules-served" and rest == [{"order": 1}, {"failhard": True}]
        assert "\n" not in name["name"]
        return name["name"]


@pytest.fixture
def minion(master, tmp_path):
    return Minion(master, tmp_path / "extmods")


def test_current_copies_cost_no_question(master, minion):
    assert minion.sync() == [] and master.asked == []


@pytest.mark.parametrize("pillar", [{}, {"rancher_modules": {}}, {"rancher_modules": None}])
def test_a_pillar_that_does_not_tell_costs_questions_only(master, minion, pillar):
    assert minion.sync(pillar=pillar) == [] and len(master.asked) > 50


def test_gitfs_gives_its_hashes_as_bytes(master, minion):
    """Every run fetched everything anew."""
    master.bytes = True
    assert minion.sync(pillar={}) == []


@pytest.mark.parametrize("kind", ["modules", "states"])
def test_a_file_edited_in_place_arrives(master, minion, kind):
    with open(master.roots["base"][0] / f"_{kind}/settings.py", "a") as file:
        file.write("\n# edited\n")
    assert minion.sync() == [kind]
    assert minion.sync() == [] and minion.sync(pillar={}) == []


@pytest.mark.parametrize(
    "pillar", [None, {}, {"rancher_modules": {"base": {"states": None}}}], ids=repr
)
def test_a_lost_copy_arrives(minion, pillar):
    (minion.copies / "states/settings.py").unlink()
    assert minion.sync(pillar=pillar) == ["states"]


def test_a_root_laid_over_the_tree_counts(master, minion, tmp_path):
    over = tmp_path / "over"
    (over / "_modules").mkdir(parents=True)
    text = (ROOT / "salt/_modules/settings.py").read_text()
    (over / "_modules/settings.py").write_text(f"{text}\n# another one\n")
    master.roots["base"].insert(0, over)
    assert minion.sync() == ["modules"]


@pytest.mark.parametrize("backend", [["gitfs", "roots"], ["gitfs"]])
def test_where_other_backends_serve_files_nothing_is_told(master, backend):
    master.backend = backend
    assert master.pillar() == {}


# Environments.


def edited(folder):
    path = folder / "_modules/settings.py"
    path.write_text(path.read_text() + "\n# of this environment\n")
    return path.read_text()


def test_new_states_ran_with_the_modules_of_another_environment(master, minion):
    master.roots["prod"] = [master.tree("prod")]
    text = edited(master.roots["prod"][0])
    assert minion.sync(saltenv="prod") == ["modules"]
    assert (minion.copies / "modules/settings.py").read_text() == text
    assert minion.sync(saltenv="prod") == [] and master.asked == []
    assert minion.sync(saltenv="base") == ["modules"]


def test_an_environment_alone(master, minion):
    master.roots = {"prod": master.roots["base"]}
    assert minion.sync(saltenv="prod") == [] and master.asked == []
    (minion.copies / "modules/_host.py").unlink()
    assert minion.sync(saltenv="prod") == ["modules"]


def test_what_is_only_in_base_stays(master, minion):
    (master.roots["base"][0] / "_modules/shops_own.py").touch()
    master.roots["prod"] = [master.tree("prod")]
    edited(master.roots["prod"][0])
    minion.sync(saltenv="prod")
    assert (minion.copies / "modules/shops_own.py").exists()


# Modules that cannot be had.


def test_an_environment_without_modules_ends_in_one_line(master, minion):
    # It said "Success!", and then that some state was not found.
    shutil.rmtree(minion.copies)
    master.roots["prod"] = [master.tree("prod")]
    shutil.rmtree(master.roots["prod"][0] / "_states")
    master.roots["base"] = []
    assert minion.refused(saltenv="prod", pillar={}).startswith(
        "environment 'prod' of this run has no salt://_states/conntrack.py and "
    )


def test_a_copy_that_stays_old_ends_in_one_line(master, minion):
    edited(master.roots["base"][0])
    minion.deaf = True
    line = minion.refused()
    assert line.startswith("this minion's copy of salt://_modules/settings.py is another one than")
    assert "extmod_whitelist" in line and str(minion.copies) in line


@pytest.mark.parametrize("kind", ["modules", "states"])
def test_a_shops_own_module_of_the_same_name_ends_in_one_line(master, minion, tmp_path, kind):
    (tmp_path / f"shop/_{kind}").mkdir(parents=True)
    (tmp_path / f"shop/_{kind}/settings.py").write_text("def get():\n    return 1\n")
    master.roots["base"].insert(0, tmp_path / "shop")
    for _ in range(2):
        assert minion.refused().startswith(
            f"salt://_{kind}/settings.py in environment 'base' is of another tree"
        )


def test_every_file_of_this_tree_has_its_mark(minion):
    assert minion.run() == {}


def test_a_first_contact_asks_about_no_file_that_the_pillar_tells(master, minion):
    shutil.rmtree(minion.copies)
    assert minion.sync() == ["modules", "states"]
    assert len(master.asked) == 2


# salt-ssh.


def test_over_salt_ssh_one_environment_is_right(master, minion):
    assert minion.run(pillar={}, __master_opts__={}) == {}


def test_over_salt_ssh_the_modules_of_another_environment_end_in_one_line(master, minion):
    master.roots["prod"] = [master.tree("prod")]
    assert minion.run(pillar={}, __master_opts__={}) == {}
    edited(master.roots["prod"][0])
    assert minion.run(saltenv="prod", pillar={}, __master_opts__={}) == {}
    line = minion.refused(pillar={}, __master_opts__={})
    assert line.startswith("salt-ssh sends salt://_modules/settings.py of environment 'prod'")


# Short names that a shop has, too.


def test_the_pillar_tells_which_short_names_are_there_twice(master, tmp_path):
    short = "{% include 'rancher_salt/short.jinja' %}\n"
    tree = {"common.sls": short, "common/swap.sls": short, "docker.sls": short, "top.sls": "a"}
    shop = {"common.sls": "x", "common/swap.sls": "x", "docker.sls": short, "top.sls": "b"}
    for root, files in ((master.roots["base"][0], tree), (tmp_path / "shop", shop)):
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
    master.roots["base"].append(tmp_path / "shop")
    assert master.pillar()["rancher_modules"]["base"]["twice"] == ["common.sls", "common/swap.sls"]


@pytest.mark.parametrize("ssh", [False, True])
@pytest.mark.parametrize("python", [[2, 7, 5], [3, 6, 8], [3, 9, 18]])
def test_a_python_that_cannot_run_the_tree_ended_in_a_traceback_of_a_library(minion, python, ssh):
    minion.python = python
    opts = {"__master_opts__": {}} if ssh else {}
    line = minion.refused(**opts)
    assert f"runs on Python {python[0]}.{python[1]}, and this tree needs 3.10 or newer" in line
    assert minion.fetched == []


def test_the_file_that_says_so_is_read_by_such_a_python():
    ast.parse((ROOT / SYNC).read_text(), feature_version=(3, 7))
