"""
RPM packages shaped like Docker's, built and signed for a test.
"""

import shutil
import subprocess

SPEC = """
Name: {name}
Version: {version}
Release: {release}
{epoch}
Summary: a stand-in
License: none
BuildArch: noarch
AutoReqProv: no
{relations}
%description
A stand-in.
%install
mkdir -p %{{buildroot}}/usr/bin %{{buildroot}}/usr/lib/systemd/system
{install}
%files
{files}
"""
DAEMON = """
printf '#!/bin/sh\\necho Docker version {version}, build test\\n' > %{{buildroot}}/usr/bin/dockerd
chmod 755 %{{buildroot}}/usr/bin/dockerd
printf '[Service]\\nExecStart=/usr/bin/{command}\\n' \
  > %{{buildroot}}/usr/lib/systemd/system/docker.service
"""
DAEMON_FILES = "/usr/bin/dockerd\n/usr/lib/systemd/system/docker.service"
# As in docker-ce-packaging, tag v17.06.2-ce.
OBSOLETES = [
    "Obsoletes: docker-engine",
    "Obsoletes: docker-engine-selinux",
    "Obsoletes: docker-ce-selinux",
    "Conflicts: docker",
]


def _run(*argv, env=None):
    done = subprocess.run(argv, capture_output=True, encoding="utf-8", timeout=300, env=env)
    assert done.returncode == 0, f"{argv}: {done.stdout}\n{done.stderr}"


def make_key(folder, name):
    """A signing key in a keyring of its own; returns the keyring's folder."""
    home = folder / f"gpg-{name}"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--yes", "--passphrase", ""]
    _run(*gpg, "--quick-gen-key", f"{name} <{name}@example.test>", "rsa2048", "sign", "never")
    _run(*gpg, "--armor", "--output", str(folder / f"{name}.asc"), "--export", name)
    return home


def build(folder, name, version, release="1.el7.centos", epoch=None, relations=(), daemon=None):
    """Build one package; returns its file. `daemon` is the command of its unit."""
    top = folder / "rpmbuild"
    (top / "SPECS").mkdir(parents=True, exist_ok=True)
    spec = top / "SPECS" / f"{name}.spec"
    spec.write_text(
        SPEC.format(
            name=name,
            version=version,
            release=release,
            epoch=f"Epoch: {epoch}" if epoch else "",
            relations="\n".join(relations),
            install=DAEMON.format(version=version, command=daemon) if daemon else "",
            files=DAEMON_FILES if daemon else "",
        )
    )
    _run("rpmbuild", "-bb", "--quiet", "--define", f"_topdir {top}", str(spec))
    return top / "RPMS/noarch" / f"{name}-{version}-{release}.noarch.rpm"


def sign(files, home, name):
    _run(
        "rpmsign",
        "--addsign",
        *("--define", f"_gpg_name {name}", "--define", f"_gpg_path {home}"),
        *("--define", f"__gpg {shutil.which('gpg')}"),
        *map(str, files),
    )


def repository(folder, files):
    """A folder with these packages and the index over them."""
    folder.mkdir(exist_ok=True)
    for file in files:
        (folder / file.name).write_bytes(file.read_bytes())
    _run("createrepo_c", "--quiet", str(folder))
