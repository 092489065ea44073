"""systemd's own readers, called in its shared library: what our reader of units is compared with."""

import ctypes
import glob
import os
import tempfile

_FOUND = sorted(glob.glob("/usr/lib*/*/systemd/libsystemd-shared-252*.so"))
_CUNESCAPE, _UNESCAPE_RELAX, _UNQUOTE, _RELAX = 1 << 1, 1 << 2, 1 << 5, 1 << 0
_TEXT, _TEXTS = ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p)
_LOOKUP = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    _TEXT,
    _TEXT,
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.POINTER(ctypes.c_int),
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.c_void_p,
)
_PARSER = ctypes.CFUNCTYPE(
    ctypes.c_int,
    _TEXT,
    _TEXT,
    ctypes.c_uint,
    _TEXT,
    ctypes.c_uint,
    _TEXT,
    ctypes.c_int,
    _TEXT,
    ctypes.c_void_p,
    ctypes.c_void_p,
)


def there():
    """Whether this machine has the version whose inner interface is known here."""
    return bool(_FOUND)


def _library():
    library = ctypes.CDLL(_FOUND[0])
    library.replace_env_argv.restype = ctypes.c_void_p
    return library, ctypes.CDLL(None)


def _strings(address):
    """A NULL-terminated array of C strings."""
    array, found, at = ctypes.cast(address, _TEXTS), [], 0
    while address and array[at] is not None:
        found.append(array[at].decode())
        at += 1
    return found


def _array(texts):
    encoded = [text.encode() for text in texts]
    return (ctypes.c_char_p * (len(encoded) + 1))(*encoded, None)


def words(value):
    """As for ``ExecStart=`` and ``Environment=``; None when it refuses the value."""
    library, _ = _library()
    rest, word, found = _TEXT(value.encode()), _TEXT(), []
    while True:
        flags = _CUNESCAPE | _UNESCAPE_RELAX | _UNQUOTE
        done = library.extract_first_word(ctypes.byref(rest), ctypes.byref(word), None, flags)
        if done <= 0:
            return None if done < 0 else found
        found.append(word.value.decode())


def split_variable(value):
    """As for ``$NAME`` in a command."""
    library, _ = _library()
    found = ctypes.c_void_p()
    done = library.strv_split_full(
        ctypes.byref(found), value.encode(), b" \t\n\r", _RELAX | _UNQUOTE
    )
    return None if done < 0 else _strings(found.value)


def expanded(argv, environment):
    """The words of a command with the variables put in."""
    library, _ = _library()
    given = [f"{name}={value}" for name, value in environment.items()]
    return _strings(library.replace_env_argv(_array(argv), _array(given)))


def _with_file(text, use):
    _, libc = _library()
    libc.fopen.restype = ctypes.c_void_p
    handle, path = tempfile.mkstemp()
    try:
        os.write(handle, text.encode())
        os.close(handle)
        stream = libc.fopen(path.encode(), b"r")
        try:
            return use(ctypes.c_void_p(stream), path)
        finally:
            libc.fclose(ctypes.c_void_p(stream))
    finally:
        os.unlink(path)


def variables(text):
    """As of an ``EnvironmentFile=``; None when it refuses the whole file."""

    def use(stream, path):
        library, _ = _library()
        found = ctypes.c_void_p()
        if library.load_env_file(stream, path.encode(), ctypes.byref(found)) < 0:
            return None
        return dict(pair.partition("=")[::2] for pair in _strings(found.value))

    return _with_file(text, use)


def settings(text, sections):
    """Every (section, key, value) of a unit; None when it refuses the file."""
    found = []

    def take(unit, name, line, section, section_line, key, kind, value, data, user):
        found.append((section.decode(), key.decode(), value.decode()))
        return 0

    taker = _PARSER(take)

    def look(table, section, key, function, kind, data, user):
        function[0] = ctypes.cast(taker, ctypes.c_void_p).value
        kind[0], data[0] = 0, None
        return 1

    def use(stream, path):
        library, _ = _library()
        names = b"".join(name.encode() + b"\0" for name in sections)
        nothing = ctypes.c_void_p()
        done = library.config_parse(
            None, path.encode(), stream, names, _LOOKUP(look), nothing, 0, nothing, nothing
        )
        return None if done < 0 else found

    return _with_file(text, use)
