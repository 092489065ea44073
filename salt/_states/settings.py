"""
The gate before every run: settings that cannot work stop it before anything changes.
"""


def valid(name, defaults, supported=True):
    """
    Check the pillar's settings; never changes anything.

    name (str)
        The pillar key, ``rancher``.
    defaults (dict)
        ``defaults.yaml`` with the system's part of ``os.yaml``.
    supported (bool, default True)
        Whether ``os.yaml`` knows this system.

    Returns ``True``, or ``False`` with one line for each problem.

    CLI Example:

    .. code-block:: bash

        salt '*' state.apply settings test=True

    Source: the settings table in README.md
    """
    # Not pillar.get: Salt 3008 masks what that gives to modules and states.
    found = __salt__["settings.problems"](__pillar__.get(name), defaults)
    if not supported:
        grains = {key: __grains__.get(key) for key in ("os", "os_family", "osmajorrelease")}
        found.insert(0, f"This system is not supported: {grains}; see the list in README.md")
    comment = "\n".join(found) or f"Settings under {name} are valid"
    return {"name": name, "result": not found, "changes": {}, "comment": comment}
