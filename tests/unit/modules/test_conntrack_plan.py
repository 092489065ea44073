"""The rules one by one; whole runs are in tests/unit/states/test_conntrack.py."""

import copy

import pytest
from salt.exceptions import SaltInvocationError

import _conntrack_plan

TIMEOUTS = {
    "tcp_timeout_established": 86400,
    "tcp_timeout_close_wait": 60,
    "tcp_timeout_fin_wait": 60,
    "tcp_timeout_time_wait": 60,
}
COMPUTED = {"max": None, **TIMEOUTS}
SEEN = {
    "ram": {"bytes": 8 << 30, "source": "memory blocks"},
    "share": 0.5,
    "computed": 131072,
    "default": {"max": 65536, "buckets": 16384},
    "values": {"max": 65536, **TIMEOUTS},
    "buckets": 16384,
    "bucket_step": 512,
    "release": "6.1.0",
    "modules": {"nf_conntrack": "loaded"},
    "built_in": False,
    "paths": {"sysctl": "/s.conf", "options": "/o.conf", "modules": "/m.conf"},
    "files": {"/s.conf": None, "/o.conf": None, "/m.conf": None},
    "recorded": {"max": None, "hashsize": None},
    "later_options": [],
    "later_sysctls": [],
    "later_buckets": [],
    "blocked": None,
}
MAX = "net.netfilter.nf_conntrack_max"
UNLOADED = {
    "values": dict.fromkeys(SEEN["values"]),
    "buckets": None,
    "modules": {"nf_conntrack": "not loaded"},
}


def seen(**over):
    made = copy.deepcopy(SEEN)
    for key, value in over.items():
        made[key] = {**made[key], **value} if isinstance(value, dict) else value
    return made


def new(changes, key):
    return changes[key]["new"] if key in changes else None


@pytest.mark.parametrize(
    ("over", "wanted", "entries"),
    [
        ({}, None, 131072),
        ({"values": {"max": 200000}}, None, None),
        ({"values": {"max": 200000}}, 1024, 1024),
        ({"values": {"max": 200000}}, 200000, None),
        ({"computed": 0}, None, None),
        ({"computed": 2**40}, None, 2**31 - 1),
        (UNLOADED, None, 131072),
        ({**UNLOADED, "default": {"max": 262144}}, None, 262144),
        ({**UNLOADED, "recorded": {"max": 300000}}, None, 300000),
        ({**UNLOADED, "recorded": {"max": 300000}}, 1024, 1024),
        # 8 x our own option is what the kernel makes of it, not a wish.
        ({"values": {"max": 524288}, "recorded": {"hashsize": 65536}}, None, 131072),
        ({"values": {"max": 524288}}, None, None),
    ],
)
def test_entries(over, wanted, entries):
    changes = _conntrack_plan.plan(seen(**over), {**COMPUTED, "max": wanted})
    assert new(changes, MAX) == entries


@pytest.mark.parametrize(
    ("over", "wanted", "buckets"),
    [
        ({}, None, 32768),
        ({}, 131073, 33280),
        ({"buckets": 65536}, 131072, None),
        ({"buckets": 65536}, 1024, None),
        ({"buckets": 16384, "recorded": {"hashsize": 40960}}, 1024, 40960),
        (UNLOADED, 1024, 16384),
        ({**UNLOADED, "default": {"buckets": 65536}}, 131072, 65536),
        ({"bucket_step": 8192}, 131076, 40960),
    ],
)
def test_buckets_are_a_quarter_and_never_lowered(over, wanted, buckets):
    changes = _conntrack_plan.plan(seen(**over), {**COMPUTED, "max": wanted})
    assert new(changes, "nf_conntrack hashsize") == buckets
    recorded = f"options nf_conntrack hashsize={buckets or seen(**over)['buckets']}\n"
    assert new(changes, "/o.conf").endswith(recorded)


def test_the_files_are_whole_and_come_first():
    changes = _conntrack_plan.plan(seen(), COMPUTED)
    assert list(changes) == ["/s.conf", "/o.conf", "/m.conf", "nf_conntrack hashsize", MAX]
    assert new(changes, "/s.conf") == (
        "# Written by Salt (common.conntrack). Change the pillar rancher:conntrack instead.\n"
        "net.netfilter.nf_conntrack_max = 131072\n"
        "net.netfilter.nf_conntrack_tcp_timeout_established = 86400\n"
        "net.netfilter.nf_conntrack_tcp_timeout_close_wait = 60\n"
        "net.netfilter.nf_conntrack_tcp_timeout_fin_wait = 60\n"
        "net.netfilter.nf_conntrack_tcp_timeout_time_wait = 60\n"
    )


def test_what_cannot_be_set_does_not_matter_when_nothing_is_to_be_set():
    done = seen(values={"max": 131072}, buckets=32768, blocked="read-only")
    for path, change in _conntrack_plan.plan(seen(), COMPUTED).items():
        if path in done["files"]:
            done["files"][path] = change["new"]
    assert _conntrack_plan.plan(done, COMPUTED) == {}


@pytest.mark.parametrize("value", [0, -1, 1.5, "60", None, True, 2**31])
def test_an_impossible_timeout(value):
    with pytest.raises(SaltInvocationError, match="tcp_timeout_fin_wait is .*; allowed: a whole"):
        _conntrack_plan.plan(seen(), {**COMPUTED, "tcp_timeout_fin_wait": value})


def test_a_computed_value_names_its_source():
    assert _conntrack_plan.notes(seen(), COMPUTED) == [
        "131072 entries are computed from 8 GiB of RAM (memory blocks), share 0.5"
    ]


def test_an_explicit_value_needs_no_words():
    assert _conntrack_plan.notes(seen(), {**COMPUTED, "max": 2048}) == []
