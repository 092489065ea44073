"""
What connection tracking should be on a host, as a pure function of what was seen there:
the plan, and the sentences that go with it. ``_conntrack_host`` looks and acts.
"""

from salt.exceptions import CommandExecutionError, SaltInvocationError

import _boot_files

_PREFIX = "net.netfilter.nf_conntrack_"
_BUCKETS = "nf_conntrack hashsize"
_HEADER = "# Written by Salt (common.conntrack). Change the pillar rancher:conntrack instead.\n"
_LARGEST = 2**31 - 1


def plan(seen, wanted):
    """
    Say what has to change; pure. Returns ``{what: {"old": ..., "new": ...}}`` in the order in
    which it is to be done: files by path, ``module <name>``, ``nf_conntrack hashsize``, sysctl
    keys. ``old`` is None for what does not exist yet.
    """
    _check(wanted)
    if seen["modules"]["nf_conntrack"] == "missing":
        raise CommandExecutionError(
            f"The running kernel {seen['release']} has no module nf_conntrack: after a kernel "
            "update reboot first, on a trimmed kernel install the package with its extra modules"
        )
    _insist_that_it_loads(seen)
    want = {**wanted, "max": _entries(seen, wanted)}
    size = _buckets(seen, want["max"])
    pairs = {
        **{path: (seen["files"][path], text) for path, text in _texts(seen, want, size).items()},
        **{f"module {name}": (state, "loaded") for name, state in seen["modules"].items()},
        _BUCKETS: (seen["buckets"], size),
        **{_PREFIX + name: (seen["values"][name], value) for name, value in want.items()},
    }
    changes = {key: {"old": old, "new": new} for key, (old, new) in pairs.items() if old != new}
    if changes and seen["blocked"]:
        raise CommandExecutionError(
            f"Connection tracking cannot be tuned from here: {seen['blocked']}. "
            "Apply common.conntrack on the host itself, not in a container"
        )
    return changes


def notes(seen, wanted):
    """
    Say what an operator should know about the values; pure. Returns a list of sentences without a
    full stop.
    """
    entries = _entries(seen, wanted)
    return [
        *_about_entries(seen, wanted, entries),
        *_about_sysctls(seen, {**wanted, "max": entries}),
        *_about_buckets(seen, _buckets(seen, entries)),
    ]


# -- what is wanted ------------------------------------------------------------------------------


def _check(wanted):
    for key, value in wanted.items():
        if (key, value) != ("max", None) and not (type(value) is int and 0 < value <= _LARGEST):
            raise SaltInvocationError(
                f"{key} is {value!r}; allowed: a whole number from 1 to {_LARGEST}"
            )


def _insist_that_it_loads(seen):
    broken = [it["file"] for it in seen["later_options"] if it["spaced"]]
    if broken and seen["modules"]["nf_conntrack"] != "loaded":
        raise CommandExecutionError(
            f"nf_conntrack cannot be loaded: {broken[0]} has spaces around the = of hashsize, "
            "which the kernel does not take. Write it without them, then run again"
        )


def _entries(seen, wanted):
    if wanted["max"] is not None:
        return wanted["max"]
    # To the kernel 0 means no limit, which is more than any number.
    return max(_computed(seen), _kept(seen), key=lambda entries: entries or float("inf"))


def _computed(seen):
    return min(max(seen["computed"], 1), _LARGEST)


def _kept(seen):
    """
    The entries that stay unless the pillar says so: what the kernel has. A module that was
    loaded with our own hashsize and met no sysctl since shows 8 times that: nobody's wish.
    """
    present, own = seen["values"]["max"], seen["recorded"]
    if present is not None and (own["hashsize"] is None or present != 8 * own["hashsize"]):
        return present
    return max(seen["default"]["max"], own["max"] or 0)


def _buckets(seen, entries):
    """A quarter of the entries, in the kernel's steps; never fewer than there are already."""
    present = seen["default"]["buckets"] if seen["buckets"] is None else seen["buckets"]
    least = max(-(-entries // 4), present, seen["recorded"]["hashsize"] or 0)
    return -(-least // seen["bucket_step"]) * seen["bucket_step"]


def _texts(seen, want, size):
    """The three files, sysctls first: whatever loads the module meets the rest in place."""
    lines = {
        "sysctl": [f"{_PREFIX}{name} = {value}" for name, value in want.items()],
        "options": [f"options nf_conntrack hashsize={size}"],
        "modules": list(seen["modules"]),
    }
    return {
        seen["paths"][kind]: _HEADER + "".join(f"{it}\n" for it in items)
        for kind, items in lines.items()
    }


# -- what to say ---------------------------------------------------------------------------------


def _about_entries(seen, wanted, entries):
    if wanted["max"] is not None:
        return []
    ram = seen["ram"]
    source = f"{ram['bytes'] / (1 << 30):g} GiB of RAM ({ram['source']}), share {seen['share']:g}"
    computed = _computed(seen)
    if entries == computed:
        return [f"{computed} entries are computed from {source}"]
    kept = f"{entries} entries" if entries else "a table without limit"
    return [
        f"Kept {kept}, what the kernel has, over the {computed} computed from {source}; "
        "to go lower set rancher:conntrack:max"
    ]


def _about_sysctls(seen, want):
    values = {_PREFIX + name: value for name, value in want.items()}
    values["net.nf_conntrack_max"] = want["max"]
    return [
        f"{it['file']} is read after {seen['paths']['sysctl']} and {_does(it)}, not "
        f"{values[it['key']]}: remove the line there, or it wins at boot"
        for it in seen["later_sysctls"]
        if _first(it["value"]) != values[it["key"]]
    ]


def _does(it):
    """In words, what a later file does to a key."""
    if it["value"] is None:
        return f"keeps {it['key']} as the kernel has it"
    return f"sets {it['key']} to {it['value']}"


def _first(value):
    """The number at the beginning; what follows it, a comment, the kernel does not mind."""
    return _boot_files.number((value or "").partition(" ")[0].partition("\t")[0])


def _about_buckets(seen, size):
    said = [
        f"{it['file']} sets hashsize={it['value']} after {seen['paths']['options']}, not {size}: "
        "remove it there, or it wins at boot"
        for it in seen["later_options"]
        if not it["spaced"] and _boot_files.number(it["value"]) != size
    ]
    said += [
        f"{it['file']} has spaces around the = of hashsize = {it['value']}, which the kernel does "
        f"not take: remove it there, or nf_conntrack fails to load at boot with {size} buckets"
        for it in seen["later_options"]
        if it["spaced"]
    ]
    said += [
        f"{it['file']} sets {it['key']} to {it['value']} after the module has taken hashsize="
        f"{size}: remove the line there, or it wins at boot"
        for it in seen["later_buckets"]
        if _first(it["value"]) != size
    ]
    if seen["built_in"]:
        said.append(
            "nf_conntrack is built into this kernel: at boot its buckets come from the kernel "
            f"argument nf_conntrack.hashsize={size} only"
        )
    return said
