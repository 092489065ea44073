"""What is seen on a host and how it is set; whole runs are in tests/unit/states/test_conntrack.py."""

import os

import pytest
from fake_conntrack import OURS, SYSCTLS, Machine
from salt.exceptions import CommandExecutionError

OLD = "3.10.0-1160.el7.x86_64"
MAX = "net.netfilter.nf_conntrack_max"


def observe(machine):
    return machine.conntrack_host.observe(0.5)


def test_a_bare_host(tmp_path):
    seen = observe(Machine(tmp_path, 8))
    assert (seen["computed"], seen["buckets"], seen["blocked"]) == (131072, None, None)
    assert set(seen["values"].values()) == {None}
    assert seen["modules"] == {"nf_conntrack": "not loaded"}
    assert seen["default"] == {"max": 262144, "buckets": 262144}
    assert seen["files"] == dict.fromkeys(OURS.values())
    assert seen["recorded"] == {"max": None, "hashsize": None}
    assert not seen["built_in"]


def test_a_host_with_the_module(tmp_path):
    machine = Machine(tmp_path, 8)
    machine.load_module("nf_conntrack")
    seen = observe(machine)
    assert (seen["values"]["max"], seen["buckets"]) == (262144, 262144)
    assert seen["values"]["tcp_timeout_established"] == 432000
    assert seen["modules"] == {"nf_conntrack": "loaded"}


@pytest.mark.parametrize(
    ("loaded", "modules"),
    [
        ([], {"nf_conntrack": "not loaded", "nf_conntrack_ipv4": "not loaded"}),
        (["nf_conntrack"], {"nf_conntrack": "loaded", "nf_conntrack_ipv4": "not loaded"}),
        (
            ["nf_conntrack", "nf_conntrack_ipv4"],
            {"nf_conntrack": "loaded", "nf_conntrack_ipv4": "loaded"},
        ),
    ],
)
def test_the_modules_of_an_old_kernel(tmp_path, loaded, modules):
    machine = Machine(tmp_path, release=OLD)
    for name in loaded:
        machine.load_module(name)
    assert observe(machine)["modules"] == modules


def test_an_alias_is_not_the_module(tmp_path):
    machine = Machine(tmp_path)

    def run(argv, timeout=60, accept=(0,)):
        path = "/lib/modules/6.1.0/kernel/net/netfilter/nf_conntrack.ko\n"
        return {"retcode": 0, "stdout": path, "stderr": ""}

    machine.run = run
    assert observe(machine)["modules"] == {"nf_conntrack": "not loaded"}


def test_no_tool_is_needed_where_everything_is_loaded(tmp_path):
    machine = Machine(tmp_path)
    machine.load_module("nf_conntrack")
    machine.run = None
    assert observe(machine)["modules"] == {"nf_conntrack": "loaded"}


def test_what_our_files_recorded(tmp_path):
    machine = Machine(tmp_path)
    machine.put(OURS["sysctl"], f"# {MAX} = 1\n{MAX} = 300000\n")
    machine.put(OURS["options"], "# x\noptions nf_conntrack hashsize=75264\n")
    assert observe(machine)["recorded"] == {"max": 300000, "hashsize": 75264}
    machine.put(OURS["options"], "edited by hand\n")
    assert observe(machine)["recorded"] == {"max": 300000, "hashsize": None}


def test_other_files_with_our_option_count_for_the_default(tmp_path):
    machine = Machine(tmp_path)
    machine.put("/etc/modprobe.d/a.conf", "options nf_conntrack hashsize=4096\n")
    machine.put(OURS["options"], "options nf_conntrack hashsize=75264\n")
    seen = observe(machine)
    assert seen["default"] == {"max": 32768, "buckets": 4096}
    assert seen["later_options"] == []
    machine.put("/etc/modprobe.d/zzz.conf", "options nf_conntrack hashsize=512\n")
    assert observe(machine)["later_options"] == [
        {"file": "/etc/modprobe.d/zzz.conf", "value": "512", "spaced": False}
    ]


def test_one_network_namespace_is_the_host_itself(tmp_path):
    machine = Machine(tmp_path)
    for process in ("1", "self"):
        os.makedirs(f"{tmp_path}/proc/{process}/ns")
        os.symlink("net:[4026531840]", f"{tmp_path}/proc/{process}/ns/net")
    assert observe(machine)["blocked"] is None


def test_a_loaded_module_with_the_right_buckets_is_not_resized(tmp_path):
    machine = Machine(tmp_path)
    machine.load_module("nf_conntrack")
    apply = machine.conntrack_host.apply
    apply({"nf_conntrack hashsize": {"old": None, "new": 262144}})
    assert machine.steps == []
    apply({"nf_conntrack hashsize": {"old": None, "new": 262656}})
    assert machine.steps == ["set /sys/module/nf_conntrack/parameters/hashsize=262656"]


def test_a_value_that_the_kernel_refuses(tmp_path):
    machine = Machine(tmp_path)
    with pytest.raises(CommandExecutionError) as failure:
        machine.conntrack_host.apply({MAX: {"old": None, "new": 5}})
    assert str(failure.value) == f"{SYSCTLS}max could not be set to 5: No such file or directory"
