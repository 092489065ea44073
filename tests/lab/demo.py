"""
`make demo`: bare hosts become a Rancher server and a member of its cluster before your eyes.

A throwaway guest with two blank disks, whose image has the packages: a dry run, `common`, a second run that changes
nothing, what is now on the host, a reboot, and a third run that changes nothing. Then the
roles: that host becomes the server, a second one, still bare, joins it. Rancher's images are
stand-ins (tests/stand_ins). Ends with 1 and a line that says why when any of that does not hold.
"""

import signal
import sys
import time

from .image import PACKAGES, Recipe
from .lab import Lab
from .process import LabError

SETTINGS = {
    "data_disk": {"device": "/dev/disk/by-id/virtio-data"},
    "thin_pool": {"device": "/dev/disk/by-id/virtio-pool"},
    "swap": {"file": "/data/swap/swapfile", "size": "256M"},
}
CONNTRACK = [
    "max",
    "buckets",
    *(f"tcp_timeout_{kind}" for kind in ("established", "close_wait", "fin_wait", "time_wait")),
]
# A command to show, and words that its output must hold.
ON_THE_HOST = [
    ("lsblk -o NAME,SIZE,TYPE,FSTYPE,LABEL,MOUNTPOINTS", ["docker-thinpool", "/data"]),
    ("lvs -a -o lv_name,lv_attr,lv_size,data_percent,metadata_percent,lv_profile,seg_monitor docker", ["docker-thinpool", " monitored"]),
    ("cat /etc/lvm/profile/docker-thinpool.profile", ["thin_pool_autoextend_threshold"]),
    ("docker info 2>/dev/null | grep -E 'Server Version|Storage Driver|Pool Name|Data Space|Metadata Space|Backing'", ["Storage Driver: devicemapper", "Pool Name: docker-thinpool"]),
    (f"sysctl {' '.join(f'net.netfilter.nf_conntrack_{key}' for key in CONNTRACK)}", ["established = 86400", "time_wait = 60"]),
    ("findmnt /data", ["xfs"]),
    ("swapon --show", ["/data/swap/swapfile", "256M"]),
]  # fmt: skip
SERVER, NODE = "server1", "node1"
CONTAINER = "docker run --rm busybox echo hello"


class Broken(Exception):
    """The demonstration shows something else than it promises."""


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        recipe = Recipe(offered=(), installed=PACKAGES)
        with Lab("demo", guests=(SERVER, NODE), recipe=recipe, events=True, cgroup=1) as lab:
            lab.registry.start()
            show(lab)
            show_cluster(lab)
    except (Broken, LabError) as reason:
        print(f"demo: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print("\ndemo: bare hosts became a Rancher server and a member of its cluster, and stayed so")
    return 0


def show(lab):
    lab.master.pillar({"rancher": settings(lab)})
    title("A host that never ran Docker or LVM, with two blank disks")
    run_on_host(lab, "lsblk")
    title("What would happen: state.apply common test=True")
    converge(lab, test=True)
    title("state.apply common")
    if not changed(converge(lab)):
        raise Broken("the first run changed nothing")
    title("state.apply common, a second time")
    expect_no_change(converge(lab), "the second run")
    title("What is on the host now")
    inspect(lab)
    run_on_host(lab, "docker import /srv/busybox.tar busybox:latest")
    run_on_host(lab, CONTAINER, ["hello"])
    title("Reboot")
    lab.reboot()
    inspect(lab)
    run_on_host(lab, CONTAINER, ["hello"])
    title("state.apply common, after the reboot")
    expect_no_change(converge(lab), "the run after the reboot")


def show_cluster(lab):
    url = f"http://{lab.address(SERVER)}:8080"
    agent = {"server_url": url, "ip": lab.address(NODE), "registered_timeout": 1800}
    roles = {
        SERVER: {"rancher": {"roles": ["server"], "server": {"ready_timeout": 1800}}},
        NODE: {"rancher": {"roles": ["agent"], "agent": agent}},
    }
    lab.master.pillar({"rancher": settings(lab)}, roles)
    title(f"A cluster: state.apply on {SERVER}, a server now, and on {NODE}, still bare, an agent")
    reports = converge_all(lab)
    for name, report in reports.items():
        if not changed(report):
            raise Broken(f"the first run on {name} changed nothing")
    title("state.apply on both, a second time")
    for name, report in converge_all(lab).items():
        expect_no_change(report, f"the second run on {name}")
    title(f"The hosts of the cluster: salt {NODE} rancher.hosts {url}")
    hosts = lab.master.call(NODE, "rancher.hosts", [url])
    print_output(lab, {NODE: hosts}, "table")
    if [host["state"] for host in hosts] != ["active"]:
        raise Broken(f"{NODE} is not active in the cluster")


def settings(lab):
    return {**SETTINGS, "docker": {"daemon": lab.registry.daemon}}


def title(text):
    print(f"\n=== {text}", flush=True)


def converge(lab, **kwargs):
    """Apply `common` on the first host, print the report as Salt would, and return it."""
    return _watched(lab, [SERVER], "common", **kwargs)[SERVER]


def converge_all(lab):
    """Apply what each host's roles ask for; print and return the reports."""
    return _watched(lab, [SERVER, NODE])


def _watched(lab, names, *args, **kwargs):
    started = time.monotonic()

    def progress(minion, state):
        passed = f"{time.monotonic() - started:4.0f} s"
        mark = {True: "ok  ", None: "test"}.get(state["result"], "FAIL")
        print(f"{passed}  {minion}  {mark}  {state['__id__']}", flush=True)

    reports = lab.master.call_all(
        names, "state.apply", args, timeout=2400, progress=progress, **kwargs
    )
    print_output(lab, reports, "highstate")
    print(f"({time.monotonic() - started:.0f} s)", flush=True)
    for name, report in reports.items():
        if not isinstance(report, dict):
            raise Broken(f"the states of {name} did not compile")
        failed = [state["__id__"] for state in report.values() if state["result"] is False]
        if failed:
            raise Broken(f"failed on {name}: {', '.join(failed)}")
    return reports


def print_output(lab, data, how):
    import salt.output

    options = {**lab.master.options(), "state_output": "changes", "color": sys.stdout.isatty()}
    salt.output.display_output(data, how, options)
    sys.stdout.flush()


def changed(report):
    return [state["__id__"] for state in report.values() if state["changes"]]


def expect_no_change(report, which):
    if changed(report):
        raise Broken(f"{which} changed {', '.join(changed(report))}")


def inspect(lab):
    for command, words in ON_THE_HOST:
        run_on_host(lab, command, words)


def run_on_host(lab, command, words=()):
    """Show ``command`` and its output, which must hold all ``words``."""
    print(f"\n# {command}", flush=True)
    code, out, err = lab.guest.ssh(command, timeout=180)
    print((out + err).rstrip(), flush=True)
    missing = [word for word in words if word not in out]
    if code or missing:
        raise Broken(
            f"{command}: "
            + (f"no {missing[0]!r} in its output" if missing else f"exit code {code}")
        )


if __name__ == "__main__":
    sys.exit(main())
