"""The lab's command line; the package's docstring says how to use it."""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys

from . import __doc__ as usage
from .image import Recipe
from .lab import MINION, SNAPSHOT, Lab, names, saved
from .process import LabError


def main(argv=None):
    options = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return COMMANDS[options.command](_lab(options), options.words) or 0
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _lab(options):
    """The lab that is meant; what is not said is as it was when the lab was made."""
    was = saved(options.name)
    guests = options.guests.split(",") if options.guests else was.get("guests", [MINION])
    recipe = Recipe(salt=options.salt or was.get("salt", Recipe.salt))
    return Lab(options.name, kept=True, recipe=recipe, guests=guests)


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
    parser.add_argument("--guests", help=f"names of the guests, with commas (default: {MINION})")
    parser.add_argument("--salt", help=f"Salt's version in the guests (default: {Recipe.salt})")
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("words", nargs=argparse.REMAINDER)
    return parser


def up(lab, _words):
    lab.up()
    for name, guest in lab.guests.items():
        print(
            f"lab {lab.name}: {name} runs; ssh on port {guest.ssh_port}, console in {guest.console}"
        )


def fresh(lab, _words):
    lab.fresh()


def down(lab, _words):
    lab.down()


def forget(lab, _words):
    lab.forget()


def ssh(lab, words):
    """In the guest that the first word names with an @ before it, else in the first."""
    lab.attach()
    if not lab.running:
        lab.up()
    guest = lab.guest
    if words and words[0].startswith("@"):
        guest = _named(lab, words[0][1:])
        words = words[1:]
    return guest.interactive(words)


def _named(lab, name):
    if name not in lab.guests:
        raise LabError(f"there is no guest {name!r}, but {', '.join(lab.guests)}")
    return lab.guests[name]


def salt(lab, words):
    """Hand over to Salt's own command, with its output and exit codes."""
    lab.up()
    program = pathlib.Path(sys.prefix) / "bin/salt"
    return subprocess.call(
        [program, "-c", lab.master.config.parent, "--timeout=1800", "--state-output=changes", "-L", ",".join(lab.guests), *words]
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
    for guest in lab.guests.values():
        guest.save(*words)


def load(lab, words):
    lab.up()
    for guest in lab.guests.values():
        guest.load(*words or [SNAPSHOT])
    lab.wait_for_minions()


def registry(lab, _words):
    """Serve the stand-ins for Rancher's images to the guests."""
    lab.up()
    lab.registry.start()
    print(f"lab {lab.name}: settings of rancher:docker:daemon: {json.dumps(lab.registry.daemon)}")


def database(lab, _words):
    """Run a MariaDB for the guests."""
    lab.up()
    lab.database.start()
    print(f"lab {lab.name}: {lab.database.host} port {lab.database.port}, {lab.database.admin}")


def console(lab, _words):
    lab.attach()
    consoles = [guest.console for guest in lab.guests.values()]
    return subprocess.call(["tail", "-n", "200", "-F", *consoles])


def status(_lab, _words):
    for name in names():
        lab = Lab(name, kept=True)
        lab.attach()
        for which, guest in lab.guests.items():
            state = "running" if guest.running else "off"
            print(f"{name}: {which} {state}, ssh port {guest.ssh_port}, {guest.directory}")


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
        registry,
        database,
        console,
        status,
        down,
        forget,
    )
}

if __name__ == "__main__":
    sys.exit(main())
