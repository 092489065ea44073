"""
The lab's base image: a bare Debian 12 with a Salt minion, cached by its content.

`ensure(Recipe())` returns an `Image`, building it when there is none for this recipe
(a minute or two). The guest is bare: no lvm2, no docker, no partitioning tools.
Packages that the states may ask for wait as .deb files in /srv/apt, the only package
source of a guest that has no internet.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import sys
import tarfile
import tempfile

from .process import LabError, locked, run

SYSTEM = [
    "linux-image-cloud-amd64", "initramfs-tools", "systemd", "systemd-sysv", "udev", "kmod", "dbus",
    "procps", "iproute2", "openssh-server", "python3", "python3-venv", "busybox-static", "ca-certificates",
]  # fmt: skip
OFFERED = [
    "lvm2", "thin-provisioning-tools", "dmeventd", "parted", "xfsprogs", "e2fsprogs", "util-linux",
    "docker.io", "containerd", "runc", "iptables",
    "apparmor",  # recommended by docker.io, which starts no container without it on this kernel
    "btrfs-progs", "mdadm", "cryptsetup-bin", "nilfs-tools", "gdisk", "strace",
]  # fmt: skip
KERNEL_MODULES = [
    "dm_thin_pool", "xfs", "overlay", "br_netfilter", "nf_conntrack", "iptable_nat", "nft_compat",
    "nft_chain_nat", "xt_MASQUERADE", "xt_conntrack", "xt_addrtype", "veth", "bridge", "virtio_blk", "virtio_net",
]  # fmt: skip
BOOT_MODULES = ["virtio_pci", "virtio_blk", "ext4"]

NETWORK = """\
[Match]
Name=eth0

[Network]
Address=10.0.2.15/24
"""
MINION = """\
id: guest
master: 10.0.2.2
log_level: info
log_level_logfile: info
enable_fqdns_grains: false
enable_gpu_grains: false
# A restored guest finds its old connections dead: notice within seconds.
tcp_keepalive_idle: 2
tcp_keepalive_intvl: 1
tcp_keepalive_cnt: 2
recon_default: 100
recon_max: 1000
recon_randomize: false
random_reauth_delay: 1
acceptance_wait_time: 1
"""
MINION_UNIT = """\
[Unit]
Description=Salt minion
After=network.target

[Service]
ExecStart=/opt/salt/bin/salt-minion
KillMode=process
Restart=on-failure
LimitNOFILE=8192

[Install]
WantedBy=multi-user.target
"""
FILES = {
    "etc/hostname": "guest\n",
    "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 guest\n",
    "etc/resolv.conf": "",
    "etc/fstab": "/dev/vda / ext4 defaults 0 1\n",
    "etc/apt/sources.list": "deb [trusted=yes] file:/srv/apt ./\n",
    # The kernel and its initrd come from outside: nothing in the guest needs a new one.
    "etc/initramfs-tools/update-initramfs.conf": "update_initramfs=no\nbackup_initramfs=no\n",
    "etc/systemd/network/lab.network": NETWORK,
    "etc/systemd/system/salt-minion.service": MINION_UNIT,
    "etc/salt/minion": MINION,
}
ENABLED = ["systemd-networkd.service", "ssh.service"]
MASKED = [
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer",
    "serial-getty@ttyS0.service", "getty@tty1.service", "systemd-networkd-wait-online.service",
]  # fmt: skip
# What the tree and its tests may ask for, where it is not the packages that are tried.
PACKAGES = (*OFFERED[: OFFERED.index("apparmor") + 1], "gdisk", "strace")
# By the packages; a host on which they never ran is what a first run meets.
STARTED = ["docker.service", "docker.socket"]
# Each is a process at every `daemon-reload`, and finds nothing in a guest. What reads fstab stays.
WITHOUT_GENERATORS = [
    "cryptsetup", "debug", "getty", "gpt-auto", "hibernate-resume", "integritysetup", "rc-local", "run",
    "system-update", "sysv", "veritysetup",
]  # fmt: skip
ROOT_BYTES = 8 << 30

REQUIREMENTS = pathlib.Path(__file__).parents[1] / "requirements.txt"
# What Salt's own Python needs for the Rancher roles; the versions are those of the tests.
LIBRARIES = ("docker", "PyMySQL")
# Docker's modules left Salt's core behind 3006.
DOCKER_EXTENSION = "saltext.dockermod==0.1.3"


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What goes into an image; ``key`` names the result."""

    salt: str = "3006.28"
    suite: str = "bookworm"
    offered: tuple = tuple(OFFERED)
    # Unpacked while the image is built, at native speed; no service of theirs has ever run.
    installed: tuple = ()
    libraries: tuple = LIBRARIES

    @property
    def python(self):
        """Requirements of the guest's Salt environment, as pip wants them."""
        extension = [] if self.salt.startswith("3006.") else [DOCKER_EXTENSION]
        return [f"salt=={self.salt}", *extension, *pinned(self.libraries, REQUIREMENTS.read_text())]

    @property
    def key(self):
        """Hash of the recipe, of the versions it takes, and of this script."""
        recipe = [dataclasses.asdict(self), self.python]
        parts = json.dumps(recipe, sort_keys=True).encode() + pathlib.Path(__file__).read_bytes()
        return hashlib.sha256(parts).hexdigest()[:16]


