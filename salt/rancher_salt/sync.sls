#!py
"""
The minion holds this tree's current modules and states, at first contact and in a dry run, too.

`state.apply <name>` does not sync by itself, and core's sync states answer "would sync"
in every dry run, which then lacks our states. So copies that are missing or older than the
tree are fetched here, into Salt's own cache, and one state makes the run load them; on a
minion that is up to date nothing is rendered. pillar/modules.sls saves the questions about each
file; without it, or when it says something else, each file is asked about.

The modules are those of the environment of the run. When they cannot be had, the run ends here
with one line.
"""

import hashlib
import os

from salt.fileclient import get_file_client
from salt.utils.hashutils import get_hash

# What our modules need; this file itself is read by Python 3.7, too.
PYTHON = [3, 10]
OURS = "rancher_salt."
# Every file of _modules and _states; tests/test_tree.py compares.
FILES = {
    "modules": """
        _boot_files _cloud_init _conntrack_host _conntrack_plan _conntrack_size _converge
        _database_client _datadisk _datadisk_make _datadisk_plan _disk _disk_blank _disk_kernel
        _disk_make _disk_marks _disk_read _disk_refusals _disk_table _disk_users _docker_change
        _docker_config _docker_containers _docker_daemon_json _docker_data _docker_drop_in
        _docker_engine _docker_fit _docker_flags _docker_group _docker_leftovers _docker_package
        _docker_proxy _docker_pull _docker_repository _docker_service _docker_storage _docker_unit
        _docker_version _fresh _fstab _host _hostname _hosts_file _lvm _lvm_backup
        _packages_unfinished _packages_upgrade _port_use _rancher_agent _rancher_agent_bootstrap
        _rancher_agent_cgroup _rancher_agent_host _rancher_agent_look _rancher_agent_match
        _rancher_agent_plan _rancher_agent_script _rancher_api _rancher_database
        _rancher_database_account _rancher_database_grants _rancher_host _rancher_http
        _rancher_member _rancher_project _rancher_registration _rancher_role _rancher_server_alive
        _rancher_server_data _rancher_server_fit _rancher_server_plan _rancher_server_replace
        _rancher_server_wait _selinux_mode _settings _swapfile _swapfile_make _swapfile_plan
        _systemd_unit _thinpool _thinpool_extend _thinpool_look _thinpool_make _thinpool_plan
        _thinpool_profile _thinpool_refusals _thinpool_size capacity conntrack datadisk
        docker_containers docker_daemon docker_drop_in docker_group docker_leftovers docker_package
        docker_proxy docker_repository hostname packages rancher rancher_database rancher_host
        rancher_member selinux_mode settings swapfile thinpool
    """.split(),
    "states": """
        conntrack ctop datadisk docker_daemon docker_drop_in docker_group docker_leftovers docker_package
        docker_proxy docker_repository hostname packages rancher rancher_database rancher_member
        selinux_mode settings swapfile thinpool
    """.split(),
}
# A file of another tree that has the name of one of ours lacks this. {} is its name.
MARKS = {"modules": "from _fresh import checked", "states": '__salt__["{}.'}
# By its nature without the mark.
UNMARKED = ("ctop",)


def run():
    if _old_python():
        return _end(_old_python())
    if "__master_opts__" in __opts__:
        # salt-ssh renders on the master and sends the modules with the run.
        return _end(_mixed_by_salt_ssh())
    stale = _stale()
    for kind in stale:
        # As a highstate would; with base, or what is only there would be deleted. The reload
        # below makes them visible; a refresh here costs a second.
        envs = list(dict.fromkeys(["base", saltenv]))
        __salt__[f"saltutil.sync_{kind}"](saltenv=envs, refresh=False)
    problem = _still_stale(stale) if stale else None
    problem = problem or _foreign()
    if problem:
        return _end(problem)
    if not stale:
        return {}
    return {"modules-reloaded": {"test.nop": [{"reload_modules": True}, {"order": 1}]}}


def _old_python():
    version = [*__grains__.get("pythonversion", PYTHON)][:2]
    if version >= PYTHON:
        return None
    return (
        f"this host's Salt runs on Python {version[0]}.{version[1]}, and this tree needs "
        f"{PYTHON[0]}.{PYTHON[1]} or newer: install Salt's own packages, which bring theirs, or "
        "over salt-ssh name another Python in the roster's `set_path` (README.md, "
        '"Onto a bare host")'
    )


