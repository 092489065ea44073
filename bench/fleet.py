"""
One master with many minions: what each of them costs, in memory and in time.

All of them are on the one converged host, each with an id, keys and a cache of its own. Each
has its own /run/rancher-salt.lock: what they share is the host that they look at.
"""

import json
import time

import yaml
from lab.process import LabError, run, wait_until

from bench.sampling import measured, memory
from bench.stage import MINION

START = """
mkdir -p /srv/fleet/$1; touch /srv/fleet/$1/lock /run/rancher-salt.lock
mount --bind /srv/fleet/$1/lock /run/rancher-salt.lock
exec "$2/bin/salt-minion" -c /srv/fleet/$1 --daemon
"""


class Fleet:
    """Minions on the host of a stage that has converged; it only grows."""

    def __init__(self, stage):
        self.stage, self.size = stage, 0

    def grow(self, size):
        for number in range(self.size, size):
            self._start(f"fleet{number}")
        self.size = size
        wait_until(self._complete, timeout=600, what=f"{size} minions", every=5)
        # The first run fetches the modules.
        self.apply()

    def _start(self, name):
        home = f"/srv/fleet/{name}"
        config = {**MINION, "id": name, "root_dir": home, "random_startup_delay": 0}
        self.stage.host.write(f"{home}/minion", yaml.safe_dump(config))
        script = ["unshare", "--mount", "sh", "-ec", START, "sh", name, str(self.stage.salt.venv)]
        self.stage.host.must(script, timeout=300)

    def _salt(self, timeout, *words):
        argv = [
            self.stage.salt.venv / "bin/salt",
            "-c",
            self.stage.salt.config,
            "--out=json",
            "--static",
        ]
        return run(
            self.stage.network.inside([*argv, f"--timeout={timeout}", "fleet*", *words]),
            timeout=1800,
            check=False,
        ).stdout

    def _complete(self):
        keys = self.stage.salt.state / "etc/salt/pki/master/minions"
        if len(list(keys.glob("fleet*"))) < self.size:
            return False
        # A minion whose key was just accepted may not listen yet: ask again. Not too soon: each
        # forks for its answer, and a question that is given up is still being answered.
        return sum(answer is True for answer in self._ping().values()) == self.size

    def _ping(self):
        return self._report("test.ping", timeout=10 + self.size)

    def _report(self, *words, timeout=900):
        text = self._salt(timeout, *words)
        return json.loads(text) if text.startswith("{") else {}

    def apply(self):
        """Apply `common` to all; raises when one fails or does not answer."""
        report = self._report("state.apply", "common")
        bad = [name for name, states in report.items() if not _well(states)]
        if bad or len(report) != self.size:
            raise LabError(
                f"{len(report)} of {self.size} answered, not well: {bad} {report.get((bad or [''])[0])!s:.600}"
            )

    def cost(self):
        """The Cost of one run of all."""
        return measured(self.apply, self.stage.trees, settle=2)[0]

    def floor(self):
        """The Cost of asking all of them for nothing."""
        return measured(self._ping, self.stage.trees, settle=2)[0]

    def memory(self, others):
        """Bytes that the host holds more than `others`, per minion, at rest."""
        time.sleep(5)
        return (memory([self.stage.leader]) - others) / self.size


def _well(states):
    return isinstance(states, dict) and all(state["result"] for state in states.values())
