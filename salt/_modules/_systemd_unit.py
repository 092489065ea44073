"""
Units and variable files as systemd reads them, and the command that comes of both; all of it pure.

By systemd.syntax(7), systemd.exec(5) and systemd.service(5), not by a shell's rules, which differ:
a ``#`` within a word is a character, a backslash counts within single quotes, too.
"""

import os
import re

_BLANK = " \t\n\r"
_LINES = re.compile(r"\r\n|\n|\r|\0")
# systemd.unit(5): the folders and the user of a unit of the system; it has no instance.
_SPECIFIERS = {
    **{"%%": "%", "%i": "", "%I": "", "%t": "/run", "%E": "/etc", "%S": "/var/lib"},
    **{"%C": "/var/cache", "%L": "/var/log", "%T": "/tmp", "%V": "/var/tmp"},  # noqa: S108
    **{"%h": "/root", "%u": "root", "%U": "0", "%g": "root", "%G": "0"},
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What a backslash and this letter stand for in a unit.
_LETTERS = dict(zip("abfnrtv\\\"'s", "\a\b\f\n\r\t\v\\\"' ", strict=True))
_CODES = re.compile(r"x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}")


# -- units ---------------------------------------------------------------------------------------


def settings(text):
    """
    Read a unit or a drop-in. Returns a list of (section, key, value), in the order of the file; what
    systemd ignores is not in it.
    """
    found, section = [], None
    for line in _logical_lines(text):
        line = line.strip(_BLANK)
        if line.startswith("["):
            if not line.endswith("]"):
                break
            section = line[1:-1]
            continue
        key, equals, value = line.partition("=")
        if equals and key.strip(_BLANK) and section:
            found.append((section, key.strip(_BLANK), value.strip(_BLANK)))
    return found


def _logical_lines(text):
    """Lines with their continuations; a comment within them is skipped, an empty line ends them."""
    begun = ""
    for line in _LINES.split(text.removeprefix("\ufeff")):
        if line.lstrip(_BLANK)[:1] in ("#", ";"):
            continue
        begun += line
        if (len(begun) - len(begun.rstrip("\\"))) % 2:
            begun = f"{begun[:-1]} "
            continue
        yield begun
        begun = ""
    yield begun


def words(value, first=False):
    """
    Cut a value into words: quotes and escapes are taken off. Returns a list of str, the rest of the
    value as well where only the ``first`` word is wanted; None when a quote does not end.
    """
    found, rest = [], value.lstrip(_BLANK)
    while rest:
        word, rest = _word(rest)
        if word is None:
            return None
        found.append(word)
        if first:
            break
    return (found, rest) if first else found


def _word(text):
    word, quote, at = "", None, 0
    while at < len(text):
        letter = text[at]
        at += 1
        if letter == "\\" and at < len(text):
            meant, taken = _escaped(text[at:])
            word, at = word + meant, at + taken
        elif letter == quote:
            quote = None
        elif quote is None and letter in "'\"":
            quote = letter
        elif quote is None and letter in _BLANK:
            break
        else:
            word += letter
    return (word if quote is None else None), text[at:].lstrip(_BLANK)


def _escaped(text):
    """What a backslash before this text stands for, and how many characters that takes."""
    code = _CODES.match(text)
    if code:
        digits = code[0].lstrip("xuU")
        number = int(digits, 8 if code[0][0].isdigit() else 16)
        if 0 < number < 0x110000:
            return chr(number), code.end()
    if text[0] in _LETTERS:
        return _LETTERS[text[0]], 1
    # Not known: systemd keeps both.
    return f"\\{text[0]}", 1


def specifiers(text, unit, host=None):
    """
    Replace systemd's specifiers in a setting of a system unit that is no template. ``host`` is what
    ``os.uname`` gives; what is not known here stays, as systemd leaves what it does not know.
    """
    stem = unit.rpartition(".")[0]
    known = {**_SPECIFIERS, "%n": unit, **dict.fromkeys(("%N", "%p", "%P"), stem)}
    known |= {"%f": f"/{stem}", **dict.fromkeys(("%j", "%J"), stem.rpartition("-")[2])}
    if host:
        short = host.nodename.partition(".")[0]
        known |= {"%H": host.nodename, "%l": short, "%v": host.release}
    return re.sub(r"%[%A-Za-z]", lambda hit: known.get(hit[0], hit[0]), text)


def assignments(value):
    """Read the value of ``Environment=``. Returns a list of (name, text)."""
    pairs = (word.partition("=") for word in words(value) or [])
    return [(name, text) for name, equals, text in pairs if equals and _NAME.fullmatch(name)]


def commands(value):
    """
    Read the value of ``ExecStart=``. Returns a list of dicts ``words`` (the program without its prefixes
    first) and ``plain`` (whether variables stay as they are written).
    """
    found, rest = [], value.strip(_BLANK)
    while rest:
        argv, rest = _command(rest)
        if argv is None:
            return found
        prefix = re.match(r"[-@:+!|]*", argv[0])[0] if argv else ""
        if argv and argv[0] != prefix:
            # With @ the second word is only the name under which it runs.
            begin = 2 if "@" in prefix else 1
            words_ = [argv[0].removeprefix(prefix), *argv[begin:]]
            found.append({"words": words_, "plain": ":" in prefix})
    return found


def _command(rest):
    argv = []
    while rest:
        semicolon = re.match(r"(\\?;)(?:[ \t\n\r]+|$)", rest)
        if semicolon and argv:
            rest = rest[semicolon.end() :]
            if semicolon[1] == ";":
                break
            argv.append(";")
            continue
        one = words(rest, first=True)
        if one is None:
            return None, ""
        argv, rest = argv + one[0], one[1]
    return argv, rest


# -- files of variables --------------------------------------------------------------------------


def variables(text):
    """
    Read a file of ``EnvironmentFile=``. Returns a dict of name to value; lines that systemd ignores,
    ``export`` among them, are not in it.
    """
    found, at = {}, 0
    while at < len(text):
        line = re.compile(r"[ \t\n\r]*([#;]?)").match(text, at)
        at = line.end()
        if line[1]:
            at = re.compile(r"(?:\\.|[^\n\r\\])*", re.DOTALL).match(text, at).end()
            continue
        # Its first character is never taken for the sign.
        key = re.compile(r"[^\n\r]?[^=\n\r]*(=?)").match(text, at)
        at = key.end()
        if key[1]:
            value, at = _value(text, at)
            name = key[0][:-1].strip(_BLANK)
            if _NAME.fullmatch(name):
                found[name] = value
    return found


def _value(text, at):
    """The value that begins there, and where it ends: with quotes, escapes and further lines."""
    value, kept, quote, begun = "", 0, None, False
    while at < len(text):
        letter = text[at]
        at += 1
        following = text[at : at + 1]
        if quote:
            if letter == quote:
                quote, begun, kept = None, False, len(value)
            elif letter == "\\" and quote == '"' and following:
                at += 1
                value += (
                    following if following in '"\\`$' else ("\\" + following) * (following != "\n")
                )
            else:
                value += letter
        elif letter in "\n\r":
            break
        elif letter == "\\":
            at += 1
            if following not in ("\n", "\r"):
                value += following
            begun, kept = True, len(value)
        elif not begun and letter in "'\"":
            quote = letter
        elif begun or letter not in _BLANK:
            value, begun = value + letter, True
            kept = kept if letter in _BLANK else len(value)
    return (value if quote else value[:kept]), at


# -- what runs -----------------------------------------------------------------------------------


def expanded(word, environment):
    """Replace variables in a word of a command. Returns a list of words, maybe none."""
    if word[:1] == "$" and word[1:2] not in ("{", "$"):
        return words_of(environment.get(word[1:], ""))

    def meant(hit):
        return "$" if hit[0] == "$$" else environment.get(hit[1], "")

    return [re.sub(r"\$\$|\$\{([^}]*)\}", meant, word)]


def words_of(text):
    """Cut a variable's value into words as systemd does for ``$NAME``. Returns a list of str."""
    found, rest = [], text.strip(_BLANK)
    for match in re.finditer(r"""(?:[^\s'"\\]|\\.|'(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?)+""", rest):
        found.append(re.sub(r"""\\(.)|['"]""", lambda hit: hit[1] or "", match[0]))
    return found


def files_named(path):
    """Read the value of ``EnvironmentFile=``. Returns (path, whether it must be there), or None."""
    name = path.removeprefix("-")
    return (name, name == path) if os.path.isabs(name) else None