def pinned(names, text):
    """The lines of the requirements ``text`` for ``names``. Raises LabError for a missing one."""
    lines = {line.partition("==")[0].lower(): line for line in text.split() if "==" in line}
    missing = [name for name in names if name.lower() not in lines]
    if missing:
        raise LabError(f"{REQUIREMENTS} pins no version of {', '.join(missing)}")
    return [lines[name.lower()] for name in names]


@dataclasses.dataclass(frozen=True)
class Image:
    """A directory with the files a guest boots from."""

    directory: pathlib.Path

    @property
    def key(self):
        return self.directory.name

    @property
    def disk(self):
        return self.directory / "root.qcow2"

    @property
    def kernel(self):
        return self.directory / "vmlinuz"

    @property
    def initrd(self):
        return self.directory / "initrd"

    @property
    def ssh_key(self):
        return self.directory / "ssh_key"


def ensure(recipe, cache):
    """The image of ``recipe`` below the directory ``cache``, built when it is not there."""
    image = Image(cache / "images" / recipe.key)
    if image.directory.exists():
        return image
    with locked(cache / "images.lock"):
        if not image.directory.exists():
            _build(recipe, image)
    return image


def _build(recipe, image):
    image.directory.parent.mkdir(parents=True, exist_ok=True)
    if os.geteuid():
        raise LabError("building the guest's image needs root")
    with tempfile.TemporaryDirectory(prefix="build-", dir=image.directory.parent) as work:
        work = pathlib.Path(work)
        parts, root = work / "image", work / "root"
        parts.mkdir()
        print(
            f"lab: building the guest's image {image.key}",
            file=sys.stderr,
            flush=True,
        )
        _bootstrap(recipe, root)
        _check_modules(root)
        _index_packages(root)
        _install_salt(recipe, root, work / "wheels")
        _write_files(recipe, root)
        _authorise(root, parts / "ssh_key")
        _make_busybox_tar(root)
        _take_kernel(root, parts)
        _make_disk(root, work / "root.raw", parts / "root.qcow2")
        os.rename(parts, image.directory)


def _chroot(root, *argv, timeout=600):
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
    }
    return run(["chroot", root, *argv], timeout=timeout, env=environment).stdout


def _bootstrap(recipe, root):
    """Install Debian into ``root``; download the offered packages and their dependencies to /srv/apt."""
    modules = "\\n".join(BOOT_MODULES)
    hooks = [
        ("essential", f'mkdir -p "$1/etc/initramfs-tools/conf.d" && echo MODULES=list > "$1/etc/initramfs-tools/conf.d/lab"'
                      f""" && printf '{modules}\\n' > "$1/etc/initramfs-tools/modules\""""),
        ("customize", 'mkdir -p "$1/srv/apt/partial" && APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get --yes'
                      ' --no-install-recommends --download-only --reinstall -o Dir::Cache::archives="$1/srv/apt"'
                      f" install {' '.join(recipe.offered)}"),
    ]  # fmt: skip
    run(
        ["mmdebstrap", "--variant=minbase", f"--include={','.join([*SYSTEM, *recipe.installed])}",
         *(f"--{when}-hook={what}" for when, what in hooks), recipe.suite, root],
        timeout=1800,
    )  # fmt: skip


