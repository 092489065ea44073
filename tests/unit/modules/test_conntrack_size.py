import types

import pytest
import yaml
from fake_conntrack import Machine
from fakes import ROOT
from salt.exceptions import CommandExecutionError, SaltInvocationError

import _conntrack_size as conntrack

CASES = yaml.safe_load((ROOT / "tests/unit/cases/conntrack.yaml").read_text())


def cases(name):
    return pytest.mark.parametrize("case", CASES[name].values(), ids=list(CASES[name]))


@cases("sizes")
def test_the_table_for_a_host(case):
    entries = conntrack.max(case["bytes"], arch_bits=case["bits"], ram_share=case["share"])
    assert (entries, type(entries)) == (case["entries"], int)


@cases("refused")
def test_nonsense_is_named(case):
    asked = {"bytes": 8 << 30, "share": 0.5, "bits": 64} | case
    with pytest.raises(SaltInvocationError, match="allowed") as failure:
        conntrack.max(asked["bytes"], arch_bits=asked["bits"], ram_share=asked["share"])
    assert case["words"] in str(failure.value)


@cases("defaults")
def test_what_the_kernel_makes_by_itself(case):
    made = conntrack.kernel_default(
        case["bytes"],
        case["release"],
        case.get("bits", 64),
        case.get("page", 4096),
        case.get("hashsize"),
    )
    assert made == {"max": case["max"], "buckets": case["buckets"]}


def test_a_release_that_is_none():
    with pytest.raises(SaltInvocationError, match="'mine' is not a kernel release"):
        conntrack.kernel_default(1 << 30, "mine", 64, 4096)


@pytest.mark.parametrize(("machine", "bits"), CASES["machines"].items())
def test_the_bits_are_those_of_the_kernel(machine, bits, monkeypatch):
    uname = types.SimpleNamespace(machine=machine)
    monkeypatch.setattr(conntrack, "os", types.SimpleNamespace(uname=lambda: uname))
    assert conntrack.max(1 << 30, ram_share=1) == 65536 * 32 // bits


@pytest.mark.parametrize(
    ("bits", "page", "step"), [(64, 4096, 512), (32, 4096, 1024), (64, 65536, 8192)]
)
def test_the_kernel_takes_buckets_in_whole_pages(bits, page, step):
    assert conntrack.bucket_step(bits, page) == step


def test_an_8_gib_host_tracks_131072_connections(tmp_path):
    machine = Machine(tmp_path, 8)
    assert machine.mem_total < 8 << 30
    assert machine.conntrack.max() == 131072


def test_memory_that_is_offline_does_not_count(tmp_path):
    machine = Machine(tmp_path, 8)
    machine.put("/sys/devices/system/memory/memory9/state", "offline\n")
    machine.put("/sys/devices/system/memory/memory10/state", "going-offline\n")
    machine.put("/sys/devices/system/memory/probe", "")
    assert machine.conntrack.ram() == {"bytes": 8 << 30, "source": "memory blocks"}


@pytest.fixture
def without_blocks(tmp_path):
    machine = Machine(tmp_path, 8)
    (tmp_path / "sys/devices/system/memory").rename(tmp_path / "gone")
    return machine


def test_without_memory_blocks_the_total_is_rounded_up(without_blocks):
    assert without_blocks.mem_total < 8 << 30
    assert without_blocks.conntrack.ram() == {
        "bytes": 8 << 30,
        "source": "MemTotal rounded up to whole GiB",
    }
    assert without_blocks.conntrack.max() == 131072


@pytest.mark.parametrize("text", ["", "MemFree: 12 kB\n"])
def test_ram_that_cannot_be_found_out_is_an_error(without_blocks, text):
    without_blocks.put("/proc/meminfo", text)
    with pytest.raises(CommandExecutionError, match="/proc/meminfo names no MemTotal"):
        without_blocks.conntrack.max()


def test_usage(tmp_path):
    machine = Machine(tmp_path)
    machine.set_live(262144, count=65432, buckets=65536)
    assert machine.conntrack.usage() == {
        "count": 65432,
        "max": 262144,
        "buckets": 65536,
        "percent": 25.0,
    }


def test_usage_without_the_module_is_none(tmp_path):
    assert Machine(tmp_path).conntrack.usage() is None


def test_usage_without_a_limit_has_no_percent(tmp_path):
    machine = Machine(tmp_path)
    machine.set_live(0, count=7, buckets=512)
    assert machine.conntrack.usage()["percent"] is None
