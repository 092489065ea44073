"""
What looks like a secret, and the one file in which it is kept.
"""

import re

_NAME = re.compile(
    r"passw|passphrase|secret|token|credential|api_?key|private|pass($|_)|(^|_)(auth|key|keys|pwd|pw|pin"
    r"|salt|jwt|hmac|dsn)($|_)"
)
_TEXT = re.compile(
    r"://[^/\s@]*:[^/\s@]+@"  # a user's password in a URL
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|(?<!\S)--?(password|passwd|pass|secret|token|api-?key)[ =]\S"
    r"|\b(Bearer|Basic) +[A-Za-z0-9+/=_.-]{8,}"
    r"|(?i:(passw\w*|passphrase|\w*secret\w*|\w*token\w*|api_?key|access_?key)['\"]?\s*[=:]\s*\S)"
)
# Ids of Rancher's own documents, such as `secretId`.
_REFERENCE = re.compile(r"[a-z]+([A-Z][a-z]+)*Ids?")
_WORDS = re.compile(r"([a-z0-9])([A-Z])")
_ARGUMENT = re.compile(r"-{1,2}([A-Za-z][\w-]*)(=.*)?", re.DOTALL)
HIDDEN = "(in secrets.yaml)"


def is_named(name):
    """Whether a name says that its value is secret."""
    if _REFERENCE.fullmatch(str(name)):
        return False
    words = re.sub(r"[^a-z0-9]+", "_", _WORDS.sub(r"\1_\2", str(name)).lower())
    return bool(_NAME.search(words))


def is_written(value):
    """Whether a text, or anything in a structure, is or contains a secret."""
    if isinstance(value, dict):
        return any((is_named(key) and bool(one)) or is_written(one) for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return any(is_written(one) for one in value) or bool(secret_arguments(value))
    return isinstance(value, str) and bool(_TEXT.search(value))


def secret_arguments(words):
    """Numbers of the words of a command line that hold a secret."""
    found, awaited = [], False
    for number, word in enumerate(words):
        text = "" if isinstance(word, (dict, list)) else str(word)
        option = _ARGUMENT.fullmatch(text)
        if (
            awaited
            and not text.startswith("-")
            or _TEXT.search(text)
            or (option and option.group(2) and is_named(option.group(1)))
        ):
            found.append(number)
        awaited = bool(option and not option.group(2) and is_named(option.group(1)))
    return found


def without(value):
    """The same structure, with every secret hidden."""
    if isinstance(value, dict):
        return {
            key: HIDDEN if is_named(key) and isinstance(one, str) and one else without(one)
            for key, one in value.items()
        }
    if isinstance(value, list):
        secret = secret_arguments(value)
        return [HIDDEN if n in secret else without(one) for n, one in enumerate(value)]
    return HIDDEN if is_written(value) else value


class Store:
    """The secrets of one stack: `put` gives the reference to put into a manifest."""

    def __init__(self, namespace):
        self.namespace = namespace
        self._kept = {}

    def put(self, name, key, value):
        """Keep a value in the Secret of this name."""
        key = re.sub(r"[^A-Za-z0-9._-]", "-", key)
        self._kept.setdefault(name, {})[key] = value
        return {"secretKeyRef": {"name": name, "key": key}}

    def manifests(self):
        """Every Secret, sorted."""
        for name, values in sorted(self._kept.items()):
            yield {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "namespace": self.namespace},
                "type": "Opaque",
                "stringData": dict(sorted(values.items())),
            }
