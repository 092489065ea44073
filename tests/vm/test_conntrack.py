"""The kernel's own words: what it makes of nf_conntrack, and what common.conntrack makes of that."""

import pytest

FILES = ("/etc/sysctl.d/99-zz-rancher-conntrack.conf", "/etc/modprobe.d/zz-rancher-conntrack.conf")
NETFILTER = "/proc/sys/net/netfilter"
TIMEOUTS = {"established": 86400, "close_wait": 60, "fin_wait": 60, "time_wait": 60}
# The guest has 3 GiB: a third more than the kernel's default, so that there is a change to see.
RAISED = 98304


@pytest.fixture(scope="module")
def history(lab):
    """Everything that happened to one host, in order."""
    lab.fresh()
    lab.master.pillar({"rancher": {}})
    past = {"dry": lab.call("state.apply", "common.conntrack", test=True)}
    past["files after the dry run"] = lab.guest.ssh(f"ls {' '.join(FILES)}")[1]
    past["predicted"] = lab.call("conntrack.kernel_default")
    past["predicted, hashsize"] = lab.call("conntrack.kernel_default", hashsize=1000)
    past["made"] = made_by_the_kernel(lab)
    past["made, hashsize"] = made_by_the_kernel(lab, "hashsize=1000")
    past["usage without the module"] = lab.call("conntrack.usage")
    past["first"] = lab.call("state.apply", "common.conntrack")
    past["second"] = lab.call("state.apply", "common.conntrack")
    lab.master.pillar({"rancher": {"conntrack": {"ram_share": 1}}})
    past["dry, raised"] = lab.call("state.apply", "common.conntrack", test=True)
    past["raised"] = lab.call("state.apply", "common.conntrack")
    lab.reboot()
    past["booted values"] = values(lab)
    past["after reboot"] = lab.call("state.apply", "common.conntrack")
    past["usage"] = lab.call("conntrack.usage")
    return past


def made_by_the_kernel(lab, option=""):
    """What a module shows that was just loaded, without any file of ours; then it is gone again."""
    shown = lab.guest.must(
        f"modprobe nf_conntrack {option}; cat {NETFILTER}/nf_conntrack_max "
        f"{NETFILTER}/nf_conntrack_buckets; rmmod nf_conntrack"
    )
    return dict(zip(("max", "buckets"), map(int, shown.split()), strict=True))


def values(lab):
    names = ["max", "buckets", *(f"tcp_timeout_{state}" for state in TIMEOUTS)]
    paths = " ".join(f"{NETFILTER}/nf_conntrack_{name}" for name in names)
    return dict(zip(names, map(int, lab.guest.must(f"cat {paths}").split()), strict=True))


def tuned(report):
    (state,) = [it for it in report.values() if it["__id__"] == "conntrack-tuned"]
    return state


def test_the_kernel_makes_what_we_predict(history):
    assert history["made"] == history["predicted"]
    assert history["made, hashsize"] == history["predicted, hashsize"]


def test_nothing_is_loaded_before(history):
    assert history["usage without the module"] is None
    assert history["files after the dry run"] == ""


@pytest.mark.parametrize(("dry", "run"), [("dry", "first"), ("dry, raised", "raised")])
def test_the_dry_run_names_the_changes_that_the_run_then_makes(history, dry, run):
    predicted, made = tuned(history[dry]), tuned(history[run])
    assert (predicted["result"], made["result"]) == (None, True), made["comment"]
    assert predicted["changes"] == made["changes"] != {}


@pytest.mark.parametrize("run", ["second", "after reboot"])
def test_a_further_run_changes_nothing(history, run):
    state = tuned(history[run])
    assert (state["result"], state["changes"]) == (True, {}), state["comment"]


def test_the_kernel_s_higher_value_stays(history):
    assert (
        "Kept 65536 entries, what the kernel has, over the 49152 computed from 3 GiB"
        in (tuned(history["second"])["comment"])
    )


def test_a_boot_brings_everything_back(history):
    wanted = {f"tcp_timeout_{state}": seconds for state, seconds in TIMEOUTS.items()}
    assert history["booted values"] == {"max": RAISED, "buckets": 65536, **wanted}
    assert history["usage"]["max"] == RAISED


def test_another_network_namespace_is_refused(history, lab):
    shown = lab.guest.must(
        "unshare --net salt-call --local --retcode-passthrough --out=json "
        "state.single conntrack.tuned conntrack max=1024; true",
        timeout=120,
    )
    assert "cannot be tuned from here: this is not the host's own network namespace" in shown
    assert values(lab)["max"] == RAISED
