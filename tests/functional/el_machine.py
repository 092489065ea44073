"""
A machine that looks like Enterprise Linux to Salt, its package managers included.

Debian's dnf and rpm work on an RPM database of their own in an overlay over this
machine's root; whatever happens there vanishes with it. The grains are given, so Salt
takes the ways that it takes on a real CentOS: its yumpkg provider does the installing.
"""

import json
import pathlib
import subprocess
import sys

import yaml
from fakes import ROOT

# yum prints a lock as epoch:name-version, dnf as name-epoch:version; Salt expects yum's form
# where it finds yum.
YUM = r"""#!/bin/sh
if [ "$*" = "versionlock list" ]; then
  exec dnf-3 versionlock list | sed -E 's/^(.+)-([0-9]+):([^-]+-[^-]+)$/\2:\1-\3/'
fi
exec dnf-3 "$@"
"""
GRAINS = {
    7: {"os": "CentOS", "osrelease": "7.9.2009", "kernelrelease": "3.10.0-1160.el7.x86_64"},
    8: {"os": "Rocky", "osrelease": "8.10", "kernelrelease": "4.18.0-553.el8_10.x86_64"},
}
# Every command gets mounts of its own, which end with it.
ENTER = """
set -e
mount -t overlay overlay -o "lowerdir=/,upperdir=$BASE/upper,workdir=$BASE/work" "$BASE/root"
for path in "$TREE" "$PYTHON" "$SHARED"; do
  mkdir -p "$BASE/root$path"; mount --rbind "$path" "$BASE/root$path"
done
mount --rbind /dev "$BASE/root/dev"
mount -t proc proc "$BASE/root/proc"
mount -t tmpfs tmpfs "$BASE/root/run"
exec chroot "$BASE/root" "$@"
"""


class Machine:
    """One such host; `shared` is a folder that it sees under the same path."""

    def __init__(self, base, shared, release=7):
        self.base, self.shared, self.release = base, shared, release
        for folder in ("upper", "work", "root"):
            (base / folder).mkdir()
        self.run("mkdir", "-p", "/etc/yum.repos.d", "/etc/rpm")
        self.write("/etc/rpm/macros", "%_dbpath /var/lib/rpm\n")
        self.write("/etc/dnf/vars/releasever", f"{release}\n")
        self.run("rm", "-rf", "/var/lib/dnf", "/var/cache/dnf", "/root/.rpmdb", "/etc/docker")
        # It would offer again, unsigned, what was downloaded once.
        self.write("/etc/dnf/plugins/local.conf", "[main]\nenabled = 0\n")
        if release == 7:
            self.run("rm", "/usr/bin/dnf")
            self.write("/usr/bin/yum", YUM, "755")
        grains = {**GRAINS[release], "os_family": "RedHat", "osmajorrelease": release}
        minion = {
            "id": "el",
            "file_client": "local",
            "file_roots": {"base": [str(ROOT / "salt")]},
            "pillar_roots": {"base": ["/srv/pillar"]},
            "module_dirs": [str(ROOT)],
            "cachedir": "/var/cache/salt-el",
            "pki_dir": "/etc/salt-el/pki",
            "log_file": "/var/log/salt-el",
            "log_level": "error",
            "grains": {**grains, "osarch": "x86_64"},
        }
        self.write("/etc/salt-el/minion", yaml.safe_dump(minion))

    def run(self, *argv, text=None, check=True):
        done = subprocess.run(
            [
                "unshare",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "sh",
                "-c",
                ENTER,
                "sh",
                *argv,
            ],
            input=text,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": "/root",
                "BASE": str(self.base),
                "TREE": str(ROOT),
                "PYTHON": sys.prefix,
                "SHARED": str(self.shared),
            },
        )
        if check:
            assert done.returncode == 0, f"{argv}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done

    def write(self, path, text, mode="644"):
        self.run(
            "sh", "-c", f"mkdir -p $(dirname {path}); cat > {path}; chmod {mode} {path}", text=text
        )

    def pillar(self, settings):
        self.write("/srv/pillar/top.sls", "base: {'*': [rancher]}\n")
        self.write("/srv/pillar/rancher.sls", yaml.safe_dump({"rancher": settings}))

    def apply(self, sls, test=False):
        """The states of a run by ID, without those that only load modules."""
        salt = pathlib.Path(sys.prefix) / "bin/salt-call"
        call = [
            str(salt),
            "-c",
            "/etc/salt-el",
            "--out",
            "json",
            "state.apply",
            sls,
            f"test={test}",
        ]
        done = self.run(*call, check=False)
        assert done.stdout.startswith("{"), done.stdout + done.stderr
        report = json.loads(done.stdout)["local"]
        assert isinstance(report, dict), report
        return {state["__id__"]: state for state in report.values()}

    def packages(self):
        out = self.run("rpm", "-qa", "--qf", "%{NAME} %{EVR}\n").stdout
        return dict(line.split() for line in out.splitlines())
