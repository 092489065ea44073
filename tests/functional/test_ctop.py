"""Core's `file.managed` fetches ctop; what its dry run lacks, ours says."""

import functools
import hashlib
import http.server
import threading

import pytest
from fakes import ROOT


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def source(tmp_path):
    """The URL of a binary."""
    (tmp_path / "served").mkdir()
    (tmp_path / "served/ctop").write_bytes(b"\x7fELF")
    serve = functools.partial(Quiet, directory=tmp_path / "served")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/ctop"
        server.shutdown()


def test_the_dry_run_says_what_the_run_then_reports(tmp_path, source, masterless):
    call = masterless(module_dirs=[str(ROOT)])
    path = tmp_path / "ctop"

    def apply(test=False, content=b"\x7fELF"):
        digest = f"source_hash=sha256={hashlib.sha256(content).hexdigest()}"
        words = ["ctop.installed", path, f"source={source}", digest, f"test={test}"]
        (row,) = call("state.single", *words).values()
        print(row["comment"])
        return row["result"], row["changes"]

    predicted = apply(test=True)
    assert predicted[0] is None and not path.exists()
    assert apply() == (True, predicted[1])
    assert path.read_bytes() == b"\x7fELF" and path.stat().st_mode & 0o777 == 0o755
    assert apply() == (True, {})
    path.chmod(0o644)
    assert apply()[1] == {"mode": {"old": "0644", "new": "0755"}}
    assert apply(content=b"another") == (False, {})
    assert path.read_bytes() == b"\x7fELF"
