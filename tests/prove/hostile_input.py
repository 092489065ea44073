"""
Hostile input: what a pillar, an API, a disk or a tool can say that nobody wrote down.

Each group counts what was tried; `lost` are inputs that ended in a traceback, in more than one
line, or as another value than the one that was given.
"""

import functools
import http.server
import importlib
import json
import re
import tempfile
import threading

import salt.config
import salt.state
from fakes import DEFAULTS, GOOD_PILLAR, ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from salt.exceptions import CommandExecutionError, SaltInvocationError

import _fstab
import _rancher_project
import _rancher_registration
import _settings

SECTION = "hostile input"
MANY, SOME = 2000, 200

# --- What people and attackers write ---

SURPRISES = [
    "no", "yes", "off", "on", "null", "~", "0644", "1e3", "1_000", "0x1F", "2017-06-02",
    "2017-06-02 11:12:13", ".nan", ".inf", "-.inf", "!!python/object/apply:os.system [id]",
    "!!binary aGk=", "*a", "&a b", "<<", "@x", "`id`", "$(id)", "${HOME}", "; reboot", "| sh",
    "&& id", "> /etc/passwd", "a'b", 'a"b', "a\\b", "{{ 7*7 }}", "{% raw %}", "{# x #}",
    "{{ salt['cmd.run']('id') }}", "%(x)s", "%n", "../../etc/passwd", "/etc/../etc/passwd", "/",
    "//", "/dev/sda", "/dev/../etc/shadow", "-rf", "--help", "a b", "a\tb", "a\nb", "a\r\nb",
    "a\0b", "\x1b[31mred", "\u2028", "\u202e", "ä", "日本", "🐳", "\ud800", "\x7f", "\x85", "\ufeff",
    "a" * 300, "9" * 400, "", " ", "#", ": ", "- ", "? ", "x: y", "[", "{", "%", "|", ">",
    "thinpool", "docker", "20G", "512K", "1T", "0K", "1.5G", "999999999T", "/data", "/data/x",
    "127.0.0.1", "http://user:pw@h/", "http://[::1", "file:///etc/passwd", "a/b:c", "a@sha256:0",
]  # fmt: skip


def _dates():
    return st.dates() | st.datetimes()


def _values():
    plain = (
        st.sampled_from(SURPRISES)
        | st.text(max_size=40)
        | st.integers()
        | st.integers(min_value=-(10**40), max_value=10**40)
        | st.floats()
        | st.booleans()
        | st.none()
        | st.binary(max_size=8)
        | _dates()
    )
    keys = st.sampled_from(SURPRISES) | st.text(max_size=8) | st.integers() | st.none()
    return st.recursive(
        plain,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=6,
    )


def leaves(rules, path=()):
    """The path of every setting, those of the database included."""
    for key, rule in rules.items():
        yield from leaves(rule, (*path, key)) if isinstance(rule, dict) else [(*path, key)]


def mutated(path, value):
    pillar = json.loads(json.dumps(GOOD_PILLAR))
    place = pillar
    for key in path[:-1]:
        place = place.setdefault(key, {})
    place[path[-1]] = value
    return pillar


# --- The pillar ---


class Rendered:
    """Salt's own compiler over the tree, for one pillar after the other."""

    PROBE = (
        "{%- if 'rancher-settings' not in opts %}"
        "{% include 'rancher_salt/settings.jinja' %}{% endif %}\n"
        "{%- set cfg = opts['rancher-settings'].cfg %}\n"
        "probe:\n  test.nop:\n    - cfg: {{ cfg | json }}\n"
    )

    def __init__(self, folder):
        opts = salt.config.minion_config(None)
        opts.update(
            root_dir=folder,
            cachedir=f"{folder}/cache",
            extension_modules=f"{folder}/extmods",
            file_client="local",
            file_roots={"base": [str(ROOT / "salt"), f"{folder}/sls"]},
            pillar_roots={"base": []},
            module_dirs=[str(ROOT / "salt")],
            id="prove",
            test=True,
            grains={
                "os": "Debian", "os_family": "Debian", "osmajorrelease": 12, "osrelease": "12",
                "osarch": "amd64", "kernel": "Linux", "id": "prove",
            },
        )  # fmt: skip
        (ROOT.__class__(folder) / "sls").mkdir()
        (ROOT.__class__(folder) / "sls/probe.sls").write_text(self.PROBE)
        first = {"rancher": {"hostname": None}}
        self.high = salt.state.HighState(opts, initial_pillar=first, loader="states")
        self.pillar = self.high.state.functions["pillar.get"]("rancher")

    def close(self):
        self.high.destroy()

    def __call__(self, pillar, sls):
        """The chunks and the complaints."""
        state = self.high.state
        # In place: making a compiler for each pillar would take seconds.
        self.pillar.clear()
        self.pillar.update(pillar)
        if state.functions["pillar.get"]("rancher") != pillar and pillar == pillar:
            raise AssertionError("the compiler works on another pillar")
        # The tree keeps its settings in the renderer's options for as long as a run lasts.
        render = state.rend["jinja"]
        getattr(render, "func", render).__globals__["__opts__"].pop("rancher-settings", None)
        self.high.building_highstate = type(self.high.building_highstate)()
        high, errors = self.high.render_highstate({"base": [sls]})
        high, more = state.reconcile_extend(high)
        errors += more + state.verify_high(high)
        return high, errors


