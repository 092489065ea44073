import base64
import copy

import pytest
import yaml
from fakes import DEFAULTS, ROOT
from fakes import GOOD_PILLAR as GOOD
from salt.exceptions import CommandExecutionError, SaltInvocationError
from salt.utils import dictupdate

import _settings as settings
import settings as settings_face

BROKEN = yaml.safe_load((ROOT / "tests/pillar/broken.yaml").read_text())


def mutated(path, value):
    given = copy.deepcopy(GOOD)
    section = given
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = value
    return given


def keys(tree, path=""):
    for key, value in tree.items():
        yield f"{path}{key}"
        if isinstance(value, dict) and value:
            yield from keys(value, f"{path}{key}:")


@pytest.mark.parametrize("given", [None, {}, GOOD], ids=["nothing", "empty", "every section"])
def test_a_good_pillar_has_no_problems(given):
    assert settings.problems(given, DEFAULTS) == []


@pytest.mark.parametrize(
    "case", BROKEN, ids=lambda case: f"{':'.join(case['path'])}={case['value']}"
)
def test_one_mutation_gives_one_line_that_names_the_key(case):
    found = settings.problems(mutated(case["path"], case["value"]), DEFAULTS)
    assert len(found) == 1
    assert case["message"].replace("\n", "\\n") in found[0]
    assert "\n" not in found[0]
    assert "hunter2" not in found[0]


@pytest.mark.parametrize("given", [5, "text", [1], True])
def test_a_pillar_that_is_no_mapping(given):
    (line,) = settings.problems(given, DEFAULTS)
    assert line.startswith("rancher is ") and "allowed: a mapping with roles" in line


def test_every_problem_is_named_at_once():
    found = settings.problems({"swap": {"size": 1}, "server": {"port": 0}}, DEFAULTS)
    assert [line.split(" ")[0] for line in found] == ["rancher:swap:size", "rancher:server:port"]


def test_a_disk_under_two_names_is_still_one_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(settings.os.path, "realpath", lambda path: "/dev/vdb")
    given = {"data_disk": {"device": "/dev/vdb"}, "thin_pool": {"device": "/dev/disk/by-id/b"}}
    (line,) = settings.problems(given, DEFAULTS)
    assert "the same disk" in line


def test_defaults_and_rules_name_the_same_keys():
    rules = {
        key
        for key in keys(settings.SCHEMA)
        if not key.startswith(("server:database:", "server:database_admin:"))
        and ":proxy:" not in key
    }
    assert rules == set(keys(DEFAULTS))


def test_the_defaults_keep_their_own_rules():
    assert settings._check("rancher", DEFAULTS, settings.SCHEMA) == []


@pytest.mark.parametrize(
    ("text", "size"), [("1K", 1024), ("512K", 524288), ("20G", 20 << 30), ("1T", 1 << 40)]
)
def test_size(text, size):
    assert settings.size(text) == size


@pytest.mark.parametrize(
    "text", ["", "G", "0G", "1.5G", "1g", "1 G", "1GB", "-1G", 5, None, "1G\n"]
)
def test_no_size(text):
    with pytest.raises(SaltInvocationError, match="is not a size; allowed: a text such as 512K"):
        settings.size(text)


# -- settings.problems without arguments ---------------------------------------------------------


@pytest.fixture
def configure_loader_modules():
    grains = {"os_family": "Debian", "osmajorrelease": 12}
    salt = {"slsutil.merge": dictupdate.merge}
    return {settings_face: {"__opts__": {"saltenv": None}, "__grains__": grains, "__salt__": salt}}


def face(pillar, files=None):
    """The face on a minion of Debian 12 whose master serves the tree's own files."""

    def get_file_str(path, saltenv):
        assert saltenv == "base"
        return (
            (ROOT / "salt" / path.removeprefix("salt://")).read_text() if files is None else files
        )

    settings_face.__salt__["cp.get_file_str"] = get_file_str
    settings_face.__pillar__ = pillar
    return settings_face


def test_without_arguments_the_pillar_of_the_minion_was_not_looked_at():
    assert face({"rancher": {"swap": {"size": "1G"}}}).problems() == []
    assert face({}).problems() == []
    (line,) = face({"rancher": {"swap": {"size": 1}}}).problems()
    assert line.startswith("rancher:swap:size is 1; allowed")
    # Together with a default, here of the share that the metadata take.
    (line,) = face({"rancher": {"thin_pool": {"data_percent": 99}}}).problems()
    assert "with metadata_percent 1, together 101" in line


def test_the_example_of_its_documentation():
    (line,) = face({"rancher": {"server": {"port": 0}}}).problems({"swap": {"size": 1}})
    assert line.startswith("rancher:swap:size is 1; allowed")


def test_defaults_that_cannot_be_read_are_no_good_settings():
    with pytest.raises(
        CommandExecutionError, match="so nothing was checked. Check with `state.apply"
    ):
        face({}, files=False).problems()


# -- secrets that nobody resolved ----------------------------------------------------------------

GPG = """-----BEGIN PGP MESSAGE-----

hQGMA1u5MSXYFTjBAQv/Zm9v
=abcd
-----END PGP MESSAGE-----
"""
PATHS = [
    ["agent", "secret_key"],
    ["server", "database", "password"],
    ["agent", "registration_url"],
    ["hostname"],
    ["docker", "daemon", "proxies"],
    ["packages", "install"],
]


