"""
salt-ssh onto a host whose python3 is too old, or whose key is not known: a line with the way out,
and nothing is copied.

The real Pythons 3.6, 3.8 and 3.9, and none at all, were tried by hand on both lines; here a
script says that it is one.
"""

import pytest
import yaml

from functional import hosts
from functional.masters import Salt

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(hosts.missing()), reason=f"no hosts here: {hosts.missing()}"),
]
OLD = "#!/bin/sh\necho Python 3.9.18\n"
# As a login of root over ssh has it.
OLD_FIRST = "/usr/local/bin/python3"


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    folder = tmp_path_factory.mktemp("host")
    with hosts.Network(folder) as network, hosts.Host(folder / "host", network) as host:
        host.write(OLD_FIRST, OLD)
        host.path(OLD_FIRST).chmod(0o755)
        yield host


@pytest.fixture(params=["3006.28", "3008.3"])
def ssh(bare, tmp_path, request):
    salt = Salt(tmp_path, bare.network, request.param)
    salt.settings({"roles": ["common"]})

    def run(*words, known=True, **options):
        salt.roster({"node1": bare})
        if not known:
            (salt.config / "known_hosts").write_text("")
        path = salt.config / "roster"
        entry = yaml.safe_load(path.read_text())["node1"]
        del entry["set_path"]
        path.write_text(yaml.safe_dump({"node1": {**entry, **options}}))
        return salt.ssh("node1", *words)["node1"]

    yield run
    salt.stop()


def test_an_old_python_was_a_traceback_of_a_library(bare, ssh):
    for words in (["test.ping"], ["state.apply", "common.conntrack", "test=True"]):
        answer = ssh(*words)
        (line,) = answer["stderr"].splitlines()
        assert line.startswith("python3 of this host is Python 3.9.18, and Python 3.10 or newer")
        assert (answer["stdout"], answer["retcode"]) == ("", 1)
    assert "salt" not in bare.must(["ls", "-A", "/var/tmp", "/tmp"])


def test_the_way_out_of_the_line_works(ssh):
    assert ssh("test.ping", set_path="/usr/bin:/bin:/usr/sbin:/sbin") is True


def test_a_host_key_that_nobody_knows_was_waited_for_for_ever(ssh):
    """Salt 3006 does not recognise what OpenSSH asks then."""
    answer = ssh("test.ping", known=False)
    assert answer["stderr"].splitlines()[-1].strip() == "Host key verification failed."
    assert (answer["stdout"], answer["retcode"]) == ("", 255)
