"""
Runs in the guest: loads Salt once, then makes each ordered run in a fork of its own, which
can be held at every point where it is about to change something, or just has.

    guest_driver.py TREE FOLDER STEPS

Salt compiles the steps at the start; the order `apply` carries them out. Orders come as lines of
JSON through FOLDER/orders: `id`, `function` (or `apply`, or `single`), `args`, `kwargs`, and
`hold` (stop at every point and wait for a line in FOLDER/ID.go) or `record` (only write down).
The answer is FOLDER/ID.json; the points are FOLDER/ID.points, one JSON line each; the point at
which a run is held is FOLDER/ID.held.
"""

import json
import os
import re
import select
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
    "udevadm settle", "hostname -", "sysctl -n", "sysctl --version", "getent", "uname", "lsb_release",
    "systemd-run --help", "which", "apt-get -q --simulate", "ip ", "locale", "file ", "ldconfig -p", "dmsetup status", "dmsetup info", "git version",
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
        module_dirs=[f"{tree}/salt"],
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
        word = ""
        while not word:  # who gave the word for the last point may not have closed the pipe yet
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
        ended = os.pidfd_open(process.pid)
        try:
            # Who looks again and again takes the guest's one processor from what it waits for.
            for _ in range(1200):
                if select.select([ended], [], [], 0.25)[0]:
                    return
                if any(
                    pipe and _waiting(pipe) > 60000 for pipe in (process.stdout, process.stderr)
                ):
                    return
        finally:
            os.close(ended)


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


class Tree:
    """Salt, loaded once with all that a run needs: under emulation loading takes minutes."""

    def __init__(self, opts):
        import salt.loader

        self.opts, self.context = opts, {}
        utils = salt.loader.utils(opts, context=self.context)
        self.modules = salt.loader.minion_mods(opts, context=self.context, utils=utils)
        self.states = salt.loader.states(opts, self.modules, utils, None, context=self.context)
        self.chunks = []

    def compile(self, steps):
        """What Salt's compiler makes of these steps, in its order."""
        chunks = self.modules["state.show_low_sls"](steps)
        if not all(isinstance(chunk, dict) for chunk in chunks):
            raise RuntimeError(f"does not compile: {chunks}")
        self.chunks = sorted(chunks, key=lambda chunk: chunk["order"])
        # Loads whatever is loaded late. What it remembers of the host is forgotten.
        self.apply(test=True)
        self.context.clear()

    def apply(self, test):
        """As `state.apply` would: what is watched counts, and behind a failure nothing is begun."""
        import salt.state

        words = {*salt.state.STATE_INTERNAL_KEYWORDS, *salt.state.STATE_RUNTIME_KEYWORDS}
        words |= {*salt.state.STATE_REQUISITE_KEYWORDS} - {"name"}
        report, changed, failed = {}, set(), False
        self._set(test)
        for number, chunk in enumerate(self.chunks):
            if "onlyif" in chunk or "unless" in chunk or failed:
                continue
            given = {k: v for k, v in chunk.items() if k not in words and not k.startswith("__")}
            given["name"] = chunk["name"]
            answer = self.states[f"{chunk['state']}.{chunk['fun']}"](**given)
            watched = [pair for each in chunk.get("watch", ()) for pair in each.items()]
            if not answer["changes"] and changed.intersection(watched):
                answer = self.states[f"{chunk['state']}.mod_watch"](sfun=chunk["fun"], **given)
            if answer["changes"]:
                changed.add((chunk["state"], chunk["__id__"]))
            failed = answer["result"] is False
            name = "_|-".join((chunk["state"], chunk["__id__"], chunk["name"], chunk["fun"]))
            report[name] = {**answer, "__id__": chunk["__id__"], "__run_num__": number}
        return report

    def single(self, function, test, **given):
        """As `state.single` would."""
        self._set(test)
        return self.states[function](**given)

    def _set(self, test):
        # What the compiler gives to every state beside its arguments.
        given = {"__env__": "base", "__running__": {}, "__lowstate__": self.chunks}
        self.states.inject_globals = {**given, "__instance_id__": "prove"}
        for loaded in (self.opts, self.modules.opts, self.states.opts):
            loaded["test"] = test


def run(tree, folder, order):
    path = f"{folder}/{order['id']}"
    if order.get("hold"):
        os.mkfifo(f"{path}.go")
    if order.get("hold") or order.get("record"):
        watch(Points(path, order.get("hold")))
    began = time.monotonic()
    if order["function"] in ("apply", "single"):
        answer = getattr(tree, order["function"])(*order["args"], **order["kwargs"])
    else:
        answer = tree.modules[order["function"]](*order.get("args", ()), **order["kwargs"])
    result = {"took": round(time.monotonic() - began, 1), "result": answer}
    # Not by a rename, which would be a point of the run.
    text = json.dumps(result, default=str)
    handle = os.open(f"{path}.json.new", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(handle, text.encode())
    os.close(handle)
    os.link(f"{path}.json.new", f"{path}.json")


def main():
    path, folder, steps = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    tree = Tree(load(path, folder))
    tree.compile(steps)
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
                run(tree, folder, order)
            finally:
                # Whatever was raised: a fork must not go on with its parent's orders.
                if sys.exc_info()[0]:
                    with open(f"{folder}/{order['id']}.failed", "w") as out:
                        out.write(traceback.format_exc())
                os._exit(0)


if __name__ == "__main__":
    main()