def raw(path, text):
    value = {"http": [text]} if path[-1] == "proxies" else text
    (line,) = settings.problems(mutated(path, [text] if path[-1] == "install" else value), DEFAULTS)
    assert line.startswith(f"rancher:{':'.join(path[:2] if path[-1] == 'proxies' else path)} is a")
    assert "\n" not in line
    return line


@pytest.mark.parametrize("path", PATHS, ids=":".join)
def test_an_sdb_reference_was_taken_for_the_secret_itself(path):
    line = raw(path, "sdb://vault/rancher/hunter2")
    assert " is an sdb:// reference, which Salt does not resolve in a pillar; allowed: " in line
    assert "hunter2" not in line


@pytest.mark.parametrize("path", PATHS, ids=":".join)
def test_a_gpg_block_that_was_not_decrypted_says_which_key_it_needs(path):
    line = raw(path, GPG)
    assert "a GPG block that was not decrypted, made for the key 5BB93125D81538C1; let the" in line
    assert "gpg --homedir /etc/salt/gpgkeys --list-secret-keys" in line
    assert "hQGM" not in line


@pytest.mark.parametrize(
    "text", ["", "!!!!", "hQGM", "hQGMBFu5MSXYFTjBAQv/Zm9v", "0gGMA1u5MSXYFTjBAQv/Zm9v"]
)
def test_a_gpg_block_that_names_no_key(text):
    block = f"-----BEGIN PGP MESSAGE-----\nVersion: GnuPG v2\n\n{text}\n-----END PGP MESSAGE-----"
    assert "made for a key that it does not name; let" in raw(["agent", "secret_key"], block)


@pytest.mark.parametrize("head", ["84 5d", "85 018c", "c1 5d", "c1 c0ac"])
def test_the_key_of_every_form_of_packet(head):
    packet = bytes.fromhex(f"{head} 03 0123456789abcdef 01 02 03")
    block = f"-----BEGIN PGP MESSAGE-----\n\n{base64.b64encode(packet).decode()}\n-----END"
    assert settings._gpg_key(block) == "the key 0123456789ABCDEF"


# -- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("节点", '"节点"'),
        ("nœud é", '"nœud é"'),
        ("a\u2028b\u202e\x7f\x85", '"a\\u2028b\\u202e\\u007f\\u0085"'),
        ("a\nb", '"a\\nb"'),
        ("\udce9", '"\\udce9"'),
    ],
)
def test_what_an_operator_wrote_was_quoted_in_numbers(value, shown):
    (line,) = settings.problems({"hostname": value}, DEFAULTS)
    assert line.startswith(f"rancher:hostname is {shown}; allowed")


@pytest.mark.parametrize(
    "user",
    [
        "alice",
        "EXAMPLE\\Jane.Doe",
        "jane@example.com",
        "Administrator",
        "o'brien",
        "张伟",
        "a" * 255,
    ]
    + ["host1$", "_apt", "3com"],
)
def test_users_of_a_directory_were_refused(user):
    assert settings.problems({"docker": {"users": [user]}}, DEFAULTS) == []


@pytest.mark.parametrize(
    "user",
    [
        "",
        "-a",
        "a b",
        "a:b",
        "a,b",
        "a\nb",
        "1000",
        "a;b",
        "a/b",
        "+",
        "@wheel",
        "a" * 256,
        5,
        None,
    ],
)
def test_what_no_user_can_be_called(user):
    (line,) = settings.problems({"docker": {"users": [user]}}, DEFAULTS)
    assert line.startswith("rancher:docker:users is ")


CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\nQ0E=\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    "text",
    [
        CERTIFICATE,
        CERTIFICATE * 2,
        f"\n{CERTIFICATE}\n{CERTIFICATE}",
        CERTIFICATE.replace("\n", " \t\r\n"),
        CERTIFICATE.rstrip("\n"),
        f"{CERTIFICATE} \n  ",
    ],
)
def test_certificates(text):
    assert settings.problems({"agent": {"ca_certificate": text}}, DEFAULTS) == []


@pytest.mark.parametrize(
    "text",
    [
        CERTIFICATE.replace("\n", " "),
        CERTIFICATE.replace("Q0E=\n", "Q0E="),
        CERTIFICATE.replace("\n", "\n\n", 1),
        CERTIFICATE.replace("-----END", " -----END"),
        f" {CERTIFICATE}",
        CERTIFICATE.rstrip("\n") + CERTIFICATE,
        CERTIFICATE.replace("CERTIFICATE", "TRUSTED CERTIFICATE"),
        f"subject=CN\n{CERTIFICATE}",
    ],
)
def test_a_certificate_that_yaml_folded_into_one_line_was_accepted(text):
    """OpenSSL finds none in most of these; in the last two there is more than a certificate."""
    (line,) = settings.problems({"agent": {"ca_certificate": text}}, DEFAULTS)
    assert "with more, or less, than certificates in it (not shown)" in line


@pytest.mark.parametrize(
    "more",
    [
        "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n",
        "-----BEGIN CERTIFICATE-----\nMIIB\n",
        "hunter2",
    ],
)
def test_a_private_key_behind_the_certificate_was_accepted(more):
    (line,) = settings.problems({"agent": {"ca_certificate": CERTIFICATE + more}}, DEFAULTS)
    assert "allowed: one or more certificates in PEM form and nothing else" in line
    assert ("with a private key in it (not shown)" in line) == ("PRIVATE" in more)
    assert "hunter2" not in line
