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

    Returns ``True``, or ``False`` with one line for each problem; then nothing else is run, in a
    dry run neither.

    CLI Example:

    .. code-block:: bash

        salt '*' state.apply rancher_salt.settings test=True

    Source: the settings table in README.md
    """
    ret = __salt__["settings.valid"](name, defaults, supported)
    if __opts__["test"] and not ret["result"]:
        _end_the_run()
    return ret


def _end_the_run():
    """
    As `failhard` does: in a dry run Salt is deaf to it, and each of twenty states would tell in
    eight lines that this one failed.
    """
    given = globals()
    chunks = getattr(given.get("__lowstate__"), "_ImmutableList__obj", None)
    if isinstance(chunks, list):
        ids = [chunk["__id__"] for chunk in chunks]
        del chunks[ids.index(given["__low__"]["__id__"]) + 1 :]
