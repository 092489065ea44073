#!py
"""
One value each tells a minion whether its copies of this tree's modules and states are those that
the master serves now. Without them salt/sync.sls asks the master about every file.
"""

import hashlib
import pathlib


def run():
    roots = [pathlib.Path(root) for root in __opts__["file_roots"].get("base", [])]
    tree = next((root for root in roots if (root / "sync.sls").is_file()), None)
    if tree is None or list(__opts__["fileserver_backend"]) != ["roots"]:
        return {}
    digests = {kind: _digest(roots, tree, f"_{kind}") for kind in ("modules", "states")}
    return {"rancher_modules": digests}


def _digest(roots, tree, folder):
    """What salt/sync.sls makes of the minion's copies. Of a file in two roots the first is served."""
    digest = hashlib.sha256()
    for name in sorted(path.name for path in (tree / folder).glob("*.py")):
        path = next(path for root in roots if (path := root / folder / name).is_file())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
