"""
Runs in the guest: loads Salt once, then makes each ordered run in a fork of its own, which
can be held at every point where it is about to change something, or just has.

    guest_driver.py TREE FOLDER

Orders come as lines of JSON through FOLDER/orders: `id`, `function`, `args`, `kwargs`, and
`hold` (stop at every point and wait for a line in FOLDER/ID.go) or `record` (only write down).
The answer is FOLDER/ID.json; the points are FOLDER/ID.points, one JSON line each; the point at
which a run is held is FOLDER/ID.held.
"""

import json
import os
import re
import subprocess
import sys
import time
import traceback

import family

# Programs that only look: a kill before one of these is a kill after the last that writes.
LOOKS = (
    "blkid", "wipefs --no-act", "partx --pairs", "pvs", "vgs", "lvs", "lvm version", "findmnt",
    "modprobe --dry-run", "modinfo", "lsmod", "dpkg-query", "dpkg --get", "dpkg --print",
    "dpkg --compare", "dpkg -l", "dpkg -s", "apt-cache", "apt-mark showhold", "apt-config",
    "systemctl is-", "systemctl show", "systemctl status", "systemctl cat", "systemctl list",
    "systemctl --version", "docker info", "docker version", "docker ps", "dockerd --version",
    "udevadm settle", "hostname", "sysctl -n", "sysctl --version", "getent", "uname", "lsb_release",
    "systemd-run --help", "which", "apt-get -q --simulate", "ip ", "locale", "file ", "ldconfig -p", "dmsetup status",
)  # fmt: skip
# What Salt writes for itself all the time.
NOT_OURS = ("/var/cache/salt", "/proc/", "/tmp/", "/dev/", "/var/log/", "/opt/salt")


def load(tree, folder):
    import salt.config
    import salt.loader

    opts = salt.config.minion_config("/etc/salt/minion")
    opts.update(
        file_client="local",
        file_roots={"base": [f"{tree}/salt"]},
        pillar_roots={"base": [f"{folder}/pillar"]},
        module_dirs=[tree],
        extension_modules=f"{folder}/extmods",
        root_dir="/",
        state_events=False,
    )
    opts["grains"] = salt.loader.grains(opts)
    return opts


class Points:
    """The points of one run, written down, and waited at when the run is to be held."""

    def __init__(self, path, hold):
        self.path, self.hold, self.count = path, hold, 0
        self.inside = False

    def reach(self, when, what, **more):
        self.count += 1
        line = json.dumps({"number": self.count, "when": when, "what": what, **more})
        with open(f"{self.path}.points", "a") as out:
            out.write(line + "\n")
        if not self.hold:
            return None
        with open(f"{self.path}.held.new", "w") as out:
            out.write(line)
        os.rename(f"{self.path}.held.new", f"{self.path}.held")
        with open(f"{self.path}.go") as source:
            word = source.readline().strip()
        os.unlink(f"{self.path}.held")
        return word

    def around(self, what, act, **more):
        if self.inside:
            return act()
        self.inside = True
        try:
            word = self.reach("before", what, **more)
            began = time.monotonic()
            result = act()
            process = result if isinstance(result, subprocess.Popen) else None
            if word and word.startswith("middle"):
                time.sleep(float(word.split()[1]))
                family.end(os.getpid())
            if process and not process.stdin:
                self._await(process)
            self.reach("after", what, took=round(time.monotonic() - began, 2))
            return result
        finally:
            self.inside = False

    def _await(self, process):
        """Until it has ended, its output still in the pipes; one that says more than fits goes on."""
        for _ in range(30000):
            if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG):
                return
            if any(pipe and _waiting(pipe) > 60000 for pipe in (process.stdout, process.stderr)):
                return
            time.sleep(0.01)


def _waiting(pipe):
    import fcntl
    import struct
    import termios

    answer = fcntl.ioctl(pipe.fileno(), termios.FIONREAD, struct.pack("i", 0))
    return struct.unpack("i", answer)[0]


def watch(points):
    """Make every process and every change of a name or mode a point."""
    start = subprocess.Popen

    class Popen(start):
        def __init__(self, args, *rest, **more):
            words = args if isinstance(args, str) else " ".join(map(str, args))
            words = words.split("/")[-1] if words.startswith("/") else words
            if "apt-get" in words:
                # Salt starts it in a scope of its own, with long options.
                words = re.sub(r"^.*?(?=apt-get)|-o DPkg::Options::=\S+ ", "", words)

            def act():
                start.__init__(self, args, *rest, **more)
                return self

            if words.startswith(LOOKS):
                act()
            else:
                points.around(words[:150], act)

    subprocess.Popen = Popen
    for name, which in (
        ("replace", 1), ("rename", 1), ("unlink", 0), ("remove", 0), ("mkdir", 0), ("rmdir", 0),
        ("chmod", 0), ("chown", 0), ("symlink", 1),
    ):  # fmt: skip
        _wrap(points, name, which)


def _wrap(points, name, which):
    real = getattr(os, name)

    def call(*args, **more):
        path = str(args[which])
        if not path.startswith("/") or path.startswith(NOT_OURS):
            return real(*args, **more)
        return points.around(f"{name} {path}", lambda: real(*args, **more))

    setattr(os, name, call)


def run(opts, folder, order):
    import salt.loader

    path = f"{folder}/{order['id']}"
    if order.get("hold"):
        os.mkfifo(f"{path}.go")
    if order.get("hold") or order.get("record"):
        watch(Points(path, order.get("hold")))
    began = time.monotonic()
    modules = salt.loader.minion_mods(opts, utils=salt.loader.utils(opts))
    answer = modules[order["function"]](*order.get("args", ()), **order.get("kwargs", {}))
    result = {"took": round(time.monotonic() - began, 1), "result": answer}
    # The real ones: what is written now is no point of the run.
    text = json.dumps(result, default=str)
    handle = os.open(f"{path}.json.new", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(handle, text.encode())
    os.close(handle)
    os.link(f"{path}.json.new", f"{path}.json")


def main():
    tree, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    opts = load(tree, folder)
    # Everything that a run imports is imported by a first one.
    import salt.loader
    import salt.modules.state  # noqa: F401

    modules = salt.loader.minion_mods(opts, utils=salt.loader.utils(opts))
    modules["test.ping"]()
    os.mkfifo(f"{folder}/orders")
    with open(f"{folder}/ready", "w") as out:
        out.write("ready")
    while True:
        with open(f"{folder}/orders") as source:
            lines = source.readlines()
        for line in lines:
            order = json.loads(line)
            if os.fork():
                continue
            os.setsid()
            with open(f"{folder}/{order['id']}.pid", "w") as out:
                out.write(str(os.getpid()))
            try:
                run(opts, folder, order)
            finally:
                # Whatever was raised: a fork must not go on with its parent's orders.
                if sys.exc_info()[0]:
                    with open(f"{folder}/{order['id']}.failed", "w") as out:
                        out.write(traceback.format_exc())
                os._exit(0)


if __name__ == "__main__":
    main()