def _end(problem):
    """
    A run that ends with one line; nothing at all without a problem. In a dry run Salt is deaf to
    failhard, so our other states are taken out.
    """
    if not problem:
        return {}
    names = [name for name in __salt__["cp.list_states"](saltenv) if name.startswith(OURS)]
    ours = [{"sls": name} for name in names if name != "rancher_salt.sync"]
    words = [{"name": problem}, {"order": 1}, {"failhard": True}]
    return {"modules-served": {"test.fail_without_changes": words}, "exclude": ours}


def _stale():
    kinds = _unlike_told(FILES)
    if not kinds:
        return []
    with get_file_client(__opts__) as client:
        return [kind for kind in kinds if not all(_current(client, *each) for each in _each(kind))]


def _unlike_told(kinds):
    """The kinds whose copies are not what the pillar says, or of which it says nothing."""
    told = (__pillar__.get("rancher_modules") or {}).get(saltenv) or {}
    return [kind for kind in kinds if not told.get(kind) or told[kind] != _digest(kind)]


def _each(*kinds):
    return [(kind, name) for kind in kinds for name in FILES[kind]]


def _digest(kind):
    """As in pillar/modules.sls; None when a copy is missing."""
    digest = hashlib.sha256()
    for path in (_own(kind, name) for name in FILES[kind]):
        if not path:
            return None
        with open(path, "rb") as copy:
            digest.update(hashlib.sha256(copy.read()).digest())
    return digest.hexdigest()


def _current(client, kind, name):
    """Whether the copy has the hash that the master gives."""
    path, served = _own(kind, name), _served(client, kind, name)
    return bool(path and served) and get_hash(path, served["hash_type"]) == served["hsum"]


def _served(client, kind, name, env=None):
    """The master's answer: a dict with hsum and hash_type; empty when it serves no such file."""
    answer = client.hash_file(_url(kind, name), env or saltenv) or {}
    # GitFS gives bytes from its second answer on.
    return {key: getattr(value, "decode", lambda v=value: v)() for key, value in answer.items()}


def _url(kind, name):
    return f"salt://_{kind}/{name}.py"


def _still_stale(kinds):
    """After the sync: one line about what is missing, or None."""
    kinds = _unlike_told(kinds)
    if not kinds:
        return None
    with get_file_client(__opts__) as client:
        wrong = [each for each in _each(*kinds) if not _current(client, *each)]
        missing = [each for each in wrong if not _served(client, *each)]
    if missing:
        return (
            f"environment {saltenv!r} of this run has no {_some(missing)}: "
            f"serve the tree's folder salt whole there, in file_roots or as GitFS with `root: salt`"
        )
    if wrong:
        return (
            f"this minion's copy of {_some(wrong)} is another one than environment {saltenv!r} of "
            f"this run serves, also after the sync. Usual reasons: the master lists new files "
            f"only after {__opts__.get('fileserver_list_cache_time', 20)} s (then run it again), "
            f"extmod_whitelist or extmod_blacklist, or other copies in module_dirs "
            f"({_own(*wrong[0]) or 'no copy at all'})"
        )
    return None


def _some(files):
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return _url(*files[0]) + more


def _foreign():
    """One line about a file of another tree under the name of one of ours, or None."""
    for kind, name in _each(*FILES):
        if name.startswith("_") or name in UNMARKED:
            continue
        with open(_own(kind, name), encoding="utf-8") as copy:
            if MARKS[kind].format(name) not in copy.read():
                return (
                    f"{_url(kind, name)} in environment {saltenv!r} is of another tree, and this "
                    f"tree has a file of that name; rename it, or serve this tree's folder first"
                )
    return None


def _mixed_by_salt_ssh():
    """salt-ssh sends the modules of the last environment that has them, whatever the run's is."""
    with get_file_client({**__opts__["__master_opts__"], "file_client": "local"}) as client:
        envs = client.envs()
        if len(envs) < 2:
            return None
        for kind, name in _each(*FILES):
            served = [(env, _served(client, kind, name, env)) for env in envs]
            served = [(env, answer) for env, answer in served if answer]
            mine = dict(served).get(saltenv)
            if not mine or served[-1][1] != mine:
                sent = served[-1][0] if served else None
                return (
                    f"salt-ssh sends {_url(kind, name)} of environment {sent!r} with this run, "
                    f"which is of {saltenv!r} and needs another one; over salt-ssh, serve the tree "
                    f"in one environment only"
                )
    return None


def _own(kind, name):
    """The copy that the loader would take, or None."""
    folders = [os.path.join(folder, f"_{kind}") for folder in __opts__.get("module_dirs") or []]
    folders.append(os.path.join(__opts__["extension_modules"], kind))
    paths = (os.path.join(folder, f"{name}.py") for folder in folders)
    return next(filter(os.path.isfile, paths), None)