def pillar_checks(tried, lost):
    """Any value for any key: lines, never a traceback; the key is named, secrets are not."""
    paths = list(leaves(_settings.SCHEMA))

    @settings(max_examples=MANY, deadline=None, database=None, derandomize=True)
    @given(st.sampled_from(paths), _values())
    def check(path, value):
        tried.append(1)
        lines = _settings.problems(mutated(path, value), DEFAULTS)
        secret = path[-1] in ("password", "access_key", "secret_key", "registration_url")
        for line in lines:
            if "\n" in line or not line.isprintable() or not line.startswith("rancher"):
                lost.append(f"{path} {value!r}: {line!r}")
            if secret and isinstance(value, str) and len(value) > 3 and value in line:
                lost.append(f"{path}: shows the secret {value!r}")

    check()


def pillar_shapes(tried, lost):
    """Any value in place of the pillar, of a section, of a name."""
    sections = st.sampled_from([*DEFAULTS, "swapp", "", "{{ x }}", "a\nb", 5, None])

    @settings(max_examples=MANY, deadline=None, database=None, derandomize=True)
    @given(st.dictionaries(sections, _values(), max_size=3) | _values())
    def check(pillar):
        tried.append(1)
        for line in _settings.problems(pillar, DEFAULTS):
            if "\n" in line or not line.isprintable():
                lost.append(f"{pillar!r}: {line!r}")

    check()


