"""The state with its modules on an imitated kernel; dry run and run of every scenario."""

import os

import pytest
import yaml
from fake_conntrack import OURS, PARAMETERS, SYSCTLS, Killed, Machine, numbers
from fakes import ROOT
from salt.exceptions import CommandExecutionError

WANTED = {
    "tcp_timeout_established": 86400,
    "tcp_timeout_close_wait": 60,
    "tcp_timeout_fin_wait": 60,
    "tcp_timeout_time_wait": 60,
}
# Inputs made from public reports.
REPORTS = yaml.safe_load((ROOT / "tests/unit/cases/public_reports.yaml").read_text())
OLD, NEW = "3.10.0-1160.el7.x86_64", "6.1.0-18-amd64"


def not_loaded(machine):
    pass


def loaded(machine):
    machine.load_module("nf_conntrack")


def loaded_without_ipv4(machine):
    machine.available.add("nf_conntrack_ipv4")
    machine.load_module("nf_conntrack")


def raised_by_hand(machine):
    machine.load_module("nf_conntrack")
    machine.set_live(500000)


def lowered_by_hand(machine):
    machine.load_module("nf_conntrack")
    machine.set_live(4096)


def foreign_option(machine):
    machine.put("/etc/modprobe.d/local.conf", "options nf_conntrack hashsize=300000\n")


def done_and_changed_by_hand(machine):
    machine.state(test=False)
    machine.set_live(machine.live()["max"], tcp_timeout_fin_wait=7)
    os.unlink(machine.root + OURS["modules"])


def done_and_booted_without_sysctls(machine):
    machine.state(test=False)
    machine.boot(with_sysctls=False)


def written_only(machine):
    machine.die = 3
    with pytest.raises(Killed):
        machine.state(test=False)
    machine.die = None


# What is there -> (kernel, RAM in GiB, max and buckets afterwards).
SCENARIOS = [
    (not_loaded, NEW, 1, 16384, 8192),
    (not_loaded, OLD, 1, 32768, 8192),
    (not_loaded, NEW, 2, 65536, 65536),
    (not_loaded, OLD, 2, 65536, 16384),
    (not_loaded, NEW, 8, 262144, 262144),
    (not_loaded, OLD, 8, 262144, 65536),
    (not_loaded, NEW, 32, 524288, 262144),
    (not_loaded, OLD, 64, 1048576, 262144),
    (loaded, NEW, 8, 262144, 262144),
    (loaded, NEW, 128, 2097152, 524288),
    (loaded_without_ipv4, OLD, 16, 262144, 65536),
    (raised_by_hand, NEW, 8, 500000, 262144),
    (lowered_by_hand, NEW, 8, 131072, 262144),
    (foreign_option, NEW, 8, 300032 * 8, 300032 * 2),
    (done_and_changed_by_hand, NEW, 8, 262144, 262144),
    (done_and_booted_without_sysctls, NEW, 8, 262144, 262144),
    (done_and_booted_without_sysctls, OLD, 64, 1048576, 262144),
    (written_only, NEW, 8, 262144, 262144),
]


def of(scenario):
    prepare, release, gib, *_ = scenario
    return f"{prepare.__name__}-{release.partition('-')[0]}-{gib}GiB"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=of)
def test_it_predicts_converges_and_stays(tmp_path, scenario):
    prepare, release, gib, entries, buckets = scenario
    machine = Machine(tmp_path, gib, release)
    prepare(machine)
    machine.steps.clear()
    before = machine.tree()
    predicted = machine.state(test=True)
    assert (predicted["result"], machine.steps, machine.tree()) == (None, [], before)
    actual = machine.state(test=False)
    assert (actual["result"], actual["changes"]) == (True, predicted["changes"])
    assert machine.live() == {"max": entries, **WANTED, "buckets": buckets}
    for after in (lambda: None, machine.boot):
        after()
        assert machine.live() == {"max": entries, **WANTED, "buckets": buckets}
        for test in (True, False):
            again = machine.state(test)
            assert (again["result"], again["changes"]) == (True, {}), again["comment"]


