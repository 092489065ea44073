"""
The command line that docker.service gives to the daemon, and which file says which word of it.
"""

import fnmatch
import glob
import os
import re

import _docker_flags
import _host
import _systemd_unit

UNIT = "docker.service"
# The one variable that the daemon itself takes before its file, and without a word.
DRIVER = "DOCKER_DRIVER"
# In the order in which systemd prefers them. The last three belong to packages.
_FOLDERS = ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
_PACKAGED = _FOLDERS[2:]
# Variables that units of some Docker read, whether today's unit names them or not.
VARIABLES = (
    "/etc/sysconfig/docker",
    "/etc/sysconfig/docker-network",
    "/etc/sysconfig/docker-storage",
    "/etc/sysconfig/docker-storage-setup",
    "/etc/default/docker",
)


# -- pure ----------------------------------------------------------------------------------------


def packaged(path):
    """Whether a unit or drop-in belongs to a package, and so is not ours to move."""
    return path.startswith(tuple(f"{folder}/systemd/" for folder in _PACKAGED))


def units(files):
    """The unit that counts, then the drop-ins in systemd's order. Returns a list of paths."""
    base = [path for path in _places("") if path in files][:1]
    named = {}
    for kind in ("service.d", f"{UNIT}.d"):
        for folder in reversed(_FOLDERS):
            for path in files:
                if os.path.dirname(path) == f"{folder}/systemd/system/{kind}":
                    named[os.path.basename(path)] = path
    return [*base, *(named[name] for name in sorted(named))]


def _places(kind):
    return [f"{folder}/systemd/system/{UNIT}{kind}" for folder in _FOLDERS]


def compose(files, assumed=None):
    """
    Put the command together as systemd would. With ``assumed`` (words) a unit that is yet to come, of which
    it is not known what it reads: every variable counts. Returns a dict ``words`` (list of (word, path)),
    ``old`` (path to such as ``docker daemon``), ``named`` (variable file to (path, whether it must be)) and
    ``driver`` (what DOCKER_DRIVER says and where, or None).
    """
    commands, variables, named, unset = [], {}, {}, []
    for path in units(files):
        for section, key, value in _systemd_unit.settings(files[path]):
            if section == "Service":
                value = _systemd_unit.specifiers(value, UNIT, os.uname())
                _take(path, key, value, commands, variables, named)
                if key == "UnsetEnvironment":
                    unset = [*unset, *(_systemd_unit.words(value) or [])] if value else []
    for pattern in named:
        for path in sorted(path for path in files if _named(path, pattern)):
            read = _systemd_unit.variables(files[path])
            variables.update({name: (value, path) for name, value in read.items()})
    for name, (value, _) in list(variables.items()):
        if {name, f"{name}={value}"} & {*unset}:
            del variables[name]
    old = {path: _docker_flags.old_command(words) for words, _, path in commands}
    old = {path: command for path, command in old.items() if command}
    if assumed is not None:
        commands = [one for one in commands if not (one[2] in old and packaged(one[2]))]
    found = [each for one in commands for each in _words(*one, variables)]
    if assumed is not None and not commands:
        found = [(word, None) for word in assumed]
        for value, path in variables.values():
            found += [(word, path) for word in _systemd_unit.words_of(value)]
    return {"words": found, "old": old, "named": named, "driver": variables.get(DRIVER)}


def _named(path, pattern):
    """Whether a pattern of glob(7) names a path: a star is no slash, and no dot at the beginning."""
    parts, patterns = path.split("/"), re.sub("/+", "/", pattern).split("/")
    return len(parts) == len(patterns) and all(
        fnmatch.fnmatchcase(part, one) and (part[:1] != "." or one[:1] == ".")
        for part, one in zip(parts, patterns, strict=True)
    )


def _take(path, key, value, commands, variables, named):
    if key == "ExecStart":
        if not value:
            commands.clear()
        for one in _systemd_unit.commands(value):
            commands.append((_docker_flags.program(one["words"]), one["plain"], path))
    elif key == "Environment":
        if not value:
            variables.clear()
        variables.update({name: (text, path) for name, text in _systemd_unit.assignments(value)})
    elif key == "EnvironmentFile":
        if not value:
            named.clear()
        file = _systemd_unit.files_named(value)
        if file:
            # Of two lines with one name the later one counts: it is read again.
            named.pop(file[0], None)
            named[file[0]] = (path, file[1])


def _words(words, plain, path, variables):
    environment = {name: value for name, (value, _) in variables.items()}
    for word in words:
        # Whose word it is: of the file that sets the variable, where the variable is all of it.
        name = word.lstrip("$").strip("{}") if word.startswith("$") else None
        origin = variables[name][1] if not plain and name in variables else path
        for each in [word] if plain else _systemd_unit.expanded(word, environment):
            yield each, origin


def flags(composed):
    """The flags of a composed command. Returns the list of ``_docker_flags.parse``, with ``path`` each."""
    found = _docker_flags.parse([word for word, _ in composed["words"]])
    found = [{**each, "path": composed["words"][each["at"]][1]} for each in found]
    if composed["driver"] and composed["driver"][0]:
        value, path = composed["driver"]
        one = {"name": "storage-driver", "key": "storage-driver", "flag": DRIVER, "at": None}
        found.append({**one, "value": value, "path": path})
    return found


# -- the host ------------------------------------------------------------------------------------


def read():
    """
    Read every file that can tell the daemon something on its command line. Returns a dict of path
    to content, of the files that are there; what is masked is empty.
    """
    paths = [*_places(""), *VARIABLES]
    for folder in (*_places(".d"), *(f"{each}/systemd/system/service.d" for each in _FOLDERS)):
        paths += sorted(glob.glob(f"{folder}/*.conf"))
    found = _contents(paths)
    named = compose(found)["named"]
    return {**found, **_contents(path for name in named for path in sorted(glob.glob(name)))}


def _contents(paths):
    texts = {path: "" if _masked(path) else _text(path) for path in paths}
    return {path: text for path, text in texts.items() if text is not None}


def _masked(path):
    return os.path.realpath(path) == os.devnull


def _text(path):
    return _host.read(path) if os.path.isfile(path) else None
