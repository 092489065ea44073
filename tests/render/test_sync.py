"""What the pillar tells about modules and states saves questions, and hides no change."""

import contextlib
import pathlib
import shutil

import pytest
from fakes import ROOT


def sls(path, **names):
    """The names of an SLS in Python, run as Salt's renderer does."""
    names["__name__"] = path
    exec(compile((ROOT / path).read_text(), path, "exec"), names)  # noqa: S102
    return names


class Master:
    """The tree below `folder`, as a file client sees it; `asked` are the questions."""

    def __init__(self, folder):
        self.roots = [folder / "salt"]
        for kind in ("_modules", "_states"):
            shutil.copytree(ROOT / kind, folder / "salt" / kind)
        (folder / "salt/sync.sls").touch()
        self.backend = ["roots"]
        self.asked = []

    def pillar(self):
        roots = {"base": list(map(str, self.roots))}
        opts = {"file_roots": roots, "fileserver_backend": self.backend}
        return sls("pillar/modules.sls", __opts__=opts)["run"]()

    def hash_file(self, url, saltenv):
        self.asked.append(url)
        paths = (root / url.removeprefix("salt://") for root in self.roots)
        path = next(path for path in paths if path.exists())
        return {"hsum": path.read_text(), "hash_type": "plain"}


@pytest.fixture
def master(tmp_path):
    return Master(tmp_path / "master")


@pytest.fixture
def sync(master, tmp_path):
    """Run sync.sls on a minion that synced before; gives what was fetched."""
    copies = tmp_path / "extmods"

    def fetch(kind):
        shutil.rmtree(copies / kind, ignore_errors=True)
        shutil.copytree(master.roots[-1] / f"_{kind}", copies / kind)
        for root in reversed(master.roots):
            shutil.copytree(root / f"_{kind}", copies / kind, dirs_exist_ok=True)

    def run(saltenv="base", pillar=None):
        fetched, master.asked[:] = [], []
        names = sls(
            "salt/sync.sls",
            saltenv=saltenv,
            __pillar__=master.pillar() if pillar is None else pillar,
            __opts__={"hash_type": "plain", "extension_modules": str(copies)},
            __salt__={
                f"saltutil.sync_{kind}": lambda refresh, kind=kind: fetched.append(kind)
                for kind in ("modules", "states")
            },
        )
        names["get_file_client"] = lambda opts: contextlib.nullcontext(master)
        names["get_hash"] = lambda path, form: pathlib.Path(path).read_text()
        assert bool(names["run"]()) == bool(fetched)
        return fetched

    for kind in ("modules", "states"):
        fetch(kind)
    return run


def test_current_copies_cost_no_question(master, sync):
    assert sync() == [] and master.asked == []


@pytest.mark.parametrize("pillar", [{}, {"rancher_modules": {}}, {"rancher_modules": None}])
def test_a_pillar_that_does_not_tell_costs_questions_only(master, sync, pillar):
    assert sync(pillar=pillar) == [] and len(master.asked) > 50


@pytest.mark.parametrize("kind", ["modules", "states"])
def test_a_file_edited_in_place_arrives(master, sync, kind):
    with open(master.roots[0] / f"_{kind}/settings.py", "a") as file:
        file.write("\n# edited\n")
    assert sync() == [kind]
    assert sync(pillar={}) == [kind]


@pytest.mark.parametrize("pillar", [None, {}, {"rancher_modules": {"states": None}}])
def test_a_lost_copy_arrives(sync, tmp_path, pillar):
    (tmp_path / "extmods/states/settings.py").unlink()
    assert sync(pillar=pillar) == ["states"]


def test_a_root_laid_over_the_tree_counts(master, sync, tmp_path):
    over = tmp_path / "over"
    (over / "_modules").mkdir(parents=True)
    (over / "_modules/settings.py").write_text("# another one\n")
    master.roots.insert(0, over)
    assert sync() == ["modules"]


@pytest.mark.parametrize("backend", [["gitfs", "roots"], ["gitfs"]])
def test_where_other_backends_serve_files_nothing_is_told(master, backend):
    master.backend = backend
    assert master.pillar() == {}


def test_another_environment_is_not_that_of_the_pillar(master, sync):
    assert sync(saltenv="dev") == [] and len(master.asked) > 50
