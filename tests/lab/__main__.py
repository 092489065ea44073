"""The lab's command line; the package's docstring says how to use it."""

import argparse
import os
import pathlib
import signal
import subprocess
import sys

from . import __doc__ as usage
from .lab import MINION, SNAPSHOT, Lab, names
from .process import LabError


def main(argv=None):
    options = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return COMMANDS[options.command](Lab(options.name, kept=True), options.words) or 0
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m lab",
        description=usage,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--name",
        default=os.environ.get("LAB_NAME", "default"),
        help="which lab (default: %(default)s)",
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("words", nargs=argparse.REMAINDER)
    return parser


def up(lab, _words):
    lab.up()
    print(
        f"lab {lab.name}: guest and master run; ssh on port {lab.guest.ssh_port}, console in {lab.guest.console}"
    )


def fresh(lab, _words):
    lab.fresh()


def down(lab, _words):
    lab.down()


def forget(lab, _words):
    lab.forget()


def ssh(lab, words):
    lab.attach()
    if not lab.guest or not lab.guest.running:
        lab.up()
    return lab.guest.interactive(words)


def salt(lab, words):
    """Hand over to Salt's own command, with its output and exit codes."""
    lab.up()
    program = pathlib.Path(sys.prefix) / "bin/salt"
    return subprocess.call(
        [program, "-c", lab.master.config.parent, "--timeout=1800", "--state-output=changes", MINION, *words]
    )  # fmt: skip


def pillar(lab, words):
    """Use the JSON or YAML file as the pillar of the guest; '-' reads standard input."""
    import yaml

    lab.up()
    name = words[0] if words else "-"
    text = sys.stdin.read() if name == "-" else pathlib.Path(name).read_text()
    lab.master.pillar(yaml.safe_load(text) or {})


def reboot(lab, _words):
    lab.up()
    lab.reboot()


def cut(lab, _words):
    lab.up()
    lab.power_cycle()


def save(lab, words):
    lab.up()
    lab.guest.save(*words)


def load(lab, words):
    lab.up()
    lab.guest.load(*words or [SNAPSHOT])
    lab.wait_for_minion()


def console(lab, _words):
    return subprocess.call(["tail", "-n", "200", "-F", lab.directory / "console.log"])


def status(_lab, _words):
    for name in names():
        lab = Lab(name, kept=True)
        lab.attach()
        state = "running" if lab.guest.running else "off"
        print(f"{name}: guest {state}, ssh port {lab.guest.ssh_port}, {lab.directory}")


COMMANDS = {
    each.__name__: each
    for each in (
        up,
        fresh,
        ssh,
        salt,
        pillar,
        reboot,
        cut,
        save,
        load,
        console,
        status,
        down,
        forget,
    )
}

if __name__ == "__main__":
    sys.exit(main())