def test_what_a_bare_host_reports(tmp_path):
    machine = Machine(tmp_path)
    changes = machine.state(test=False)["changes"]
    assert list(changes)[:5] == [*OURS.values(), "module nf_conntrack", "nf_conntrack hashsize"]
    assert changes["net.netfilter.nf_conntrack_max"] == {"old": None, "new": 262144}
    assert numbers(machine.get(OURS["sysctl"]))["net.netfilter.nf_conntrack_max"] == "262144"
    assert machine.get(OURS["modules"]).splitlines()[1:] == ["nf_conntrack"]
    assert machine.get(OURS["options"]).splitlines()[1:] == ["options nf_conntrack hashsize=262144"]


def test_the_timeouts_of_an_old_kernel_need_their_module(tmp_path):
    machine = Machine(tmp_path, release=OLD)
    changes = machine.state(test=False)["changes"]
    assert changes["module nf_conntrack_ipv4"] == {"old": "not loaded", "new": "loaded"}
    assert machine.get(OURS["modules"]).splitlines()[1:] == ["nf_conntrack", "nf_conntrack_ipv4"]


@pytest.mark.parametrize("release", [OLD, NEW])
@pytest.mark.parametrize("prepare", [not_loaded, loaded, foreign_option])
def test_ended_anywhere_it_converges_to_the_same(tmp_path, prepare, release):
    ends = []
    for number in range(11):
        machine = Machine(tmp_path / str(number), 32, release, die=number)
        prepare(machine)
        try:
            machine.state(test=False)
        except Killed:
            machine.die = None
            assert machine.state(test=False)["result"] is True
        assert machine.state(test=False)["changes"] == {}
        ends.append((machine.live(), [machine.get(path) for path in OURS.values()]))
    assert ends.count(ends[0]) == len(ends)


@pytest.mark.parametrize("number", range(1, 9))
def test_ended_and_booted_it_converges_to_the_same(tmp_path, number):
    machine = Machine(tmp_path, 32, die=number)
    with pytest.raises(Killed):
        machine.state(test=False)
    machine.die = None
    machine.boot()
    machine.state(test=False)
    assert machine.live() == {"max": 524288, **WANTED, "buckets": 262144}
    assert machine.state(test=False)["changes"] == {}


@pytest.mark.parametrize("test", [True, False])
def test_the_higher_value_of_the_kernel_is_kept_and_named(tmp_path, test):
    machine = Machine(tmp_path)
    loaded(machine)
    for _ in range(2):
        comment = machine.state(test)["comment"]
        assert (
            "Kept 262144 entries, what the kernel has, over the 131072 computed from 8 GiB of RAM "
            "(memory blocks), share 0.5; to go lower set rancher:conntrack:max" in comment
        )


def test_the_pillar_may_go_lower_but_the_buckets_stay(tmp_path):
    machine = Machine(tmp_path)
    machine.state(test=False)
    ret = machine.state(test=False, max=5000)
    assert set(ret["changes"]) == {OURS["sysctl"], "net.netfilter.nf_conntrack_max"}
    assert (machine.live()["max"], machine.live()["buckets"]) == (5000, 262144)
    assert "Kept" not in ret["comment"]
    machine.boot()
    assert machine.state(test=False, max=5000)["changes"] == {}


def test_buckets_follow_in_whole_pages(tmp_path):
    machine = Machine(tmp_path)
    loaded(machine)
    ret = machine.state(test=False, max=2_000_001)
    assert ret["changes"]["nf_conntrack hashsize"] == {"old": 262144, "new": 500224}
    assert 500224 % 512 == 0 and 500224 - 512 < 2_000_001 / 4 <= 500224


def test_a_table_without_limit_is_not_limited(tmp_path):
    machine = Machine(tmp_path)
    loaded(machine)
    machine.set_live(0)
    ret = machine.state(test=False)
    assert machine.live()["max"] == 0
    assert "Kept a table without limit" in ret["comment"]


