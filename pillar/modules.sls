#!py
"""
What a minion need not ask the master about each file, for each environment in which the tree is served:
one digest of its modules and one of its states, and which of its short names another tree has, too.
"""

import hashlib
import pathlib

# In each SLS that is nothing but a short name.
SHORT = "rancher_salt/short.jinja"


def run():
    if list(__opts__["fileserver_backend"]) != ["roots"]:
        return {}
    told = {}
    for env, folders in __opts__["file_roots"].items():
        roots = [pathlib.Path(folder) for folder in folders]
        tree = next((root for root in roots if (root / "rancher_salt/sync.sls").is_file()), None)
        if tree:
            told[env] = {kind: _digest(roots, tree, f"_{kind}") for kind in ("modules", "states")}
            told[env]["twice"] = _twice(roots, tree)
    return {"rancher_modules": told} if told else {}


def _digest(roots, tree, folder):
    """What sync.sls makes of the minion's copies. Of a file in two roots the first is served."""
    digest = hashlib.sha256()
    for name in sorted(path.name for path in (tree / folder).glob("*.py")):
        path = next(path for root in roots if (path := root / folder / name).is_file())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _twice(roots, tree):
    """The short names for which another root has a file that is not the same."""
    short = [path.relative_to(tree) for path in tree.rglob("*.sls") if SHORT in path.read_text()]
    return sorted(
        str(path)
        for path in short
        if len({file.read_bytes() for root in roots if (file := root / path).is_file()}) > 1
    )
