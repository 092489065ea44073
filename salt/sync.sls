#!py
"""
The minion holds this tree's current modules and states, at first contact and in a dry run, too.

`state.apply <name>` does not sync by itself, and core's sync states answer "would sync"
in every dry run, which then lacks our states. So copies that are missing or older than the
tree are fetched here, into Salt's own cache, and one state makes the run load them; on a
minion that is up to date nothing is rendered.
"""

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
        hostname hostsfile lvmreport pooladvice poolgrow poolguard poolmake poolplan poolprobe
        poolsize port_use rancher rancher_account rancher_agent rancher_agent_host
        rancher_agent_plan rancher_api rancher_bootstrap rancher_data rancher_database
        rancher_fit rancher_host rancher_http rancher_match rancher_member rancher_mysql
        rancher_script rancher_server rancher_site rancher_swap rancher_wait selinux_mode
        settings swapfile swapmake swapplan thinpool unfinished
    """.split(),
    "states": """
        conntrack datadisk docker_daemon docker_group docker_leftovers docker_package
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
    with get_file_client(__opts__) as client:
        return [kind for kind, names in FILES.items() if not _current(client, kind, names)]


def _current(client, kind, names):
    return all(
        client.hash_file(f"salt://_{kind}/{name}.py", saltenv) == _own_hash(kind, name)
        for name in names
    )


def _own_hash(kind, name):
    """The hash of the copy that the loader would take, in the shape that the file client gives."""
    folders = [os.path.join(folder, f"_{kind}") for folder in __opts__.get("module_dirs") or []]
    folders.append(os.path.join(__opts__["extension_modules"], kind))
    for folder in folders:
        path = os.path.join(folder, f"{name}.py")
        if os.path.isfile(path):
            form = __opts__["hash_type"]
            return {"hsum": get_hash(path, form), "hash_type": form}
    return {}
