"""
Names that Kubernetes takes, made of those that Rancher took: valid, without collisions, and the
same in every export.
"""

import hashlib
import ipaddress
import re

# Of a StatefulSet or a CronJob, to which Kubernetes itself appends (RFC 1123 would allow 63).
LONGEST = 52
_RESERVED = re.compile(r"default|kube-.*")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_PREFIX = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_ENVIRONMENT = re.compile(r"[A-Za-z_.-][A-Za-z0-9_.-]*")


class Names:
    """One scope, such as a namespace: by id, so that nothing depends on the order of questions."""

    def __init__(self, originals, reserved=None):
        """originals: what Rancher calls each, by id."""
        self._originals, self._known = dict(originals), {}
        by_name = {}
        for one in sorted(self._originals, key=lambda one: (self._originals[one], str(one))):
            name = valid(self._originals[one])
            if reserved and reserved.fullmatch(name):
                name = f"rancher-{name}"[:LONGEST].rstrip("-")
            by_name.setdefault(name, []).append(one)
        for name, several in by_name.items():
            kept = [one for one in several if self._originals[one] == name][:1]
            for one in several:
                if len(several) == 1 or [one] == kept:
                    self._known[one] = name
                else:
                    twice = [self._originals[other] for other in several].count(
                        self._originals[one]
                    )
                    mark = f"{self._originals[one]}{one if twice > 1 else ''}"
                    self._known[one] = _marked(name, mark)

    def of(self, one):
        """The name in Kubernetes."""
        return self._known[one]

    def ids(self):
        """Everything that has a name here."""
        return sorted(self._known, key=str)

    def changed(self):
        """(original, name) where the two differ."""
        pairs = {(self._originals[one], name) for one, name in self._known.items()}
        return sorted(pair for pair in pairs if pair[0] != pair[1])


def namespaces(originals):
    """Names for namespaces, of which Kubernetes keeps some for itself."""
    return Names(originals, _RESERVED)


def valid(text, longest=LONGEST):
    """A label of RFC 1035, which every kind of object takes; long ones keep their difference."""
    name = re.sub(r"[^a-z0-9]+", "-", str(text).lower()).strip("-")
    if not name:
        return _marked("x", text)
    if not name[0].isalpha():
        name = f"x-{name}"
    return name if len(name) <= longest else _marked(name, text, longest)


def _marked(name, original, longest=LONGEST):
    mark = hashlib.sha256(str(original).encode("utf-8", "replace")).hexdigest()[:6]
    return f"{name[: longest - 7].rstrip('-')}-{mark}"


def is_label_key(text):
    """Whether it can be the key of a label or an annotation."""
    prefix, slash, name = text.rpartition("/")
    if slash and not (len(prefix) <= 253 and _PREFIX.fullmatch(prefix)):
        return False
    return bool(_LABEL.fullmatch(name))


def is_label(text):
    """Whether it can be the value of a label."""
    return text == "" or bool(_LABEL.fullmatch(text))


def is_host(text):
    """Whether it can be a host name, with several parts."""
    return len(text) <= 253 and bool(_PREFIX.fullmatch(text))


def address(text):
    """An address that a pod may reach, or None: Kubernetes takes none of the node itself."""
    try:
        found = ipaddress.ip_address(str(text).strip())
    except ValueError:
        return None
    odd = found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast
    return None if odd else found


def is_variable(text):
    """Whether it can be the name of an environment variable in every supported version."""
    return bool(_ENVIRONMENT.fullmatch(text)) and not text.startswith("..") and text != "."
