"""The host's name and its swap file on a real host: dry run, run, again, a resize, a reboot, again."""

import pytest

NAME = "node1.example.test"
SWAP = "/data/swap/swapfile"
STEPS = "common.hostname,common.swap"
DISK = {"device": "/dev/disk/by-id/virtio-data"}


def settings(size):
    return {"rancher": {"hostname": NAME, "data_disk": DISK, "swap": {"size": size}}}


@pytest.fixture(scope="module")
def history(lab):
    """Everything that happened to one host, in order."""
    lab.fresh()
    # As on a cloud's image: cloud-init would set its own name at every boot.
    lab.guest.must("mkdir -p /etc/cloud")
    lab.master.pillar(settings("192M"))
    past = {"dry": lab.call("state.apply", STEPS, test=True)}
    past["first"] = lab.call("state.apply", STEPS)
    past["second"] = lab.call("state.apply", STEPS)
    lab.master.pillar(settings("128M"))
    past["dry resize"] = lab.call("state.apply", "common.swap", test=True)
    past["resize"] = lab.call("state.apply", "common.swap")
    lab.reboot()
    # The minion answers by its old id: had that followed the host's name, this would fail.
    past["after reboot"] = lab.call("state.apply", STEPS)
    return past


def failures(report):
    assert isinstance(report, dict), report
    return [state["comment"] for state in report.values() if state["result"] is False]


def changes(report):
    found = {state["__id__"]: state["changes"] for state in report.values()}
    return {name: change for name, change in found.items() if change}


@pytest.mark.parametrize("run", ["dry", "first", "second", "dry resize", "resize", "after reboot"])
def test_no_state_fails(history, run):
    assert failures(history[run]) == []


def test_the_first_run_does_what_was_predicted(history):
    predicted, made = changes(history["dry"]), changes(history["first"])
    assert predicted == made
    assert list(made["hostname-configured"]) == ["/etc/hosts", "cloud-init", "static", "running"]
    assert list(made["swap-file-active"]) == ["file", "active", "fstab"]


def test_a_resize_does_what_was_predicted(history):
    resized = {"swap-file-active": {"file": {"old": "192M", "new": "128M"}}}
    assert changes(history["dry resize"]) == changes(history["resize"]) == resized


@pytest.mark.parametrize("run", ["second", "after reboot"])
def test_a_further_run_changes_nothing(history, run):
    assert changes(history[run]) == {}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("hostname; hostname --fqdn", f"{NAME} {NAME}"),
        ("cat /etc/hostname", NAME),
        ("grep 127.0.1.1 /etc/hosts", f"127.0.1.1 {NAME} node1"),
        ("grep hostname: /etc/cloud/cloud.cfg.d/*", "preserve_hostname: true"),
        ("swapon --show=NAME,SIZE --noheadings", f"{SWAP} 128M"),
        (f"stat -c '%a %U %s' {SWAP}", "600 root 134217728"),
        ("ls /data/swap", "swapfile"),
        ("findmnt --noheadings --output TARGET --target /data/swap", "/data"),
        (f"grep {SWAP} /etc/fstab", f"{SWAP} none swap sw,nofail 0 0"),
        ("systemctl is-active data-swap-swapfile.swap", "active"),
    ],
)
def test_what_is_true_after_the_reboot(history, lab, command, words):
    assert " ".join(lab.guest.must(command).split()) == words