def test_a_table_that_met_no_sysctl_does_not_ratchet_up(tmp_path):
    # With hashsize given the kernel takes 8 times that; kept, it would double at every boot.
    machine = Machine(tmp_path, 64)
    machine.state(test=False)
    for _ in range(3):
        machine.boot(with_sysctls=False)
        assert machine.live()["max"] == 2097152
        machine.state(test=False)
        assert (machine.live()["max"], machine.live()["buckets"]) == (1048576, 262144)


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        (
            "/etc/sysctl.conf",
            "net.netfilter.nf_conntrack_max=65536",
            "/etc/sysctl.conf is read after /etc/sysctl.d/99-zz-rancher-conntrack.conf and sets "
            "net.netfilter.nf_conntrack_max to 65536, not 262144: remove the line there, or it wins",
        ),
        ("/etc/sysctl.d/zzz.conf", "net/nf_conntrack_max = 1", "net.nf_conntrack_max to 1, not"),
        (
            "/usr/lib/sysctl.d/99-zzz.conf",
            "-net.netfilter.nf_conntrack_tcp_timeout_fin_wait = 120",
            "/usr/lib/sysctl.d/99-zzz.conf is read after",
        ),
        (
            "/etc/sysctl.d/99-zzz.conf",
            "-net.netfilter.nf_conntrack_max",
            "and keeps net.netfilter.nf_conntrack_max as the kernel has it, not 262144: remove",
        ),
        (
            "/etc/modprobe.d/zzz.conf",
            "options nf_conntrack hashsize=1024",
            "/etc/modprobe.d/zzz.conf sets hashsize=1024 after",
        ),
        ("/proc/cmdline", "quiet nf_conntrack.hashsize=4096", "/proc/cmdline sets hashsize=4096"),
        (
            "/etc/sysctl.conf",
            REPORTS["09-sysctl.conf"],
            "/etc/sysctl.conf sets net.netfilter.nf_conntrack_buckets to 16384 after the module has "
            "taken hashsize=262144: remove the line there, or it wins at boot",
        ),
        (
            "/etc/sysctl.d/10-first.conf",
            "net/netfilter/nf_conntrack_buckets = 0x4000",
            "/etc/sysctl.d/10-first.conf sets net.netfilter.nf_conntrack_buckets to 0x4000 after",
        ),
        (
            "/etc/tmpfiles.d/local.conf",
            f"w {PARAMETERS} - - - - 4096",
            f"/etc/tmpfiles.d/local.conf sets {PARAMETERS} to 4096 after the module",
        ),
        (
            "/etc/modprobe.d/local.conf",
            "options nf_conntrack hashsize = 1024",
            "/etc/modprobe.d/local.conf has spaces around the = of hashsize = 1024, which the "
            "kernel does not take: remove it there, or nf_conntrack fails to load at boot",
        ),
        (
            "/etc/modprobe.d/zzz.conf",
            "install nf_conntrack /sbin/modprobe --ignore-install nf_conntrack hashsize=0x400",
            "/etc/modprobe.d/zzz.conf sets hashsize=0x400 after",
        ),
    ],
)
def test_another_file_that_wins_at_boot_is_named(tmp_path, test, path, text, words):
    machine = Machine(tmp_path)
    loaded(machine)
    machine.put(path, text + "\n")
    assert words in machine.state(test)["comment"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/etc/sysctl.d/99-sysctl.conf", "net.netfilter.nf_conntrack_max=65536"),
        ("/etc/sysctl.conf", "net.netfilter.nf_conntrack_tcp_timeout_fin_wait=60"),
        ("/etc/sysctl.d/zzz.conf", "vm.swappiness=1"),
        ("/etc/modprobe.d/local.conf", "options nf_conntrack hashsize=1024"),
        ("/etc/modprobe.d/zzz.conf", "options nf_conntrack hashsize=0x40000"),
        ("/etc/sysctl.conf", "net.netfilter.nf_conntrack_buckets = 262144"),
        ("/etc/sysctl.d/zzz.conf", "net.netfilter.nf_conntrack_max = 0x40000"),
    ],
)
def test_another_file_that_does_no_harm_is_not_named(tmp_path, path, text):
    machine = Machine(tmp_path)
    loaded(machine)
    machine.put(path, text + "\n")
    assert path not in machine.state(test=False)["comment"]


