"""
The steps of `common` on a Debian 12 without disks, as a user of pyinfra would write them.

Its own operations only, in the order of playbook.yml, with the same files and values.
"""

import io

from pyinfra import host
from pyinfra.facts import files as file_facts
from pyinfra.facts.server import Command
from pyinfra.operations import apt, files, server, systemd

FQDN, ENTRIES = "node7.example.test", 524288
# The bytes that `common` writes, so that nobody changes what another way has made.
MANAGED = "# Written by Salt (common.conntrack). Change the pillar rancher:conntrack instead.\n"
TIMEOUTS = {"established": 86400, "close_wait": 60, "fin_wait": 60, "time_wait": 60}
TOOLS = ["parted", "util-linux", "xfsprogs", "e2fsprogs", "gdisk"]
VALUES = "/etc/sysctl.d/99-zz-rancher-conntrack.conf"
NOW = "net.netfilter.nf_conntrack_max net.netfilter.nf_conntrack_tcp_timeout_established"


def put(name, dest, text):
    files.put(name=name, src=io.BytesIO(text.encode()), dest=dest, mode="644")


if not (isinstance(FQDN, str) and ENTRIES >= 1024):
    raise SystemExit("the settings are wrong")
server.hostname(name="host name", hostname=FQDN)
files.line(
    name="name in /etc/hosts",
    path="/etc/hosts",
    line=r"^127\.0\.1\.1\s.*",
    replace=f"127.0.1.1 {FQDN} {FQDN.partition('.')[0]}",
)
host.get_fact(file_facts.Directory, path="/etc/cloud")
host.get_fact(file_facts.File, path="/etc/selinux/config")
apt.packages(name="packages", packages=TOOLS)
put(
    "conntrack, size of the table at boot",
    "/etc/modprobe.d/zz-rancher-conntrack.conf",
    f"{MANAGED}options nf_conntrack hashsize={ENTRIES // 2}\n",
)
put(
    "conntrack, module at boot",
    "/etc/modules-load.d/rancher-conntrack.conf",
    f"{MANAGED}nf_conntrack\n",
)
lines = [f"net.netfilter.nf_conntrack_max = {ENTRIES}"] + [
    f"net.netfilter.nf_conntrack_tcp_timeout_{state} = {seconds}"
    for state, seconds in TIMEOUTS.items()
]
put("conntrack, values at boot", VALUES, MANAGED + "\n".join(lines) + "\n")
now = host.get_fact(Command, command=f"sysctl --values {NOW}")
if now.split() != [str(ENTRIES), str(TIMEOUTS["established"])]:
    server.shell(name="conntrack, set now", commands=[f"sysctl --load={VALUES}"])
put(
    "docker, configuration",
    "/etc/docker/daemon.json",
    '{\n  "log-driver": "json-file",\n  "storage-driver": "overlay2"\n}\n',
)
server.group(name="docker, group", group="docker", system=True)
apt.packages(name="docker, package", packages=["docker.io"], no_recommends=True)
if host.get_fact(Command, command="apt-mark showhold docker.io") != "docker.io":
    server.shell(name="docker, package held", commands=["apt-mark hold docker.io"])
systemd.service(name="docker, service", service="docker", running=True, enabled=True)
