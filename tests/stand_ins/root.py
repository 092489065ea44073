"""
The root file system below the stand-ins: a Python, its libraries and a busybox.

Debian's packages, unpacked and thinned; compiled, because compiling takes a slow guest
longer than everything else a program does at its start.
"""

import hashlib
import pathlib
import tempfile

from lab.process import locked, run

from .images import Blob, Layer, archive, pack

PACKAGES = ["python3.11-minimal", "libpython3.11-stdlib", "busybox-static"]
# Everything else is left out: documentation, package management, most libraries, and of
# Python's own library the sources and what no small server imports.
LIBRARIES = [
    "ld-linux-x86-64", "libc", "libm", "libz", "libcrypto", "libssl", "libexpat", "libffi", "libuuid", "libresolv",
    "libpthread", "libdl", "liblzma", "libbz2",
]  # fmt: skip
LIBRARY_PLACES = ["lib64", "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"]
PYTHON = "usr/lib/python3.11"
DROPPED = [
    "idlelib", "lib2to3", "ensurepip", "pydoc_data", "distutils", "unittest", "tkinter", "turtledemo", "test",
    "config-3.11-x86_64-linux-gnu", "asyncio", "curses", "wsgiref", "xmlrpc", "sqlite3", "dbm", "venv", "turtle.pyc",
    "pydoc.pyc", "doctest.pyc", "multiprocessing",
    *(f"lib-dynload/{name}" for name in (
        "_codecs_", "_test", "_sqlite3", "readline", "_curses", "_dbm", "_xx", "nis", "_tkinter", "audioop",
    )),
]  # fmt: skip
APPLETS = ["sh", "cat", "ls", "ps", "id", "env", "sleep", "wget", "grep", "kill", "true"]
ACCOUNTS = {
    "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nmysql:x:102:105:MySQL:/nonexistent:/bin/false\n",
    "etc/group": b"root:x:0:\nmysql:x:105:\n",
}
DIRECTORIES = [
    "dev",
    "etc",
    "proc",
    "root",
    "run",
    "sys",
    "tmp",
    "var",
    "var/lib",
    "var/log",
    "srv",
]


def ensure(cache):
    """The root file system as a layer, made when the directory ``cache`` has none."""
    key = hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()[:16]
    path = cache / f"root-{key}.tar.gz"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with locked(cache / "root.lock"):
            if not path.exists():
                _build(path)
    return Layer(Blob(path.read_bytes()))


def _build(path):
    with tempfile.TemporaryDirectory(prefix="stand-in-", dir=path.parent) as work:
        root = pathlib.Path(work) / "root"
        debian = ["mmdebstrap", "--variant=extract", f"--include={','.join(PACKAGES)}", "bookworm"]
        run([*debian, root], timeout=600)
        # Some files of the library are broken on purpose: the compiler's exit code tells nothing.
        compiler = ["/usr/bin/python3.11", "-m", "compileall", "-q", "-b", f"/{PYTHON}"]
        run(["chroot", root, *compiler], timeout=600, check=False)
        part = path.with_suffix(".part")
        part.write_bytes(pack(archive({**_tree(root), **_frame()})))
        part.rename(path)


def _frame():
    links = {f"bin/{name}": "busybox" for name in APPLETS}
    links["usr/bin/python3"] = "python3.11"
    return {**dict.fromkeys(DIRECTORIES), **links, **ACCOUNTS}


def _tree(root):
    """What of ``root`` is kept, as `images.archive` wants it."""
    python = (root / PYTHON).rglob("*")
    libraries = (path for place in LIBRARY_PLACES for path in (root / place).iterdir())
    wanted = [
        *(root / name for name in ("bin/busybox", "usr/bin/python3.11")),
        *(path for path in python if _is_used(str(path.relative_to(root / PYTHON)))),
        *(path for path in libraries if path.name.partition(".so")[0] in LIBRARIES),
    ]
    tree = {}
    for path in wanted:
        name = str(path.relative_to(root))
        if path.is_symlink():
            tree[name] = str(path.readlink())
        elif path.is_file():
            mode = 0o755 if path.stat().st_mode & 0o111 else 0o644
            tree[name] = (path.read_bytes(), mode)
    for name in list(tree):
        for parent in list(pathlib.PurePath(name).parents)[:-1]:
            tree.setdefault(str(parent), None)
    return tree


def _is_used(name):
    """Whether a file of Python's library is kept: compiled ones, and those in machine code."""
    return name.endswith((".pyc", ".so")) and not (
        "__pycache__" in name or name.startswith(tuple(DROPPED))
    )
