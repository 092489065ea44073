"""What systemd-sysctl makes of files is what the tree reads of them: in a network of its own."""

import os
import subprocess

import pytest

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


@pytest.mark.parametrize("name", CASES)
def test_what_counts_at_boot(name, tmp_path, monkeypatch):
    folder = tmp_path / "etc/sysctl.d"
    folder.mkdir(parents=True)
    files = [folder / "10.conf", folder / "20.conf"]
    for file, text in zip(files, CASES[name], strict=True):
        file.write_text(f"{text}\n")
    script = f"echo 60 > {PATH}; {SYSCTL} {files[0]} {files[1]}; cat {PATH}"
    argv = ["unshare", "--net", "--mount", "sh", "-c", script]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    monkeypatch.setattr(_boot_files, "ROOT", str(tmp_path))
    found = _boot_files.sysctl_last([KEY])
    assert done.stdout.split()[-1:] == [found[0]["value"] if found else "60"], done.stderr
