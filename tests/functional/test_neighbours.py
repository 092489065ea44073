"""Where the tree is served from, in which environment, and beside what, on both lines of Salt."""

import re
import shutil
import subprocess
import zipfile

import pytest
import yaml
from fakes import ROOT

VALID = "Settings under rancher are valid"
MOTD = {"motd-written": {"test.nop": []}}


@pytest.fixture
def tree(tmp_path):
    """A copy of what is served."""
    shutil.copytree(ROOT / "salt", tmp_path / "tree")
    return tmp_path / "tree"


@pytest.fixture
def minion(tmp_path, masterless):
    """A minion that never synced, with these file roots; gives what applies SLS."""

    def make(roots, pillar=None, **config):
        (tmp_path / "pillar").mkdir()
        top = {"base": {"*": ["given"]}}
        (tmp_path / "pillar/top.sls").write_text(yaml.safe_dump(top))
        (tmp_path / "pillar/given.sls").write_text(yaml.safe_dump(pillar or {}))
        roots = {env: list(map(str, folders)) for env, folders in roots.items()}
        given = {"file_roots": roots, "pillar_roots": {"base": [str(tmp_path / "pillar")]}}
        call = masterless(**{**given, **config})

        def apply(*words, test=True):
            report = call("state.apply", *words, f"test={test}")
            assert isinstance(report, dict), report
            # What Salt says when there is nothing to do has no ID.
            return {state.get("__id__"): state for state in report.values()}

        return apply

    return make


@pytest.fixture
def shop(tmp_path):
    def make(*files):
        for name in files:
            (tmp_path / "shop" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "shop" / name).write_text(yaml.safe_dump(MOTD))
        return tmp_path / "shop"

    return make


def refusal(states):
    """The one line that a run ended with."""
    ((name, state),) = states.items()
    assert name in ("modules-served", "short-name-is-free") and state["result"] is False
    return state["name"]


def git(*words):
    argv = ["git", "-c", "user.name=t", "-c", "user.email=t@example.test", *map(str, words)]
    subprocess.run(argv, check=True, capture_output=True, timeout=60)


def bare(folder, source, name="tree"):
    """A bare repository whose one commit on main holds `source` as `salt`."""
    work = folder / f"{name}.work"
    shutil.copytree(source, work / "salt")
    git("init", "-q", "-b", "main", work)
    return pushed(work, folder / f"{name}.git")


def pushed(work, repository):
    """Commit all of the work tree on its branch, and bring that into the bare repository."""
    git("-C", work, "add", "-A")
    git("-C", work, "commit", "-q", "-m", "a change")
    if not repository.exists():
        git("init", "-q", "--bare", "-b", "main", repository)
    git("-C", work, "push", "-q", repository, "HEAD")
    return repository


# Copies of the tree.


def by_cp(folder):
    shutil.copytree(ROOT / "salt", folder / "salt", symlinks=True)
    return folder / "salt"


def by_clone_without_links(folder):
    repository = bare(folder, ROOT / "salt")
    git("clone", "-q", "-c", "core.symlinks=false", repository, folder / "clone")
    return folder / "clone/salt"


def by_zip(folder):
    with zipfile.ZipFile(folder / "tree.zip", "w") as archive:
        for path in (ROOT / "salt").rglob("*"):
            archive.write(path, path.relative_to(ROOT))
    with zipfile.ZipFile(folder / "tree.zip") as archive:
        archive.extractall(folder / "unzipped")
    return folder / "unzipped/salt"


def by_tarball(folder):
    shutil.make_archive(folder / "tree", "gztar", ROOT, "salt")
    shutil.unpack_archive(folder / "tree.tar.gz", folder / "unpacked", filter="data")
    return folder / "unpacked/salt"


@pytest.mark.parametrize("copy", [by_cp, by_clone_without_links, by_zip, by_tarball])
def test_a_copy_lost_its_modules(minion, tmp_path, copy):
    apply = minion({"base": [copy(tmp_path)]})
    assert apply("rancher_salt.settings")["settings-checked"]["comment"] == VALID


# Environments.


def test_an_environment_that_is_not_base(minion, tree):
    apply = minion({"prod": [tree]}, {"rancher": {"roles": ["common"]}})
    states = apply("rancher_salt.settings", "saltenv=prod")
    assert states["settings-checked"]["comment"] == VALID
    assert "swap-file-active" in apply("saltenv=prod")


