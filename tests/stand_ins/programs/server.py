"""
What runs in the stand-in for rancher/server.

Environment, as the original's: CATTLE_DB_CATTLE_MYSQL_HOST, _PORT, _NAME,
CATTLE_DB_CATTLE_USERNAME, CATTLE_DB_CATTLE_PASSWORD (or the options --db-host, ...),
CATTLE_API_HOST, CATTLE_BOOTSTRAP_REQUIRED_IMAGE. Its own: STAND_IN_TRIES (300) connections
to the database, STAND_IN_PAUSE (1) seconds apart, STAND_IN_START (3) seconds of answers 502.
The double's control port is 8081.
"""

import argparse
import json
import os
import pathlib
import signal
import sys
import threading
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import pymysql  # noqa: E402
import store  # noqa: E402
from fake_rancher import FakeRancher  # noqa: E402
from fake_rancher import server as sockets  # noqa: E402
from fake_rancher.world import WallClock  # noqa: E402

OPTIONS = {
    "--db-host": "CATTLE_DB_CATTLE_MYSQL_HOST",
    "--db-port": "CATTLE_DB_CATTLE_MYSQL_PORT",
    "--db-name": "CATTLE_DB_CATTLE_MYSQL_NAME",
    "--db-user": "CATTLE_DB_CATTLE_USERNAME",
    "--db-pass": "CATTLE_DB_CATTLE_PASSWORD",
}


def main():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    environment = settings(sys.argv[1:], os.environ)
    dump(environment)
    began = time.monotonic()
    try:
        kept = place(environment)
        tries, pause = (
            number(environment, "STAND_IN_TRIES", 300),
            number(environment, "STAND_IN_PAUSE", 1),
        )
        store.patiently(kept, say, int(tries), pause)
        world = kept.load()
    except (store.Failed, store.NotYet) as reason:
        print(reason, flush=True)
        if isinstance(kept, store.Embedded):
            print("Could not start MySQL...", flush=True)
        else:
            taken = int((time.monotonic() - began) * 1000)
            print(f"STARTUP FAILED [{taken}] ms", file=sys.stderr, flush=True)
        # The supervisor ends, and does not tell that its service failed.
        return 0
    return serve(environment, kept, world)


def settings(words, environment):
    """The environment, with what the command line says."""
    parser = argparse.ArgumentParser(prog="entry")
    for option, name in OPTIONS.items():
        parser.add_argument(option, dest=name)
    given = vars(parser.parse_args(words))
    return {**environment, **{name: value for name, value in given.items() if value is not None}}


def place(environment):
    """The store that the environment asks for: only a host makes it an external one."""
    host = environment.get("CATTLE_DB_CATTLE_MYSQL_HOST")
    if not host:
        return store.Embedded(say=lambda text: print(text, flush=True))
    return store.External(
        host,
        int(number(environment, "CATTLE_DB_CATTLE_MYSQL_PORT", 3306)),
        environment.get("CATTLE_DB_CATTLE_MYSQL_NAME") or "cattle",
        environment.get("CATTLE_DB_CATTLE_USERNAME") or "cattle",
        environment.get("CATTLE_DB_CATTLE_PASSWORD") or "cattle",
    )


def number(environment, name, otherwise):
    return float(environment.get(name) or otherwise)


def dump(environment):
    """The original shows its environment, and leaves out what looks like a password."""
    for name in sorted(environment):
        if name.startswith("CATTLE_") and "PASS" not in name:
            print(f"{name}={environment[name]}", flush=True)


def say(level, logger, text):
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    print(f"{now},000 {level:7} [:] [] [] [] [main           ] [{logger}] {text}", flush=True)


def serve(environment, kept, world):
    """Answer 502 for a while, as the proxy in front of a starting server does, then be up."""
    sockets._Server.poll = 0.5
    fake = FakeRancher(
        host="0.0.0.0", port=8080, control_port=8081, clock=WallClock(), keep=Keeper(kept, world)
    )
    if world:
        fake.world.restore(world)
    fake.configure(
        liveness=True,
        version=environment.get("CATTLE_RANCHER_SERVER_VERSION") or "v1.6.30",
        image=environment.get("CATTLE_BOOTSTRAP_REQUIRED_IMAGE")
        or environment.get("DEFAULT_CATTLE_BOOTSTRAP_REQUIRED_IMAGE")
        or "rancher/agent:v1.2.11",
    )
    if environment.get("CATTLE_API_HOST"):
        fake.configure(api_host=environment["CATTLE_API_HOST"])
    fake.keep(fake.world)
    fake.set_stage("502")
    threading.Thread(target=check_in, args=(kept,), daemon=True).start()
    with fake:
        time.sleep(number(environment, "STAND_IN_START", 3))
        fake.set_stage("up")
        say("INFO", "ConsoleStatus", "Startup Succeeded, Listening on port 8081")
        threading.Event().wait()
    return 0


def check_in(kept):
    """Every five seconds; the original ends when it cannot."""
    own = str(uuid.uuid4())
    while True:
        try:
            kept.check_in(own)
        except (store.Failed, store.NotYet, pymysql.MySQLError) as reason:
            say("ERROR", "ConsoleStatus", f"Check-in failed: {reason}")
        time.sleep(5)


class Keeper:
    """Saves the world when it is another one than before."""

    def __init__(self, kept, world):
        self.kept, self.last = kept, world

    def __call__(self, world):
        # As it comes back: lists for tuples.
        now = json.loads(json.dumps(world.dump()))
        if now == self.last:
            return
        try:
            self.kept.save(now)
        except (store.Failed, store.NotYet) as reason:
            say("ERROR", "JooqExceptionTranslator", str(reason))
            return
        self.last = now


if __name__ == "__main__":
    sys.exit(main())
