"""
Lying Docker: between the roles' states and a real Docker daemon stands a socket that passes
everything on but for one kind of answer. Whatever it says then: no container is taken for one
that is not there, none is made, replaced or removed on its word, and the line names Docker.
"""

import contextlib
import functools
import http.client
import socket
import time

from functional import agent_host
from lying_docker import LIES, LyingDocker

from . import kills_of_roles

SECTION = "lying Docker"
# One daemon, one name for a container.
WORKERS = 1
SOCKET = "/run/lying.sock"
# Seconds that a silent daemon gets; a run asks it once or twice.
PATIENCE, BOUND = 1.5, 60


class Made:
    """What is as it must be, so that nothing is to do."""

    def arrange(self):
        if [*self.wrong()]:
            self.runner.run(self)

    @staticmethod
    def matters(method, path):
        """Whether a lie about it is another case."""
        return True


class Server(Made, kills_of_roles.Server):
    """A server that runs."""


class Agent(Made, kills_of_roles.Agent):
    """A member."""


class ServerToCome(Server):
    """A server that is not there yet; most of its looks are those of one that runs."""

    def arrange(self):
        kills_of_roles.clear(self.host)

    @staticmethod
    def matters(method, path):
        return method != "GET" or path.endswith(f"/{kills_of_roles.SERVER}/json")


class Leaving(Agent):
    """A member that leaves."""

    def arrange(self):
        kills_of_roles.clear(self.host)
        # It is not started: without a server it would end by itself, at any moment.
        self.host.client.create_container(agent_host.IMAGE, ["run"], name=kills_of_roles.AGENT)
        for name in ("rancher-agent-state", "rancher-cni"):
            self.host.client.create_volume(name)

    def chunks(self):
        absent = {"state": "rancher_member", "fun": "absent", "__id__": "absent", "order": 1}
        return [{**absent, "name": kills_of_roles.AGENT}]

    def wrong(self):
        if kills_of_roles.containers(self.host):
            yield f"containers: {kills_of_roles.containers(self.host)}"


SUBJECTS = {
    "a server": Server,
    "a member": Agent,
    "a server to come": ServerToCome,
    "a member that leaves": Leaving,
}


class Connection(http.client.HTTPConnection):
    """To a daemon's socket."""

    def __init__(self, path):
        super().__init__("docker", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def truth(host, method, path, body):
    """What the real daemon answers."""
    with contextlib.closing(Connection(str(host.path("/run/docker.sock")))) as daemon:
        daemon.request(method, path, body or None, {"Content-Type": "application/json"})
        answer = daemon.getresponse()
        return answer.status, answer.read()


def between(host):
    return LyingDocker(host.path(SOCKET), functools.partial(truth, host))


def run(it, test=False, patience=None):
    """
    A run that asks the socket between: its report. ``patience`` is for lies only: a true daemon
    may be slow, on a busy machine.
    """
    options = {"docker.url": f"unix://{SOCKET}"}
    return it.runner.run(it, test, options=options, patience=patience)["report"]


def seen(host):
    """The containers, and since when they run."""
    listed = host.client.containers(all=True)
    return {each["Id"]: host.client.inspect_container(each["Id"])["State"] for each in listed}


def kinds(it):
    """What runs without a lie ask of the daemon, and the dry run's prediction."""
    it.arrange()
    with between(it.host) as daemon:
        dry, real = run(it, test=True), run(it)
        assert not kills_of_roles.unwell(real), real
        asked = [line.split() for line in daemon.asked]
        found = dict.fromkeys(path for method, path in asked if it.matters(method, path))
    return [*found], {key: each["changes"] for key, each in dry.items()}


def attempt(it, about, lie, told):
    it.arrange()
    before = seen(it.host)
    with between(it.host) as daemon:
        daemon.about, daemon.lie = about, lie
        began = time.monotonic()
        dry = run(it, test=True, patience=PATIENCE)
        yield from judge(dry, "dry run", told)
        if seen(it.host) != before:
            yield "the dry run changed a container"
        real = run(it, patience=PATIENCE)
        if time.monotonic() - began > BOUND:
            yield f"took {time.monotonic() - began:.0f} s"
        yield from judge(real, "run", told)
        if not any(told.values()) and seen(it.host) != before:
            yield "a container changed"
        daemon.lie = None
        after = run(it)
        again = run(it) if any(told.values()) else after
    if failed := kills_of_roles.unwell(after):
        yield f"the next run: {failed[0]}"
    if kills_of_roles.unwell(again) or any(state["changes"] for state in again.values()):
        yield f"a further run: {[state['comment'] for state in again.values()]}"
    yield from it.wrong()


def judge(report, which, told):
    """As without the lie, or a line that names Docker and no change that was not foretold."""
    for key, state in (report or {"no report": {"result": False, "comment": ""}}).items():
        words = state["comment"]
        if state["result"] is False and "Docker could not" not in words:
            yield f"the {which} does not name Docker: {words}"
        if not words.isprintable():
            yield f"the {which} says more than one line: {words!r}"
        foretold = told.get(key, {})
        made = state.get("changes", {})
        if any(made[name] != foretold.get(name) for name in made):
            yield f"the {which} has changes {made}, without the lie {foretold}"


def jobs():
    with contextlib.ExitStack() as stack:
        lacking = kills_of_roles.lacking()
        if lacking:
            yield "a server", lambda: {"problems": [], "skipped": lacking}
            return
        host, runner = stack.enter_context(kills_of_roles.stage())
        for name, kind in SUBJECTS.items():
            with kills_of_roles.fresh(kind, host, runner) as it:
                asked, told = kinds(it)
                for about in asked:
                    for lie in LIES:
                        act = functools.partial(attempt, it, about, lie, told)
                        yield f"{name}: {about}, {lie}", act