def test_each_environment_has_its_own_modules(minion, tree, tmp_path):
    shutil.copytree(tree, tmp_path / "old")
    face = tmp_path / "old/_modules/settings.py"
    face.write_text(face.read_text().replace("are valid", "are as good as last month"))
    apply = minion({"base": [tmp_path / "old"], "prod": [tree]})
    for env, words in (("prod", "are valid"), ("base", "are as good as last month")) * 2:
        states = apply("rancher_salt.settings", f"saltenv={env}")
        assert states["settings-checked"]["comment"] == f"Settings under rancher {words}"


def test_two_environments_with_the_tree(minion, masterless, tree, tmp_path):
    """Nobody said which is the minion's: nothing is done, and README has that message."""
    roots, pillar = {"base": [tree], "prod": [tree]}, {"rancher": {"roles": ["common"]}}
    with pytest.raises(AssertionError, match="Detected conflicting IDs"):
        minion(roots, pillar)()
    assert "Detected conflicting IDs" in (ROOT / "README.md").read_text()
    roots = {env: [str(tree)] for env in roots}
    pillars = {"base": [str(tmp_path / "pillar")]}
    for env in roots:
        call = masterless(tmp_path / env, file_roots=roots, pillar_roots=pillars, saltenv=env)
        report = call("state.apply", "test=True")
        assert "swap-file-active" in {state["__id__"] for state in report.values()}, report


@pytest.mark.parametrize("test", [True, False])
def test_an_environment_without_the_modules(minion, tree, test):
    """The sync said "Success!", and the run then that a state was not found."""
    shutil.rmtree(tree / "_modules")
    apply = minion({"prod": [tree]})
    words = refusal(apply("rancher_salt.common", "saltenv=prod", test=test))
    assert words.startswith("environment 'prod' of this run has no salt://_modules/_boot_files.py")


def test_an_orchestration_of_an_environment_that_is_not_base(runner, tree, shop):
    """Its preview found no runner; and the sync deleted what a shop has in base only."""
    name = "_runners/of_the_shop.py"
    (shop(name) / name).write_text("def here():\n    return 'still here'\n")
    roots = {"base": [str(shop())], "prod": [str(tree)]}
    run = runner(file_roots=roots)
    run("saltutil.sync_runners")
    for sls, words in (("deploy", ["test=True"]), ("sync", [])):
        answer = run("state.orchestrate", f"orch.{sls}", "saltenv=prod", *words)
        ((_, states),) = answer["data"].items()
        assert all(state["result"] for state in states.values()), states
        assert run("of_the_shop.here") == "still here"
        if words:
            (preview,) = states.values()
            assert preview["comment"] == "no minion is known that matches '*'"


# The pillar decides who gets anything.


@pytest.mark.parametrize(
    ("pillar", "gets"),
    [({}, False), ({"rancher": {"roles": []}}, False), ({"rancher": {"roles": ["common"]}}, True)],
    ids=repr,
)
def test_a_highstate_gives_something_to_a_host_with_a_role_only(minion, tree, pillar, gets):
    assert ("swap-file-active" in minion({"base": [tree]}, pillar)()) is gets


# Beside a shop's own tree.


def test_the_shops_root_first(minion, tree, shop):
    """Its common was part of our server."""
    apply = minion({"base": [shop("common.sls", "docker/init.sls"), tree]})
    assert list(apply("common")) == ["motd-written"]
    for name in ("server", "rancher_salt.server"):
        states = apply(name)
        assert "motd-written" not in states and "swap-file-active" in states
        assert "docker-daemon-running" in states


def test_our_root_first_took_the_shops_names_without_a_word(minion, tree, shop):
    pillar = {"rancher_modules": {"base": {"twice": ["common.sls"]}}}
    apply = minion({"base": [tree, shop("common.sls")]}, pillar)
    assert "salt://common.sls of another tree has the short name common" in refusal(apply("common"))
    assert "swap-file-active" in apply("rancher_salt.common")


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("first", ["tree", "shop"])
def test_an_init_sls_of_the_shop_was_ignored(minion, tree, shop, first, test):
    roots = {"tree": tree, "shop": shop("common/init.sls")}
    apply = minion({"base": [roots.pop(first), *roots.values()]})
    assert "salt://common/init.sls of another tree" in refusal(apply("common", test=test))