def _check_modules(root):
    available = {
        path.name.split(".ko")[0].replace("-", "_")
        for path in root.glob("lib/modules/*/kernel/**/*.ko*")
    }
    missing = [name for name in KERNEL_MODULES if name not in available]
    if missing:
        raise LabError(f"the guest's kernel has no module {', '.join(missing)}")


def _index_packages(root):
    archive = root / "srv/apt"
    shutil.rmtree(archive / "partial")
    (archive / "lock").unlink(missing_ok=True)
    (archive / "Packages").write_text(
        run(["dpkg-scanpackages", "--multiversion", "."], timeout=120, cwd=archive).stdout
    )


def _install_salt(recipe, root, wheels):
    made = [_python_of_guest(), "-m", "pip", "wheel", "-q", "--wheel-dir", wheels]
    run([*made, *recipe.python], timeout=900)
    shutil.copytree(wheels, root / "tmp/wheels")
    _chroot(root, "python3", "-m", "venv", "/opt/salt")
    from_wheels = ["install", "-q", "--no-index", "--find-links", "/tmp/wheels"]
    _chroot(root, "/opt/salt/bin/pip", *from_wheels, *recipe.python)
    shutil.rmtree(root / "tmp/wheels")
    for name in ("salt-call", "salt-minion"):
        (root / "usr/local/bin" / name).symlink_to(f"/opt/salt/bin/{name}")


def _python_of_guest():
    """A Python on this machine whose wheels fit the guest's: 3.11, as in Debian 12."""
    python = sys.executable if sys.version_info[:2] == (3, 11) else shutil.which("python3.11")
    if not python:
        raise LabError("wheels for the guest need a python3.11 with pip on this machine")
    return python


def _write_files(recipe, root):
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text)
    for name in ("etc/machine-id", "etc/apt/sources.list.d"):
        path = root / name
        shutil.rmtree(path) if path.is_dir() else path.write_text("")
    generators = root / "etc/systemd/system-generators"
    generators.mkdir(parents=True, exist_ok=True)
    for name in WITHOUT_GENERATORS:
        (generators / f"systemd-{name}-generator").symlink_to("/dev/null")
    _chroot(root, "systemctl", "enable", "-q", *ENABLED)
    _chroot(root, "systemctl", "mask", "-q", *MASKED)
    for unit in STARTED if recipe.installed else ():
        _chroot(root, "systemctl", "disable", "-q", unit)
    _chroot(root, "apt-get", "update")


def _authorise(root, key):
    """Make the key that opens the guest; root has no password."""
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", key], timeout=30)
    keys = root / "root/.ssh/authorized_keys"
    keys.parent.mkdir(mode=0o700, exist_ok=True)
    shutil.copy(f"{key}.pub", keys)


def _make_busybox_tar(root):
    """A root file system for `docker import /srv/busybox.tar busybox:latest`."""
    applets = _chroot(root, "busybox", "--list").split()
    with tarfile.open(root / "srv/busybox.tar", "w") as tar:
        for name in ("bin", "dev", "etc", "proc", "sys", "tmp"):
            _add(tar, name, type=tarfile.DIRTYPE, mode=0o755)
        tar.add(root / "bin/busybox", "bin/busybox")
        for applet in sorted(set(applets) - {"busybox"}):
            _add(tar, f"bin/{applet}", type=tarfile.SYMTYPE, linkname="busybox")


def _add(tar, name, **attributes):
    member = tarfile.TarInfo(name)
    for key, value in attributes.items():
        setattr(member, key, value)
    tar.addfile(member)


def _take_kernel(root, parts):
    for kind, name in (("vmlinuz", "vmlinuz"), ("initrd.img", "initrd")):
        (source,) = root.glob(f"boot/{kind}-*")
        shutil.copy(source, parts / name)


def _make_disk(root, raw, disk):
    """A disk without partition table: the kernel is given to QEMU, so nothing has to boot from it."""
    with open(raw, "wb") as handle:
        handle.truncate(ROOT_BYTES)
    run(
        ["mkfs.ext4", "-q", "-F", "-L", "root", "-E", "lazy_itable_init=1", "-d", root, raw],
        timeout=600,
    )
    run(["qemu-img", "convert", "-O", "qcow2", raw, disk], timeout=600)
