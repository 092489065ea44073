#!py
"""
The minion holds this tree's current modules and states, at first contact and in a dry run, too.

`state.apply <name>` does not sync by itself, and core's sync states answer "would sync"
in every dry run, which then lacks our states. So copies that are missing or older than the
tree are fetched here, into Salt's own cache, and one state makes the run load them; on a
minion that is up to date nothing is rendered. pillar/modules.sls saves the questions about each
file; without it, or when it says something else, each file is asked about.
"""

import hashlib
import os

from salt.fileclient import get_file_client
from salt.utils.hashutils import get_hash

# Every file of _modules and _states; tests/test_tree.py compares.
FILES = {
    "modules": """
        _boot_files _cloud_init _conntrack _conntrack_host _conntrack_plan _converge _database_client
        _datadisk _datadisk_plan _disk _disk_blank _disk_kernel _disk_make _disk_marks _disk_read _disk_refusals
        _disk_table _docker_change _docker_config _docker_containers _docker_daemon
        _docker_drop_in _docker_engine
        _docker_flags _docker_group _docker_leftovers _docker_package _docker_pull
        _docker_repository _docker_service _docker_storage _docker_version _fresh _fstab
        _host _hostname _hosts_file _lvm _packages_unfinished _packages_upgrade _port_use
        _rancher _rancher_agent _rancher_agent_bootstrap _rancher_agent_cgroup _rancher_agent_host
        _rancher_agent_match _rancher_agent_plan _rancher_agent_script _rancher_api _rancher_database _rancher_database_account _rancher_host _rancher_http
        _rancher_member _rancher_server _rancher_server_data _rancher_server_fit
        _rancher_server_replace _rancher_server_wait _selinux_mode _settings _swapfile
        _swapfile_make _swapfile_plan _thinpool _thinpool_advice _thinpool_extend
        _thinpool_interrupted _thinpool_look _thinpool_make _thinpool_plan _thinpool_profile
        _thinpool_refusals _thinpool_size capacity conntrack datadisk docker_containers docker_daemon
        docker_drop_in docker_group docker_leftovers docker_package docker_repository hostname packages
        rancher rancher_database rancher_host rancher_member selinux_mode settings swapfile
        thinpool
    """.split(),
    "states": """
        conntrack ctop datadisk docker_daemon docker_drop_in docker_group docker_leftovers docker_package
        docker_repository hostname packages rancher rancher_database rancher_member
        selinux_mode settings swapfile thinpool
    """.split(),
}


def run():
    stale = [] if _travels_along() else _stale()
    for kind in stale:
        # As a highstate would. The reload below makes them visible; a refresh here costs a second.
        __salt__[f"saltutil.sync_{kind}"](refresh=False)
    if not stale:
        return {}
    return {"modules-reloaded": {"test.nop": [{"reload_modules": True}, {"order": 1}]}}


def _travels_along():
    # salt-ssh renders on the master and sends the modules with the run.
    return "__master_opts__" in __opts__


def _stale():
    told = __pillar__.get("rancher_modules") or {} if saltenv == "base" else {}
    kinds = [
        kind
        for kind, names in FILES.items()
        if not told.get(kind) or told[kind] != _digest(kind, names)
    ]
    if not kinds:
        return []
    with get_file_client(__opts__) as client:
        return [kind for kind in kinds if not _current(client, kind, FILES[kind])]


def _digest(kind, names):
    """As in pillar/modules.sls; None when a copy is missing."""
    digest = hashlib.sha256()
    for path in (_own(kind, name) for name in names):
        if not path:
            return None
        with open(path, "rb") as copy:
            digest.update(hashlib.sha256(copy.read()).digest())
    return digest.hexdigest()


def _current(client, kind, names):
    """Whether the copies have the hashes that the master gives, in the shape of its answer."""
    form = __opts__["hash_type"]
    return all(
        (path := _own(kind, name))
        and client.hash_file(f"salt://_{kind}/{name}.py", saltenv)
        == {"hsum": get_hash(path, form), "hash_type": form}
        for name in names
    )


def _own(kind, name):
    """The copy that the loader would take, or None."""
    folders = [os.path.join(folder, f"_{kind}") for folder in __opts__.get("module_dirs") or []]
    folders.append(os.path.join(__opts__["extension_modules"], kind))
    paths = (os.path.join(folder, f"{name}.py") for folder in folders)
    return next(filter(os.path.isfile, paths), None)
