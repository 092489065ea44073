"""What systemd-sysctl makes of files is what the tree reads of them: in a network of its own."""

import os
import subprocess
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import _boot_files

SYSCTL = "/lib/systemd/systemd-sysctl"
KEY, PATH = "net.ipv4.tcp_fin_timeout", "/proc/sys/net/ipv4/tcp_fin_timeout"
pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network of its own"),
    pytest.mark.skipif(not os.path.exists(SYSCTL), reason="no systemd-sysctl"),
]
# The texts of two files, in the order in which they are read.
CASES = {
    "a name": (f"{KEY} = 5", ""),
    "the last name": (f"{KEY} = 5", f"{KEY}=6"),
    "slashes": ("net/ipv4/tcp_fin_timeout=5", ""),
    "a slash first, and too many": ("//net//ipv4/tcp_fin_timeout/=5", ""),
    "dots first, and too many": (".net..ipv4.tcp_fin_timeout.=5", ""),
    "both separators": ("net/ipv4.tcp_fin_timeout=5", ""),
    "may fail": (f"- {KEY} = 5", ""),
    "a pattern": ("net.ipv4.tcp_fin_* = 5", ""),
    "a star is no dot": ("net.* = 5", ""),
    "a star in the middle": ("net.*.tcp_fin_timeout = 5", ""),
    "a class and a question mark": ("net.ipv4.tcp_fin_timeou[a-z] = 5\nnet.ipv4.tcp_fin_?imeout=6", ""),
    "a name before a pattern": (f"{KEY} = 5", "net.ipv4.tcp_fin_* = 6"),
    "the last of two patterns": ("net.ipv4.tcp_fin_t* = 5", "net.ipv4.tcp_fin_* = 6"),
    "a pattern again": ("net.ipv4.tcp_fin_t* = 5", "net.ipv4.tcp_fin_* = 6\nnet.ipv4.tcp_fin_t*=7"),
    "excluded from a pattern": (f"-{KEY}", "net.ipv4.tcp_fin_* = 5"),
    "excluded, and then set": (f"-{KEY}", f"{KEY} = 5"),
    "set, and then excluded": (f"{KEY} = 5", f"-{KEY}"),
    "a pattern that is excluded": ("net.ipv4.tcp_fin_* = 5", "-net.ipv4.tcp_fin_*"),
    "comments": (f"# {KEY} = 5\n;{KEY} = 6\n{KEY} = 7", ""),
    "no assignment": (KEY, ""),
    "a path of /proc": (f"{PATH} = 5", ""),
    "upper case": (f"{KEY.upper()} = 5", ""),
}  # fmt: skip


def real(folder):
    """What the kernel has after systemd-sysctl has read both files; 60 before."""
    files = [f"{folder}/etc/sysctl.d/{name}.conf" for name in ("10", "20")]
    script = f"echo 60 > {PATH}; {SYSCTL} {files[0]} {files[1]}; cat {PATH}"
    argv = ["unshare", "--net", "--mount", "sh", "-c", script]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.split()[-1:]


def put(folder, texts):
    os.makedirs(f"{folder}/etc/sysctl.d")
    for name, text in zip(("10", "20"), texts, strict=True):
        with open(f"{folder}/etc/sysctl.d/{name}.conf", "w") as out:
            out.write(f"{text}\n")


def ours(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_boot_files, "ROOT", str(folder))
        found = _boot_files.sysctl_last([KEY])
    return [found[0]["value"] if found else "60"]


@pytest.mark.parametrize("name", CASES)
def test_what_counts_at_boot(name, tmp_path):
    put(tmp_path, CASES[name])
    assert ours(tmp_path) == real(tmp_path)


NAMES = st.sampled_from(
    [KEY, "net/ipv4/tcp_fin_timeout", "net.ipv4.tcp_fin_*", "net.*.tcp_fin_timeout", "net.ipv4.*out"]
    + ["net.*", "net.ipv4.tcp_fin_timeou?", "/net//ipv4/tcp_fin_timeou[t]", "net.ipv4.tcp_syncookie?"]
)  # fmt: skip
LINES = st.tuples(
    st.sampled_from(["", "-", "- ", " ", "#", ";"]),
    NAMES,
    st.sampled_from(["", "=11", " = 12", "=\t13 ", "=14"]),
).map("".join)
FILES = st.lists(LINES, max_size=4).map("\n".join)


@given(st.tuples(FILES, FILES))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_lines_in_any_order_count_as_systemd_counts_them(texts):
    with tempfile.TemporaryDirectory() as folder:
        put(folder, texts)
        assert ours(folder) == real(folder)
