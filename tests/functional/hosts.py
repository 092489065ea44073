"""
Whole hosts without a guest: Debian 12 with systemd in namespaces, on the kernel of this machine.

A host is an overlay on a root that was bootstrapped once: bare again in seconds, at full speed.
It has sshd, Python 3 and nothing else; packages that the states ask for come from a folder, as
in the lab's guests. What a namespace cannot have is left to the guests: disks, swap, reboots.
The size of the connection tracking table belongs to this machine's kernel, so plain files stand
in for it; the TCP timeouts are the namespace's own, and real.
"""

import hashlib
import inspect
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile

from fakes import ROOT
from lab import image
from lab.process import Daemon, locked, run, wait_until

NEEDED = (
    "mmdebstrap", "systemd-nspawn", "unshare", "nsenter", "ip", "ssh-keygen", "dpkg-scanpackages",
)  # fmt: skip
CACHE = ROOT / ".cache/hosts"
SYSTEM = "systemd,systemd-sysv,dbus,kmod,procps,iproute2,openssh-server,python3,ca-certificates"
# Quiet needs no network; the packages come to /srv/apt beside all that they depend on.
DOWNLOAD = (
    'mkdir -p "$1/srv/apt/partial" && APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get --yes'
    ' --no-install-recommends --download-only --reinstall -o Dir::Cache::archives="$1/srv/apt"'
    f" install {' '.join(image.OFFERED)}"
)
FILES = {
    "etc/hostname": "bare\n",
    "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 bare\n",
    "etc/resolv.conf": "",
    "etc/fstab": "",
    "etc/machine-id": "",
    "etc/apt/sources.list": "deb [trusted=yes] file:/srv/apt ./\n",
}
MINION = """\
[Service]
ExecStart={venv}/bin/salt-minion
KillMode=process
"""
MASTERLESS = {
    "id": "node1",
    "file_client": "local",
    "file_roots": {"base": ["/srv/tree/salt"]},
    "pillar_roots": {"base": []},
    "module_dirs": ["/srv/tree/salt"],
}
# One table for all namespaces of a kernel, and a namespace's /sys does not show it at all.
BOOTED = ["systemctl", "is-active", "multi-user.target"]
HASHSIZE = "/sys/module/nf_conntrack/parameters/hashsize"
ENTRIES = "/proc/sys/net/netfilter/nf_conntrack_max"
# In memory: installing packages waits for the disk most of the time.
BOOT = """
mount -t tmpfs tmpfs "$HOST"
mkdir "$HOST/upper" "$HOST/work" "$HOST/root" "$HOST/docker"
mount -t overlay overlay -o "lowerdir=$BASE,upperdir=$HOST/upper,workdir=$HOST/work" "$HOST/root"
exec systemd-nspawn "$@"
"""


def missing():
    """Why no host can be made here, or nothing."""
    lacking = [name for name in NEEDED if not shutil.which(name)]
    return "needs root" if os.geteuid() else lacking and f"not installed: {', '.join(lacking)}"


def base():
    """A folder with the bare system `root`, made once, and the `key` that opens it."""
    text = inspect.getsource(_bootstrap) + repr((SYSTEM, DOWNLOAD, FILES))
    home = CACHE / hashlib.sha256(text.encode()).hexdigest()[:12]
    with locked(CACHE / "lock"):
        if not home.exists():
            with tempfile.TemporaryDirectory(prefix="build-", dir=CACHE) as work:
                made = pathlib.Path(work) / "made"
                _bootstrap(made)
                made.rename(home)
    return home


