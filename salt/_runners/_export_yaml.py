"""
YAML that every reader takes for the same: Kubernetes' own reads YAML 1.1 and 1.2 at once, so that
every text that any of them could take for something else stands in quotes.
"""

import re

import yaml

# Words, and nothing that begins like a number, a date or an indicator.
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./@-]*(:[A-Za-z0-9_./@-]+)*")
_OTHERWISE = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):
    def ignore_aliases(self, data):
        return True


def _text(dumper, value):
    if _PLAIN.fullmatch(value) and value.lower() not in _OTHERWISE:
        style = None
    elif "\n" in value and value.isascii():
        # The emitter itself takes quotes where a block would lose a space.
        style = "|"
    else:
        style = "'" if value.isascii() and value.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def dump(*documents):
    """The documents as one text."""
    return yaml.dump_all(
        documents,
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        width=10**6,
        explicit_start=len(documents) > 1,
    )
