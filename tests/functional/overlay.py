"""
Machines to install packages on: overlays over this machine's root that vanish afterwards.

One looks like Enterprise Linux to Salt: the grains are given, so Salt's yumpkg provider
does the installing, and Debian's dnf and rpm do the work on a database of their own.
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
# This machine may have a Docker of its own, for other tests.
NO_DOCKER = """
dpkg-query --show docker.io && dpkg --purge --force-all docker.io
rm -rf /etc/docker /var/lib/docker
"""


class Overlay:
    """One such machine; `shared` is a folder that it sees under the same path."""

    def __init__(self, base, shared, grains):
        self.base, self.shared = base, shared
        for folder in ("upper", "work", "root"):
            (base / folder).mkdir()
        minion = {
            "id": "overlay",
            "file_client": "local",
            "file_roots": {"base": [str(ROOT / "salt")]},
            "pillar_roots": {"base": ["/srv/pillar"]},
            "module_dirs": [str(ROOT / "salt")],
            "cachedir": "/var/cache/salt-overlay",
            "pki_dir": "/etc/salt-overlay/pki",
            "log_file": "/var/log/salt-overlay",
            "log_level": "error",
            "grains": grains,
        }
        self.write("/etc/salt-overlay/minion", yaml.safe_dump(minion))
        self.run("sh", "-c", NO_DOCKER)

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
            "/etc/salt-overlay",
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


class EnterpriseLinux(Overlay):
    def __init__(self, base, shared, release=7):
        grains = {**GRAINS[release], "os_family": "RedHat", "osmajorrelease": release}
        super().__init__(base, shared, {**grains, "osarch": "x86_64"})
        self.run("mkdir", "-p", "/etc/yum.repos.d", "/etc/rpm")
        self.write("/etc/rpm/macros", "%_dbpath /var/lib/rpm\n")
        self.write("/etc/dnf/vars/releasever", f"{release}\n")
        self.run("rm", "-rf", "/var/lib/dnf", "/var/cache/dnf", "/root/.rpmdb")
        # It would offer again, unsigned, what was downloaded once.
        self.write("/etc/dnf/plugins/local.conf", "[main]\nenabled = 0\n")
        if release == 7:
            self.run("rm", "/usr/bin/dnf")
            self.write("/usr/bin/yum", YUM, "755")

    def packages(self):
        out = self.run("rpm", "-qa", "--qf", "%{NAME} %{EVR}\n").stdout
        return dict(line.split() for line in out.splitlines())


class Debian(Overlay):
    """With no repository but the one that a test adds."""

    def __init__(self, base, shared):
        grains = {"os": "Debian", "os_family": "Debian", "osmajorrelease": 12}
        super().__init__(base, shared, {**grains, "oscodename": "bookworm", "osarch": "amd64"})
        self.run(
            "sh",
            "-c",
            "rm -rf /etc/apt/sources.list* /var/lib/apt/lists/*; mkdir -p /etc/apt/sources.list.d",
        )

    def packages(self):
        out = self.run("dpkg-query", "-W", "-f", "${Package} ${Version}\n").stdout
        return dict(line.split() for line in out.splitlines() if " " in line.strip())