@pytest.mark.parametrize("test", [True, False])
def test_what_tuned_sets_after_the_sysctls_is_named(tmp_path, test):
    machine = Machine(tmp_path)
    loaded(machine)
    machine.put("/etc/tuned/active_profile", "mine\n")
    profile = "net.netfilter.nf_conntrack_buckets = 1024\nnet.netfilter.nf_conntrack_max = 4096\n"
    machine.put("/etc/tuned/mine/tuned.conf", f"[sysctl]\n{profile}")
    comment = machine.state(test)["comment"]
    assert "/etc/tuned/mine/tuned.conf sets net.netfilter.nf_conntrack_buckets to 1024" in comment
    # It reads the files of sysctl.d again after its own, where the maximum is ours.
    assert "nf_conntrack_max to 4096" not in comment
    machine.put("/etc/tuned/tuned-main.conf", "reapply_sysctl = 0\n")
    assert "nf_conntrack_max to 4096, not 262144" in machine.state(test)["comment"]


@pytest.mark.parametrize("test", [True, False])
def test_an_option_that_the_kernel_does_not_take_is_named_before_the_module_is_loaded(
    tmp_path, test
):
    machine = Machine(tmp_path)
    machine.put("/etc/modprobe.d/local.conf", "options nf_conntrack hashsize = 4096\n")
    before = machine.tree()
    ret = machine.state(test)
    assert (ret["result"], ret["changes"], machine.tree()) == (False, {}, before)
    assert "/etc/modprobe.d/local.conf has spaces around the = of hashsize" in ret["comment"]


def own_namespace(machine):
    for process, number in (("1", 4026531840), ("self", 4026532999)):
        os.makedirs(f"{machine.root}/proc/{process}/ns", exist_ok=True)
        os.symlink(f"net:[{number}]", f"{machine.root}/proc/{process}/ns/net")


def read_only_sys(machine):
    loaded(machine)
    machine.read_only.add(PARAMETERS)


def read_only_sysctl(machine):
    loaded(machine)
    machine.read_only.add(SYSCTLS + "max")


def no_capability(machine):
    machine.put("/proc/self/status", "Name:\tpython\nCapEff:\t00000000a80425fb\n")


def no_such_module(machine):
    machine.available.clear()


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (own_namespace, "this is not the host's own network namespace"),
        (read_only_sys, f"{PARAMETERS} is read-only here"),
        (read_only_sysctl, f"{SYSCTLS}max is read-only here"),
        (no_capability, "kernel modules may not be loaded here"),
        (no_such_module, f"The running kernel {NEW} has no module nf_conntrack"),
    ],
)
def test_a_refusal_is_one_line_and_writes_nothing(tmp_path, test, prepare, words):
    machine = Machine(tmp_path)
    prepare(machine)
    before = machine.tree()
    ret = machine.state(test)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert words in ret["comment"] and "\n" not in ret["comment"]
    assert (machine.steps, machine.tree()) == ([], before)


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"max": 0}, "max is 0; allowed: a whole number from 1 to 2147483647"),
        ({"max": "131072"}, "max is '131072'"),
        ({"max": True}, "max is True"),
        ({"tcp_timeout_fin_wait": None}, "tcp_timeout_fin_wait is None"),
        ({"tcp_timeout_close_wait": -1}, "tcp_timeout_close_wait is -1"),
        ({"ram_share": 1.5}, "ram_share is 1.5; allowed: a number from 0 to 1"),
    ],
)
def test_an_impossible_argument_is_refused(tmp_path, test, arguments, words):
    machine = Machine(tmp_path)
    before = machine.tree()
    ret = machine.state(test, **arguments)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert words in ret["comment"]
    assert machine.tree() == before


def test_what_was_done_before_a_failure_is_reported(tmp_path):
    def refuses(name):
        raise CommandExecutionError(f"`modprobe {name}` failed with exit code 1: out of memory")

    machine = Machine(tmp_path)
    machine.load_module = refuses
    ret = machine.state(test=False)
    assert ret["result"] is False
    assert list(ret["changes"]) == list(OURS.values())
    assert "`modprobe nf_conntrack` failed with exit code 1" in ret["comment"]


def test_a_built_in_kernel_part_is_said(tmp_path):
    machine = Machine(tmp_path)
    loaded(machine)
    os.unlink(f"{machine.root}/sys/module/nf_conntrack/initstate")
    assert "nf_conntrack.hashsize=262144 only" in machine.state(test=False)["comment"]