def rendered_values(tried, lost):
    """What is allowed comes down the tree as it was given; what is not is named, and never crashes."""
    paths = list(leaves(_settings.SCHEMA))
    free = [p for p in paths if p[-1] in ("daemon", "repository", "labels", "project", "options")]
    with tempfile.TemporaryDirectory() as folder:
        render = Rendered(folder)

        @settings(
            max_examples=SOME, deadline=None, database=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(
            st.sampled_from(paths + free * 5),
            _values() | st.dictionaries(st.text(max_size=5), _values(), max_size=3),
        )
        def check(path, value):
            tried.append(1)
            pillar = mutated(path, value)
            problems = _settings.problems(pillar, DEFAULTS)
            high, errors = render(pillar, "probe")
            if errors:
                lost.append(f"{path} {value!r}: {str(errors)[-200:]}")
                return
            cfg = next(
                a["cfg"] for a in high["probe"]["test"] if isinstance(a, dict) and "cfg" in a
            )
            have = cfg
            for key in path:
                have = have.get(key) if isinstance(have, dict) else None
            if not problems and path[0] != "server" and not same(have, value):
                lost.append(f"{path} {value!r} became {have!r}")

        try:
            check()
        finally:
            render.close()


def same(one, other):
    """Equal, and of the same kind: True is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() >= other.keys() and all(same(one[k], other[k]) for k in other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def whole_tree(tried, lost):
    """Every step of `common` compiles, whatever one setting holds."""
    paths = list(leaves(_settings.SCHEMA))
    with tempfile.TemporaryDirectory() as folder:
        render = Rendered(folder)
        try:
            for number, surprise in enumerate(SURPRISES):
                for path in paths[number % 12 :: 12]:
                    tried.append(1)
                    _, errors = render(mutated(path, surprise), "common")
                    if errors:
                        lost.append(f"{path} {surprise!r}: {str(errors)[-200:]}")
        finally:
            render.close()


# --- What tools, files and disks say ---

PARSERS = {
    "_disk_read.parse_blkid": (), "_disk_read.parse_wipefs": (), "_disk_read.parse_partx": (),
    "_disk_kernel.parse_mountinfo": (), "_swapfile.parse_swaps": (), "_fstab.parse": (),
    "_lvm.parse": (["vg_name", "vg_free_count"],), "_lvm.parse_version": (),
    "_lvm.doubts": (), "_boot_files.parse_sysctl": (),
    "_docker_service.parse_show": (), "_docker_storage.parse_pool": (), "_systemd_unit.settings": (),
    "_systemd_unit.variables": (), "_systemd_unit.commands": (),
}  # fmt: skip
PIECES = st.sampled_from(
    ["\n", " ", "\t", "=", ":", ",", "|", '"', "'", "\\", "\\x41", "\\040", "\\x", "0x1", "NR=", "TYPE=ext4",
     "# offset", " - ", "/dev/sda1", "1", "-1", "[", "]", "ExecStart=", "LVM version:", "9" * 30, "\0",
     "\x1b[2J", "\u2028", "ä", "\ud800", "²", "٣"]
)  # fmt: skip


def parsers(tried, lost):
    """Any text from a tool, a disk or a file: understood, or an error of one line."""
    known = {
        name: getattr(importlib.import_module(name.partition(".")[0]), name.partition(".")[2])
        for name in PARSERS
    }

    @settings(max_examples=MANY, deadline=None, database=None, derandomize=True)
    @given(
        st.sampled_from(sorted(PARSERS)),
        st.lists(PIECES | st.text(max_size=6), max_size=12).map("".join),
    )
    def check(name, text):
        tried.append(1)
        try:
            known[name](text, *PARSERS[name])
        except (CommandExecutionError, SaltInvocationError) as exc:
            if "\n" in str(exc) or not str(exc).isprintable():
                lost.append(f"{name} {text!r}: {exc}")
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is what we look for
            lost.append(f"{name} {text!r}: {type(exc).__name__} {exc}")

    check()


def refusal_texts(tried, lost):
    """Labels, UUIDs and names that a disk carries: a refusal stays one printable line."""
    from disk_kit import found, part, signature

    import _disk_refusals as rules

    text = st.sampled_from([s for s in SURPRISES if s]) | st.text(min_size=1, max_size=60)

    @settings(max_examples=SOME * 4, deadline=None, database=None, derandomize=True)
    @given(text, text, text, text)
    def check(kind, label, uuid, name):
        for disk in (
            found(signatures=[signature(kind, 0, uuid, label)], serial=name),
            found(part(label=name, signatures=[signature(kind, 0, uuid, label)], filesystem=kind)),
            found(mounts=[name]),
            found(users=[f"process 7 ({name}), which has it open"]),
            found(offset_signature=kind),
        ):
            tried.append(1)
            try:
                lost.append(f"accepted: {rules.stage(disk, 'rancher-data', 'linux')}")
            except CommandExecutionError as exc:
                if "\n" in str(exc) or not str(exc).isprintable():
                    lost.append(f"{(kind, label, uuid, name)!r}: {str(exc)!r}")

    check()


def fstab_lines(tried, lost):
    """Any mount point, spec and options: read back they are the same, and no other line moves."""
    word = st.sampled_from([s for s in SURPRISES if s and "\0" not in s]) | st.text(
        min_size=1, max_size=20
    )

    @settings(max_examples=MANY, deadline=None, database=None, derandomize=True)
    @given(word, word, word, word)
    def check(spec, file, kind, options):
        if "\0" in spec + file + kind + options:
            return
        tried.append(1)
        entry = {
            "spec": spec,
            "file": file,
            "type": kind,
            "options": options,
            "freq": 0,
            "passno": 0,
        }
        old = "# one\nproc /proc proc defaults 0 0\n"
        new = _fstab.replaced(old, {"file": file}, entry)
        back = _fstab.parse(new)
        if not new.startswith(old) or (back[-1:] != [entry] and file != "/proc"):
            lost.append(f"{entry!r}: {new!r}")

    check()


# --- What an API says ---


class Liar:
    """A server that says what it is told to, and writes down who asks."""

    def __enter__(self):
        liar = self
        self.body, self.kind, self.location, self.cut, self.asked = (
            b"",
            "application/json",
            None,
            0,
            [],
        )

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                liar.asked.append(dict(self.headers))
                self.send_response(302 if liar.location else liar.status)
                if liar.location:
                    self.send_header("Location", liar.location)
                self.send_header("Content-Type", liar.kind)
                self.send_header("Content-Length", str(len(liar.body) + liar.cut))
                self.end_headers()
                self.wfile.write(liar.body)

            do_POST = do_GET

            def log_message(self, *args):
                pass

        self.status = 200
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def rancher():
    """The API client, without a pillar."""
    modules = {"_rancher_project": _rancher_project, "_rancher_registration": _rancher_registration}
    parts = {call: call.split(".") for call in CALLS}
    return {
        call: functools.partial(getattr(modules[file], name), {})
        for call, (file, name) in parts.items()
    }


KEYS = {"access_key": "AKEY-7f3", "secret_key": "SKEY-hunter2"}
CALLS = {
    "_rancher_project.ready": {},
    "_rancher_project.at": KEYS,
    "_rancher_project.hosts": {**KEYS, "project": "1a5"},
    "_rancher_registration.registration": {**KEYS, "project": "1a5"},
}


def _calls(salt_, liar, tried, lost, what):
    for name, more in CALLS.items():
        tried.append(1)
        timeout = {"timeout": 3}
        try:
            salt_[name](liar.url, **more, **timeout)
        except (CommandExecutionError, SaltInvocationError) as exc:
            text = str(exc)
            if "\n" in text or not text.isprintable():
                lost.append(f"{name} {what}: {text!r}")
            if "hunter2" in text:
                lost.append(f"{name} {what}: shows a secret")
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is what we look for
            lost.append(f"{name} {what}: {type(exc).__name__} {exc}")


def api_answers(tried, lost):
    """Bodies of any shape, with any status."""
    salt_ = rancher()
    row = st.fixed_dictionaries(
        {},
        optional={
            key: _json() for key in ("id", "name", "state", "type", "links", "data", "image", "command",
                                     "registrationUrl", "token", "uuid", "hostname", "agentState", "labels",
                                     "pagination", "created", "orchestration", "kind", "baseType")
        },
    )  # fmt: skip
    body = (
        _json()
        | row
        | st.fixed_dictionaries({"data": st.lists(row, max_size=3), "type": st.just("collection")})
    )
    with Liar() as liar:

        @settings(
            max_examples=SOME, deadline=None, database=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(body, st.sampled_from([200, 200, 200, 201, 400, 401, 404, 422, 500]))
        def check(value, status):
            liar.body, liar.status = json.dumps(value).encode(), status
            _calls(salt_, liar, tried, lost, f"{status} {value!r}"[:200])

        check()


def _json():
    return st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(max_size=6)
        | st.sampled_from(SURPRISES[:60]),
        lambda inner: (
            st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
        ),
        max_leaves=5,
    )


def api_transport(tried, lost):
    """Cut off, gigantic, of another type, no JSON at all."""
    salt_ = rancher()
    with Liar() as liar:
        bodies = {
            "cut off": (b'{"data": [{"id": "1a', 500), "gigantic": (b"[" + b"1," * 2**22 + b"1]", 0),
            "deep": (b"[" * 10**5, 0), "empty": (b"", 0), "not utf-8": (b"\xff\xfe{}", 0),
            "a web page": (b"<html>hunter2</html>", 0), "NaN": (b'{"data": NaN}', 0),
            "twice the key": (b'{"data": [], "data": 5}', 0), "a huge number": (b"1" * 5000, 0),
        }  # fmt: skip
        for kind in (
            "application/json",
            "text/html",
            "application/octet-stream",
            "json; charset=ä",
        ):
            for what, (body, cut) in bodies.items():
                liar.kind, liar.body, liar.cut, liar.status = (
                    kind.encode("latin-1").decode("latin-1"),
                    body,
                    cut,
                    200,
                )
                _calls(salt_, liar, tried, lost, f"{what} as {kind}")


def redirects(tried, lost):
    """No credentials follow to another host, port or scheme."""
    salt_ = rancher()
    with Liar() as liar, Liar() as thief:
        thief.body = b'{"data": [], "type": "collection"}'
        port = thief.server.server_port
        for target in (
            thief.url, f"//127.0.0.1:{port}/", f"http://localhost:{port}/v2-beta", f"http://AKEY-7f3@127.0.0.1:{port}/",
            f"http://127.0.0.1:{port}\\@{liar.url[7:]}/", f"ftp://127.0.0.1:{port}/", "http:///x", "http://[", "javascript:0",
            f"http://{liar.url[7:]}@127.0.0.1:{port}/", "file:///etc/passwd", "\x01", f"HTTP://127.0.0.1:{port}/",
        ):  # fmt: skip
            liar.location = target
            _calls(salt_, liar, tried, lost, f"redirect to {target!r}")
        for headers in thief.asked:
            lost.append(f"another server was asked: {sorted(headers)}")


GROUPS = {
    "any value for any setting": pillar_checks,
    "any shape of the pillar": pillar_shapes,
    "values through Salt's renderer and back": rendered_values,
    "every step compiles with any surprise": whole_tree,
    "texts of tools, disks and files": parsers,
    "labels and names on a disk, in refusals": refusal_texts,
    "lines of fstab": fstab_lines,
    "answers of the API": api_answers,
    "broken answers of the API": api_transport,
    "redirects of the API": redirects,
}


def jobs():
    for name, group in GROUPS.items():
        yield name, functools.partial(counted, group)


def counted(group):
    tried, lost = [], []
    group(tried, lost)
    shown = [re.sub(r"\s+", " ", text)[:300] for text in lost[:10]]
    return {"problems": shown, "tried": len(tried), "lost": len(lost)}
