"""
An event before a host runs full: thin pool (data, metadata) and connection tracking.

Docker refuses new containers when a pool has less than 10 % left, so the thresholds of a pool
end at 89. An event comes when a threshold is crossed, and when it is left again; not each time.

    beacons:
      rancher_capacity:
        - pool_data: 85
        - pool_metadata: 85
        - conntrack: 80
        - interval: 300

Tags: `salt/beacon/<minion>/rancher_capacity/<measure>`.
"""

DEFAULTS = {"pool_data": 85, "pool_metadata": 85, "conntrack": 80}
# Docker's dm.min_free_space of 10 %; a full table drops connections at once.
MOST = {"pool_data": 89, "pool_metadata": 89, "conntrack": 99}
# So much must be free again before it counts as left: a value on the threshold does not flap.
SLACK = 2

# What was told last for each measure: "over", "unknown", or nothing.
told = {}


def validate(config):
    """
    Check the configuration of the beacon.

    config (list of dict)
        Any of ``pool_data``, ``pool_metadata``, ``conntrack``: percent.

    Returns ``(True, text)`` or ``(False, what is wrong and what is allowed)``.

    CLI Example:

    .. code-block:: bash

        salt 'node1' beacons.add rancher_capacity '[{pool_data: 85}]'

    Source: Salt's documentation, "Beacons"; Docker's manual, dm.min_free_space
    """
    if not isinstance(config, list) or not all(isinstance(item, dict) for item in config):
        return False, "rancher_capacity is no list of settings"
    for key, value in _settings(config).items():
        if key not in MOST:
            known = ", ".join(MOST)
            return False, f"rancher_capacity: {key} is not known; known: {known}"
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False, f"rancher_capacity: {key} is {value!r}, allowed: a number of percent"
        if not 1 <= value <= MOST[key]:
            return False, f"rancher_capacity: {key} is {value}, allowed: 1 to {MOST[key]}"
    return True, "rancher_capacity is valid"


def beacon(config):
    """
    Compare, and tell what has changed since the last time.

    config (list of dict)
        As for ``validate``.

    Returns a list of events: ``tag``, ``measure``, ``state`` (``over``, ``back`` or ``unknown``),
    ``percent``, ``threshold`` and, when it could not look, ``reason``.

    CLI Example:

    .. code-block:: bash

        salt-run state.event 'salt/beacon/*/rancher_capacity/*' pretty=True

    Source: Salt's documentation, "Beacons"
    """
    limits = {**DEFAULTS, **_settings(config)}
    events = []
    for measure, value in __salt__["capacity.measures"]().items():
        state = _state(value, limits[measure], told.get(measure))
        if state == told.get(measure):
            continue
        known = isinstance(value, (int, float))
        event = {
            "tag": measure,
            "measure": measure,
            "state": state or "back",
            "percent": value if known else None,
            "threshold": limits[measure],
        }
        events.append(event if known or value is None else {**event, "reason": value})
        told[measure] = state
    return events


def _state(value, limit, before):
    """``over``, ``unknown``, or None: all is well, or there is nothing to measure."""
    if isinstance(value, str):
        return "unknown"
    if value is None:
        return None
    least = limit - SLACK if before == "over" else limit
    return "over" if value >= least else None


def _settings(config):
    merged = {}
    for item in config:
        merged.update(item)
    # Of Salt's beacon loop, not of ours.
    for key in ("interval", "disable_during_state_run", "enabled", "beacon_module"):
        merged.pop(key, None)
    return merged
