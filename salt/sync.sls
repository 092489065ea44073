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
    "modules": ["converge", "host", "settings"],
    "states": ["settings"],
}


def run():
    stale = [] if _travels_along() else [kind for kind in FILES if _is_stale(kind)]
    for kind in stale:
        # As a highstate would. The reload below makes them visible; a refresh here costs a second.
        __salt__[f"saltutil.sync_{kind}"](refresh=False)
    if not stale:
        return {}
    return {"modules-reloaded": {"test.nop": [{"reload_modules": True}, {"order": 1}]}}


def _travels_along():
    # salt-ssh renders on the master and sends the modules with the run.
    return "__master_opts__" in __opts__


def _is_stale(kind):
    with get_file_client(__opts__) as client:
        return any(
            client.hash_file(f"salt://_{kind}/{name}.py", saltenv) != _own_hash(kind, name)
            for name in FILES[kind]
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
