"""Both images from their parts, and to a registry."""

import importlib.util
import pathlib
import py_compile
import sys
import tempfile

from . import images, root, upload

HERE = pathlib.Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache/lab/stand_ins"
PLACE = "srv/stand_in"
AGENT = "rancher/agent:v1.2.11"
# Two of each server, for an upgrade; one of the agent, which is what both name.
TAGS = {"rancher/server": ("v1.6.29", "v1.6.30"), "rancher/agent": ("v1.2.11",)}
IMAGES = [f"{name}:{tag}" for name, tags in TAGS.items() for tag in tags]
# What Python in a container may cost: no site-packages, no look at the environment.
PYTHON = ["/usr/bin/python3", "-I", "-S"]


def push(url):
    """Give the registry at ``url`` all IMAGES that it does not have as they are now."""
    registry = upload.Registry(url)
    base = root.ensure(CACHE)
    for name, tags in TAGS.items():
        own = images.Layer(images.Blob(images.pack(images.archive(program(name)))))
        for tag in tags:
            layers = [base, own]
            config = images.configuration(layers, **settings(name, tag))
            manifest = images.manifest(config, layers)
            if not registry.has(name, tag, manifest):
                registry.push(name, tag, manifest, [*(each.packed for each in layers), config])


def settings(name, tag):
    """The image's part of a container's configuration, as the original's."""
    common = {"WorkingDir": "/", "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}
    if name == "rancher/agent":
        return {
            **common,
            "Entrypoint": ["/run.sh"],
            "Env": [*common["Env"], f"RANCHER_AGENT_IMAGE={name}:{tag}"],
            "Labels": {"io.rancher.container.system": "rancher-agent"},
            "Volumes": {},
        }
    return {
        **common,
        "Entrypoint": [*PYTHON, f"/{PLACE}/server.py"],
        "Env": [
            *common["Env"],
            f"CATTLE_RANCHER_SERVER_VERSION={tag}",
            f"CATTLE_RANCHER_SERVER_IMAGE={name}:{tag}",
            "CATTLE_DB_CATTLE_DATABASE=mysql",
            f"DEFAULT_CATTLE_BOOTSTRAP_REQUIRED_IMAGE={AGENT}",
            "no_proxy=localhost,127.0.0.1",
        ],
        "ExposedPorts": {"8080/tcp": {}, "3306/tcp": {}},
        "Volumes": {"/var/lib/mysql": {}, "/var/log/mysql": {}, "/var/lib/cattle": {}},
    }


def program(name):
    """The files of the image ``name`` above its root file system."""
    tree = dict.fromkeys(("srv", PLACE))
    programs = HERE / "programs"
    if name == "rancher/agent":
        tree.update(_python(programs, PLACE, ("agent.py", "docker_socket.py", "bootstrap.py")))
        start = f'#!/bin/sh\nexec {" ".join(PYTHON)} /{PLACE}/agent.py "$@"\n'
        tree["run.sh"] = start.encode(), 0o755
        return tree
    tree.update(_python(programs, PLACE, ("server.py", "store.py")))
    for package in (HERE.parent / "fake_rancher", _package("pymysql")):
        tree.update(_python(package, f"{PLACE}/{package.name}"))
    return tree


def _package(name):
    """Where this Python has the package ``name``."""
    return pathlib.Path(importlib.util.find_spec(name).origin).parent


def _python(directory, place, names=None):
    """The Python files of ``directory`` and below, compiled when this Python is the image's."""
    tree = {place: None}
    for path in sorted(directory.rglob("*.py")):
        relative = path.relative_to(directory)
        if names is not None and str(relative) not in names:
            continue
        tree[f"{place}/{relative}"] = path.read_bytes()
        for parent in relative.parents:
            tree[f"{place}/{parent}" if parent.name else place] = None
        if sys.version_info[:2] == (3, 11):
            cached = relative.parent / "__pycache__"
            tree[str(pathlib.PurePath(place, cached))] = None
            name = str(pathlib.PurePath(place, cached, f"{path.stem}.cpython-311.pyc"))
            tree[name] = _compiled(path, f"/{place}/{relative}")
    return tree


def _compiled(path, name):
    with tempfile.NamedTemporaryFile() as out:
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(path, out.name, name, doraise=True, invalidation_mode=mode)
        return pathlib.Path(out.name).read_bytes()
