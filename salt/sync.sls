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
        bootconf capacity conntrack conntrack_host conntrack_plan converge datadisk dataplan
        diskmake diskprobe diskread diskrules disktable diskuse docker_change docker_config
        docker_daemon docker_engine docker_flags docker_group docker_leftovers docker_package
        docker_pull docker_repository docker_service docker_storage docker_version fstab host
        hostname hostsfile lvmreport pooladvice poolbegun poolgrow poolguard poolmake poolplan
        poolprobe poolsize port_use rancher rancher_account rancher_agent rancher_agent_host
        rancher_agent_plan rancher_api rancher_bootstrap rancher_data rancher_database
        rancher_fit rancher_host rancher_http rancher_match rancher_member rancher_mysql
        rancher_script rancher_server rancher_site rancher_swap rancher_wait selinux_mode
        settings swapfile swapmake swapplan thinpool unfinished upgradeplan
    """.split(),
    "states": """
        conntrack ctop datadisk docker_daemon docker_group docker_leftovers docker_package
        docker_repository hostname packages rancher rancher_database rancher_member selinux_mode
        settings swapfile thinpool
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
