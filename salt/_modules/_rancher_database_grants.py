"""
What an account may do with a database, from its SHOW GRANTS; all of it pure.
"""

import re

# Everything that ALL means for a database in every MySQL 5.x.
ALL = {
    "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "REFERENCES", "INDEX", "ALTER",
    "CREATE TEMPORARY TABLES", "LOCK TABLES", "EXECUTE", "CREATE VIEW", "SHOW VIEW",
    "CREATE ROUTINE", "ALTER ROUTINE", "EVENT", "TRIGGER",
}  # fmt: skip
# An identifier in backquotes, in double quotes or bare; what a column list or a text may hold.
_NAME = r"`(?:[^`]|``)*`|\"(?:[^\"]|\"\")*\"|[^\s.`\"']+"
_GRANT = re.compile(rf"(GRANT|REVOKE) (.+?) ON ({_NAME})\.\* (?:TO|FROM) ", re.DOTALL)


def missing(grants, name, folded=False):
    """
    Which rights on a database an account lacks. Returns the missing privileges (list of str),
    ``["ALL PRIVILEGES"]`` when there is none at all. ``folded``: names have no upper case here.
    """
    everywhere, patterns, revoked = set(), {}, set()
    for kind, rights, pattern in filter(None, map(parsed, grants)):
        if kind == "REVOKE":
            # MySQL 8: what a right on everything does not mean.
            revoked |= rights if _covers(pattern, name, folded) else set()
        elif pattern == "*":
            everywhere |= rights
        elif _covers(pattern, name, folded):
            patterns.setdefault(pattern, set()).update(rights)
    # Of several patterns that fit, the server takes only the most exact one.
    exact = patterns[max(patterns, key=_exactness)] if patterns else set()
    held = (everywhere - revoked) | exact
    return [] if held >= ALL else sorted(ALL - held) if held else ["ALL PRIVILEGES"]


def parsed(grant):
    """
    One line of SHOW GRANTS, of whatever version: GRANT or REVOKE, the rights on a whole database
    (set of str) and its pattern, ``*`` for all; None for what says nothing of a database.
    """
    match = _GRANT.match(grant)
    if not match:
        return None
    rights = {" ".join(right.split()).upper() for right in match[2].split(",")}
    if rights & {"ALL", "ALL PRIVILEGES"}:
        rights |= ALL
    return match[1], rights & ALL, _unquoted(match[3])


def _unquoted(name):
    mark = name[0]
    return name[1:-1].replace(mark * 2, mark) if mark in '`"' else name


def _covers(pattern, name, folded):
    """Whether a grant's database is this one; _ and % stand for others unless escaped."""
    if pattern == "*":
        return True
    wild = {"%": ".*", "_": "."}
    regex = "".join(
        wild.get(part) or re.escape(part.removeprefix("\\") or "\\") for part in _parts(pattern)
    )
    return re.fullmatch(regex, name, re.DOTALL | (re.IGNORECASE if folded else 0)) is not None


def _parts(pattern):
    return re.findall(r"\\.|.", pattern, re.DOTALL)


def _exactness(pattern):
    """As the server sorts them: the later its first wildcard comes, the more exact a pattern is."""
    parts = _parts(pattern)
    wild = [place for place, part in enumerate(parts) if part in "%_"]
    return (wild[0] if wild else len(parts) + 1, len(parts))