def test_a_module_of_the_shop_has_the_name_of_ours(minion, tree, shop):
    (shop("_modules/settings.py") / "_modules/settings.py").write_text("def get():\n    return 1\n")
    apply = minion({"base": [shop(), tree]})
    assert "salt://_modules/settings.py in environment 'base'" in refusal(apply("server"))


# GitFS.


def gitfs(remotes):
    return {
        "fileserver_backend": ["roots", "gitfs"],
        "gitfs_provider": "gitpython",
        "gitfs_base": "main",
        "gitfs_remotes": remotes,
    }


def test_gitfs(minion, tmp_path):
    config = gitfs([{f"file://{bare(tmp_path, ROOT / 'salt')}": [{"root": "salt"}]}])
    apply = minion({"base": []}, {"rancher": {"roles": ["common"]}}, **config)
    assert apply("rancher_salt.settings")["settings-checked"]["comment"] == VALID
    assert "swap-file-active" in apply()


def test_gitfs_below_a_mountpoint_beside_a_shop_that_has_every_short_name(minion, tmp_path, shop):
    url = f"file://{bare(tmp_path, ROOT / 'salt')}"
    remotes = [
        {url: [{"name": name}, {"root": f"salt/{name}"}, {"mountpoint": f"salt://{name}"}]}
        for name in ("rancher_salt", "_modules", "_states")
    ]
    names = ["common.sls", "docker.sls", "server.sls", "agent.sls"]
    apply = minion({"base": [shop(*names)]}, **gitfs(remotes))
    assert list(apply("common")) == ["motd-written"]
    states = apply("rancher_salt.server")
    assert "motd-written" not in states and "swap-file-active" in states


# The pillar, from Git.


def readmes_git(**urls):
    """The configuration that README gives to a master that takes everything from Git."""
    block = next(
        block
        for block in re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
        if "git_pillar_base" in block
    )
    for name, repository in urls.items():
        url = f"https://git.example.com/{name.replace('_', '-')}.git"
        assert url in block
        block = block.replace(url, f"file://{repository}")
    assert "git.example.com" not in block
    return yaml.safe_load(block)


@pytest.fixture
def shipped(tmp_path):
    """README's configuration, with a repository of the pillar that has the branches main and prod."""
    work = tmp_path / "settings.work"
    shutil.copytree(ROOT / "pillar", work / "pillar")
    git("init", "-q", "-b", "main", work)
    # Not in `pillar`: what no minion may read.
    (work / "top.sls").write_text("{{ saltenv }}: {'*': [nothing]}\n")
    top = work / "pillar/top.sls"
    told = "\n  node1:\n    - mine\n"
    top.write_text(top.read_text() + told)
    for env, ram in (("main", "512M"), ("prod", "2G")):
        given = {"rancher": {"roles": ["common"], "swap": {"size": ram}}}
        (work / "pillar/mine.sls").write_text(yaml.safe_dump(given))
        repository = pushed(work, tmp_path / "settings.git")
        if env == "main":
            git("-C", work, "checkout", "-q", "-b", "prod")
    source = bare(tmp_path, ROOT / "salt")
    git("-C", tmp_path / "tree.work", "checkout", "-q", "-b", "prod")
    (tmp_path / "tree.work/salt/of_prod").write_text("")
    pushed(tmp_path / "tree.work", source)
    return readmes_git(rancher_salt=source, your_pillar=repository)


@pytest.mark.parametrize(("env", "size"), [("base", "512M"), ("prod", "2G")])
def test_a_master_compiles_the_pillar_of_each_branch(runner, shipped, env, size):
    found = runner(**shipped)("pillar.show_pillar", "node1", f"pillarenv={env}")
    assert "_errors" not in found, found
    assert found["rancher"]["roles"] == ["common"] and found["rancher"]["swap"]["size"] == size


@pytest.mark.parametrize(("env", "size"), [("base", "512M"), ("prod", "2G")])
def test_tree_and_pillar_of_a_branch(minion, shipped, env, size):
    """Everything of the minion comes from the branch of its environment, a highstate as well."""
    of_branch = {"saltenv": env, "pillarenv_from_saltenv": True}
    apply = minion({}, pillar_roots={}, **shipped, **of_branch)
    for words in ((), ("rancher_salt.common.swap",)):
        states = apply(*words)
        assert states["settings-checked"]["comment"] == VALID
        assert states["swap-file-active"]["changes"]["file"]["new"] == size
