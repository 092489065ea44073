"""
Waiting for a Rancher server that starts: until it answers, or until it is clear that it will not.
"""

import datetime
import json
import logging
import re
import time
import urllib.parse

from salt.exceptions import CommandExecutionError

import _docker_engine
import _rancher_project

log = logging.getLogger(__name__)

# Seconds between two looks; seconds between two lines of the log.
PAUSE, TELL = 2, 10
# A server without its database tries for five minutes; after so many seconds we believe it.
PATIENCE = 30
# How often a container may end before it counts as one that cannot start.
ENDS = 3
# What a start does not survive, and what it does not survive when it lasts.
FATAL = (
    "STARTUP FAILED",
    "LockException",
    "Could not acquire change log lock",
    "errno: 13",
    "Errcode: 13",
    "errno 13",
    "Could not start MySQL",
    "Specified key was too long",
    "Incorrect string value",
    "No space left on device",
)
LASTING = (
    "Failed to get connection to database",
    "Access denied for user",
    "Communications link failure",
    "Unknown database",
)
_WAYS = {
    "LockException": "a start was killed while it held the lock; when no server runs, an "
    "administrator can run: UPDATE DATABASECHANGELOGLOCK SET LOCKED=0 WHERE ID=1;",
    "rrno: 13": "the directory of the embedded database must belong to 102:105",
    "rrcode: 13": "the directory of the embedded database must belong to 102:105",
    "No space left": "the disk is full",
    "connection to database": "check rancher:server:database, from inside of a container, too",
    "Access denied": "check rancher:server:database:user and :password",
}


def until_ready(pillar, name, url, limit):
    """
    Wait until a Rancher server answers ``pong``; what is waited for is in the log at level info.
    Returns the seconds that it took (int).
    """
    start = told = time.monotonic()
    trouble = code = None
    first = _look(name)
    while True:
        answer = _rancher_project.ready(pillar, url, timeout=5)
        passed = time.monotonic() - start
        if answer["ready"]:
            return round(passed)
        now = _look(name)
        if now:
            # That of its last end, also when it runs again.
            code = now["code"] = code if now["code"] is None else now["code"]
        lines = _docker_engine.logs(name, since=first["since"]) if first and now else []
        trouble = trouble or (passed if _with(LASTING, lines) else None)
        problem = hopeless(first, now, lines, 0 if trouble is None else passed - trouble)
        if problem is None and passed + PAUSE > limit:
            problem = f"it did not answer within {limit} s: {answer['reason']}"
        if problem:
            secrets = [*_pillar_secrets(pillar), *(now or first or {"secrets": []})["secrets"]]
            raise CommandExecutionError(report(name, problem, lines, secrets))
        if time.monotonic() - told >= TELL:
            told = time.monotonic()
            log.info(
                "waiting for pong of %s (%s): %d s of %d s", url, answer["reason"], passed, limit
            )
        time.sleep(PAUSE)


def _look(name):
    inspected = _docker_engine.container(name)
    return inspected and condition(inspected)


def _pillar_secrets(pillar):
    server = (pillar.get("rancher") or {}).get("server") or {}
    for key in ("database", "database_admin"):
        if (server.get(key) or {}).get("password"):
            yield str(server[key]["password"])


# Pure: what is seen of a container, and what it means.


def condition(inspected):
    """
    What counts of a container that starts. Holds its secrets: never log it. Returns a dict:
    ``status``, ``code`` (exit code, None while it runs), ``error``, ``memory`` (bool: killed for
    lack of it), ``restarts`` (int), ``since`` (seconds since 1970: what its log tells from then on
    belongs to its last start) and ``secrets``.
    """
    state = inspected["State"]
    given = (entry.partition("=")[::2] for entry in inspected["Config"].get("Env") or [])
    return {
        "status": state["Status"],
        "code": None if state["Status"] == "running" else state.get("ExitCode"),
        "error": state.get("Error") or "",
        "memory": bool(state.get("OOMKilled")),
        "restarts": inspected.get("RestartCount", 0),
        "since": _since(state),
        "secrets": [value for key, value in given if value and re.search("PASS|SECRET|KEY", key)],
    }


def _since(state):
    """
    Halfway from the end before the last start to that start: Docker notes the start when the
    first lines may have been written, and the end when the last ones may not.
    """
    started = _seconds(state.get("StartedAt") or "")
    return (started + min(started, _seconds(state.get("FinishedAt") or ""))) / 2


def _seconds(text):
    """Docker's time, which has nanoseconds, since 1970; 0 when it never started."""
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,6})?\d*(Z|[+-]\d\d:\d\d)$", text)
    if not match or text.startswith("0001"):
        return 0
    zone = "+00:00" if match[3] == "Z" else match[3]
    whole = datetime.datetime.fromisoformat(match[1] + zone).timestamp()
    return whole + float(match[2] or 0)


def hopeless(first, now, lines, lasted):
    """Why waiting longer does not help. Returns a text, or None while it may help."""
    if first is None or now is None:
        return "there is no such container; apply server.container"
    if now["status"] not in ("running", "restarting"):
        why = "memory was short" if now["memory"] else now["error"] or f"exit code {now['code']}"
        return f"the container does not run, it is {now['status']} ({why})"
    if _with(FATAL, lines):
        return "the server says that it cannot start"
    ended = now["restarts"] - first["restarts"]
    if ended and now["restarts"] >= ENDS:
        how = "" if now["code"] is None else f", with exit code {now['code']}"
        return f"the container ended {now['restarts']} times and was restarted{how}"
    if lasted >= PATIENCE:
        return f"the server could not use its database for {round(lasted)} s"
    return None


def _with(words, lines):
    return [line for line in lines if any(word in line for word in words)]


def report(name, problem, lines, secrets):
    """
    The message of a start that failed: one line, with the log's words, without secrets. Returns a
    text.
    """
    # What says most comes first: the cause before the failure that it led to.
    chosen = [*_last(_with(LASTING + FATAL[1:], lines), 2), *_last(_with(FATAL[:1], lines), 1)]
    shown = [hide(line, secrets)[:240] for line in chosen or _last(lines, 3)]
    text = f"{name}: {problem}"
    text += f". Its log: {' | '.join(shown)}" if shown else ". Its log is empty"
    ways = [way for words, way in _WAYS.items() if any(words in line for line in chosen)]
    return text + (f". Next: {ways[0]}" if ways else f"; `docker logs {name}` shows more")


def _last(lines, number):
    """The last different ones, in order."""
    return list(dict.fromkeys(reversed(lines)))[:number][::-1]


def hide(text, secrets):
    """
    Put asterisks in place of secrets, however they were quoted. Returns the line without them.
    """
    forms = set()
    for secret in secrets:
        forms |= {secret, secret.strip(), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
        forms |= {urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret)}
        forms |= {
            secret.replace("'", "''"),
            secret.replace("'", "\\'"),
            secret.replace("\\", "\\\\"),
        }
    for form in sorted(filter(None, forms), key=len, reverse=True):
        text = text.replace(form, "***")
    return text