def _bootstrap(home):
    root, archive = home / "root", home / "root/srv/apt"
    home.mkdir()
    options = ["--variant=minbase", f"--include={SYSTEM}", f"--customize-hook={DOWNLOAD}"]
    run(["mmdebstrap", *options, "bookworm", root], timeout=1800)
    shutil.rmtree(archive / "partial")
    index = run(["dpkg-scanpackages", "--multiversion", "."], timeout=120, cwd=archive).stdout
    (archive / "Packages").write_text(index)
    shutil.rmtree(root / "etc/apt/sources.list.d")
    for name, text in FILES.items():
        (root / name).unlink(missing_ok=True)
        (root / name).write_text(text)
    run(["chroot", root, "apt-get", "update"], timeout=120)
    run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", home / "key"],
        timeout=30,
    )
    (root / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
    shutil.copy(home / "key.pub", root / "root/.ssh/authorized_keys")


class Network:
    """A network with nothing but a loopback device, which a master and its hosts share."""

    def __init__(self, folder):
        self._holder = Daemon(folder / "network.pid", folder / "network.log")

    def __enter__(self):
        script = "ip link set lo up && exec sleep infinity"
        self._holder.start(["unshare", "--net", "sh", "-c", script], kept=False)
        wait_until(self._ready, timeout=30, what="a network namespace")
        return self

    def __exit__(self, *_):
        self._holder.kill()

    def _ready(self):
        ours = os.readlink("/proc/self/ns/net")
        return os.readlink(self.path) != ours and "LOWER_UP" in self.run(["ip", "link"]).stdout

    @property
    def path(self):
        return f"/proc/{self._holder.pid}/ns/net"

    def inside(self, argv):
        """The command that runs `argv` in this network."""
        return ["nsenter", f"--net={self.path}", "--", *argv]

    def run(self, argv, *, timeout=60, check=True, cwd=ROOT):
        return run(self.inside(argv), timeout=timeout, check=check, cwd=cwd)


class Host:
    """A bare host in `network`. `salt`: the environment whose Salt is there to be used, or None."""

    def __init__(self, folder, network, salt=None):
        self.folder, self.network, self.salt = folder / "disk", network, salt
        self.key = base() / "key"
        self._boot = Daemon(folder / "host.pid", folder / "host.log")

    def __enter__(self):
        self.folder.mkdir(parents=True)
        binds = {f"{self.folder}/docker": "/var/lib/docker"}  # an overlay is no place for overlay2
        binds |= {path: path for path in (_environment(self.salt) if self.salt else [])}
        argv = [
            "--quiet", "--boot", "--register=no", "--keep-unit", "--console=pipe", "--capability=all",
            "--resolv-conf=off", "--timezone=off", "--hostname=bare", f"--directory={self.folder}/root",
            f"--network-namespace-path={self.network.path}",
            *(f"--bind={source}:{target}" for source, target in binds.items()),
        ]  # fmt: skip
        settings = {
            "BASE": f"{base()}/root",
            "HOST": str(self.folder),
            "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",
            "SYSTEMD_SECCOMP": "0",
        }
        # The mounts are the host's own and end with it, however this process ends.
        shell = ["unshare", "--mount", "sh", "-ec", BOOT, "sh", *argv]
        self._boot.start(shell, kept=False, env={"PATH": os.environ["PATH"], **settings})
        try:
            wait_until(self._booted, timeout=120, what=f"boot of the host in {self.folder}")
            self._stand_in_for_the_kernel()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        leader = self._leader()
        if leader:
            os.kill(leader, signal.SIGKILL)
        self._boot.stop()

    def run(self, argv, *, timeout=60, check=False, cwd="/root"):
        """Run `argv` on the host, as root."""
        namespaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--root", f"--wdns={cwd}"]
        enter = ["nsenter", "--target", str(self._leader()), *namespaces, "--", "env", "-i"]
        plain = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8"]
        return run([*enter, *plain, *argv], timeout=timeout, check=check)

    def must(self, argv, **options):
        """What `argv` printed; raises LabError when it fails."""
        return self.run(argv, check=True, **options).stdout

    def path(self, name):
        """The host's path `name`, to be used from outside."""
        return pathlib.Path(f"/proc/{self._leader()}/root") / name.lstrip("/")

    def write(self, name, text):
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        self.path(name).write_text(text)

    def carry_tree(self):
        """A copy of the tree on the host, for a masterless `salt-call`."""
        shutil.copytree(ROOT / "salt", self.path("/srv/tree/salt"))
        self.write("/etc/salt/minion", json.dumps(MASTERLESS))

    def start_minion(self, config):
        """Run a minion with this configuration file, as a service."""
        self.write("/etc/salt/minion", config)
        self.write("/etc/systemd/system/salt-minion.service", MINION.format(venv=self.salt))
        self.must(["systemctl", "daemon-reload"])
        self.must(["systemctl", "start", "salt-minion"])

    def _stand_in_for_the_kernel(self):
        self.must(["mount", "-o", "remount,rw", "/sys"])
        self.write(HASHSIZE, pathlib.Path(HASHSIZE).read_text())
        self.write("/run/conntrack-max", pathlib.Path(ENTRIES).read_text())
        self.must(["mount", "--bind", "/run/conntrack-max", ENTRIES])

    def _leader(self):
        """The pid of its init as seen from here, None when it is off."""
        pid = self._boot.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
        words = children.read_text().split() if pid and children.exists() else []
        return int(words[0]) if words else None

    def _booted(self):
        assert self._boot.pid, f"the host ended: {self._boot.tail()}"
        return self._leader() and self.run(BOOTED).returncode == 0


def _environment(salt):
    """The folders of a virtualenv: itself and the Python below it."""
    python = (salt / "bin/python").resolve().parents[1]
    return [str(salt), *([] if python == pathlib.Path("/usr") else [str(python)])]


def environment(line):
    """The virtualenv of a line of Salt, beside the one that runs."""
    venv = (pathlib.Path(sys.prefix).parent / line).resolve()
    assert (venv / "bin/salt-master").exists(), f"no Salt in {venv}: run `make setup`"
    return venv
