"""
The account of one document of Rancher's API: what became of every field that has a value.

A field that nobody accounts for ends as "needs a person", so that none is ever dropped.
"""

import json

TRANSLATED, CHANGED, PERSON = "translated", "changed", "needs a person"
_WEIGHT = {TRANSLATED: 0, CHANGED: 1, PERSON: 2}

# Fields whose parts are accounted for one by one.
_OPENED = {
    "launchConfig",
    "secondaryLaunchConfigs",
    "lbConfig",
    "portRules",
    "stickinessPolicy",
    "healthCheck",
    "secrets",
    "logConfig",
    "labels",
    "linkedServices",
    "restartPolicy",
    "scalePolicy",
}
# What Rancher notes down about its own work.
RECORD = {
    *("accountId", "agentId", "allocationState", "baseType", "binding", "count", "createIndex"),
    *("created", "createdTS", "currentScale", "data", "deploymentUnitUuid", "externalId"),
    *("firstRunning", "firstRunningTS", "healthState", "healthcheckStates", "id", "instanceIds"),
    *("kind", "mounts", "primaryIpAddress", "primaryNetworkId", "publicEndpoints", "removeTime"),
    *("removeTimeTS", "removed", "removedTS", "serviceId", "serviceIds", "stackId", "startCount"),
    *("startOnCreate", "state", "system", "token", "transitioning", "transitioningMessage"),
    *("transitioningProgress", "type", "uuid", "userPorts", "version", "nativeContainer"),
    *("outputs", "previousEnvironment", "previousExternalId"),
}
# What Kubernetes does as well when nothing is given.
_DEFAULTS = {
    **dict.fromkeys(
        ("privileged", "readOnly", "tty", "stdinOpen", "publishAllPorts", "runInit", "retainIp"),
        False,
    ),
    **dict.fromkeys(("assignServiceIpAddress", "oomKillDisable", "external"), False),
    **{"vcpu": 1, "drainTimeoutMs": 0, "instanceTriggeredStop": "stop", "isHostPath": False},
}


def has_value(value):
    """Whether there is anything to account for."""
    return value is not None and value != "" and value != [] and value != {}


def leaves(document):
    """(path, value) of every field that has a value."""
    for name in document:
        if name not in ("links", "actions"):
            yield from _leaves(name, name, document[name])


def _leaves(path, name, value):
    if not has_value(value):
        return
    if name in _OPENED and isinstance(value, dict):
        inner = "{}[{}]" if name in ("labels", "linkedServices") else "{}.{}"
        for key, one in value.items():
            if name in ("labels", "linkedServices"):
                yield inner.format(path, key), one
            else:
                yield from _leaves(inner.format(path, key), key, one)
    elif name in _OPENED and all(isinstance(one, dict) for one in value):
        for number, one in enumerate(value):
            mark = one.get("name") if name == "secondaryLaunchConfigs" else number
            for key, part in one.items():
                yield from _leaves(f"{path}[{mark}].{key}", key, part)
    else:
        yield path, value


class Ledger:
    """The account; `at("launchConfig")` gives a part of it."""

    def __init__(self, document):
        self.values = dict(leaves(document))
        self._rows = {}
        self._part = ""

    def at(self, part):
        """The same account, with paths below a part."""
        below = Ledger({})
        below.values, below._rows = self.values, self._rows
        below._part = f"{self._part}{part}."
        return below

    def translated(self, path, words):
        """It is in a manifest as it was."""
        self._note(path, TRANSLATED, words)

    def changed(self, path, words):
        """Something else stands for it."""
        self._note(path, CHANGED, words)

    def person(self, path, words):
        """Somebody has to do or to decide something."""
        self._note(path, PERSON, words)

    def all(self, verdict, words, below=""):
        """The same for everything that is not accounted for yet and says something."""
        for path, value in self.values.items():
            asked = path in self._rows or _unasked(path, value)[0] != PERSON
            if path.startswith(f"{self._part}{below}") and not asked:
                self._rows[path] = (verdict, words)

    def _note(self, path, verdict, words):
        path = f"{self._part}{path}"
        if path not in self.values:
            return
        before, said = self._rows.get(path, (verdict, ""))
        if _WEIGHT[before] > _WEIGHT[verdict]:
            return
        same = before == verdict and said and words not in said
        self._rows[path] = (verdict, f"{said}; {words}" if same else said or words)
        if _WEIGHT[before] < _WEIGHT[verdict]:
            self._rows[path] = (verdict, words)

    def rows(self):
        """(path, value, verdict, words) of every field, in the order of the document's names."""
        for path in sorted(self.values):
            value = self.values[path]
            yield (path, value, *(self._rows.get(path) or _unasked(path, value)))

    def worst(self):
        """The heaviest verdict of all."""
        verdicts = [row[2] for row in self.rows()]
        return max(verdicts, key=_WEIGHT.get, default=TRANSLATED)


def _unasked(path, value):
    name = path.rpartition(".")[2]
    if name in RECORD:
        return CHANGED, RECORDED
    if name in _DEFAULTS and value == _DEFAULTS[name]:
        return TRANSLATED, USUAL
    return PERSON, "this export does not know it; see what it did, and decide"


RECORDED = "Rancher's own record; Kubernetes keeps its own"
USUAL = "the default here and there"


def quiet(row):
    """Whether a row says nothing that anybody has to read."""
    return row[3] in (RECORDED, USUAL)


def shown(value):
    """A value as a table shows it."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."
