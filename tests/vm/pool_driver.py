"""
Runs in the guest: takes steps as JSON on stdin, answers one result each on stdout.

One loader for many runs, because a cold `salt-call` takes longer than most of them. A run
can be ended by SIGKILL in front of, during or behind its nth command that writes.
"""

import json
import os
import signal
import subprocess
import sys
import time
import traceback

WRITERS = {"parted", "wipefs", "pvcreate", "vgcreate", "lvcreate", "lvconvert", "lvchange"}


def load(tree):
    import salt.config
    import salt.loader

    opts = salt.config.minion_config("/etc/salt/minion")
    grains = {"kernel": "Linux", "os": "Debian", "os_family": "Debian"}
    opts.update(file_client="local", module_dirs=[f"{tree}/salt"], grains=grains, test=False)
    utils = salt.loader.utils(opts)
    modules = salt.loader.minion_mods(opts, utils=utils)
    return opts, modules, salt.loader.states(opts, modules, utils, None)


def shell(line):
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


def end_at(which, when):
    """From now on, die at the nth writing command of this process, or at the first of that name."""
    start, replace, count = subprocess.Popen, os.replace, [0]

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    def counted(act, during, name=None):
        count[0] += 1
        here = which in (count[0], name)
        if here and when == "before":
            die()
        result = act()
        if here:
            during(result)
            die()
        return result

    def popen(argv, *args, **kwargs):
        def middle(process):
            if when == "during":
                time.sleep(0.25)
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

        def act():
            return start(argv, *args, **kwargs)

        return counted(act, middle, argv[0]) if argv[0] in WRITERS else act()

    subprocess.Popen = popen
    os.replace = lambda *args: counted(lambda: replace(*args), lambda _: None)


def apart(function):
    """Run it in a process of its own and return what it returns."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            result = json.dumps(function())
            os.close(reader)
            with os.fdopen(writer, "w") as out:
                out.write(result)
            os._exit(0)
        finally:
            # Whatever was raised: a child must not go on with the parent's steps.
            traceback.print_exc()
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader) as source:
        text = source.read()
    status = os.waitpid(child, 0)[1]
    return json.loads(text) if text else {"signal": status & 0x7F, "exit": status >> 8}


def main():
    opts, modules, states = load(sys.argv[1])

    def take(step):
        kind, *rest = step
        if kind == "shell":
            return shell(*rest)
        if kind == "call":
            return modules[rest[0]](*rest[1:])
        (settings,) = rest
        test, end = settings.pop("test", False), settings.pop("end", None)
        if end:
            end_at(*end)
        opts["test"] = test
        states.opts["test"] = test
        return states["thinpool.present"](**settings)

    for step in json.load(sys.stdin):
        began = time.monotonic()
        result = apart(lambda step=step: take(step))
        print(
            json.dumps({"took": round(time.monotonic() - began, 1), "result": result}), flush=True
        )


main()
