"""The whole way: a bare host, a dry run, `common`, again, a reboot, again."""

import pytest

SETTINGS = {
    "hostname": "node1.example.test",
    "packages": {"install": ["gdisk"]},
    "data_disk": {"device": "/dev/disk/by-id/virtio-data"},
    "thin_pool": {"device": "/dev/disk/by-id/virtio-pool"},
    "swap": {"size": "128M"},
    "docker": {"daemon": {"log-driver": "json-file", "log-opts": {"max-size": "10m"}}},
}
# What Salt itself and the system write all the time.
NOT_OURS = (
    r"^/(proc|sys|run|dev|tmp)/|^/var/(cache/salt|log|lib/systemd|lib/apt|cache/apt)|/__pycache__/"
)


@pytest.fixture(scope="module")
def history(lab):
    """Everything that happened to one host, in order."""
    lab.fresh()
    lab.master.pillar({"rancher": SETTINGS})
    lab.guest.must("touch /tmp/mark; sleep 1")
    disks = disk_heads(lab)
    past = {"dry": lab.call("state.apply", "common", test=True)}
    past["written by the dry run"] = written_since_mark(lab)
    past["disks untouched by the dry run"] = disk_heads(lab) == disks
    past["first"] = lab.call("state.apply", "common")
    past["second"] = lab.call("state.apply", "common")
    lab.reboot()
    past["after reboot"] = lab.call("state.apply", "common")
    return past


def disk_heads(lab):
    return lab.guest.must("for d in vdb vdc; do head -c 16M /dev/$d | sha256sum; done")


def written_since_mark(lab):
    text = lab.guest.must(
        f"find / -xdev -newer /tmp/mark -type f | grep -vE '{NOT_OURS}' || true", timeout=120
    )
    return text.split()


def failures(report):
    assert isinstance(report, dict), report
    return [
        f"{state['__id__']}: {state['comment']}"
        for state in report.values()
        if state["result"] is False
    ]


def changes(report):
    """ID and changes of every state that changes something, in the order of the run."""
    states = sorted(report.values(), key=lambda state: state["__run_num__"])
    return [(state["__id__"], state["changes"]) for state in states if state["changes"]]


@pytest.mark.vm
@pytest.mark.parametrize("run", ["dry", "first", "second", "after reboot"])
def test_no_state_fails(history, run):
    assert failures(history[run]) == []


@pytest.mark.vm
def test_the_dry_run_names_the_changes_that_the_run_then_makes(history):
    predicted, made = dict(changes(history["dry"])), dict(changes(history["first"]))
    assert list(predicted) == list(made)  # in this order, too
    assert predicted == made


@pytest.mark.vm
def test_the_dry_run_writes_nothing(history):
    assert history["written by the dry run"] == []
    assert history["disks untouched by the dry run"]


@pytest.mark.vm
@pytest.mark.parametrize("run", ["second", "after reboot"])
def test_a_further_run_changes_nothing(history, run):
    assert changes(history[run]) == []


@pytest.mark.vm
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("hostname --fqdn", "node1.example.test"),
        ("findmnt -no SOURCE,FSTYPE /data", "xfs"),
        ("swapon --show=NAME --noheadings", "/data/swap/swapfile"),
        ("docker info", "Storage Driver: devicemapper"),
        ("docker info", "Pool Name: docker-thinpool"),
        ("lvs --noheadings -o lv_name,lv_profile,seg_monitor docker", "docker-thinpool monitored"),
        ("cat /proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established", "86400"),
        ("systemctl is-enabled docker", "enabled"),
        (
            "docker import /srv/busybox.tar busybox >/dev/null; docker run --rm busybox echo hello",
            "hello",
        ),
    ],
)
def test_what_is_true_on_the_host_afterwards(history, lab, command, words):
    assert words in " ".join(lab.guest.must(command, timeout=120).split())
