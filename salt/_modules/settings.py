"""
The settings under the pillar key ``rancher``, checked.
"""

from _fresh import checked  # noqa: F401

# isort: split
import salt.utils.yaml
from salt.exceptions import CommandExecutionError

import _settings


def problems(given=None, defaults=None):
    """
    Check settings: without arguments those of this minion's own pillar.

    given (dict, optional)
        What a pillar would hold under ``rancher``. Default: what this minion's pillar holds.
    defaults (dict, optional)
        ``defaults.yaml`` with the system's part of ``os.yaml`` laid over it. Default: as the
        master serves them for this system. With them, ``given`` is taken as it is, None too.

    Returns a list of str, one line for each problem: the key's path, what was found,
    what is allowed. Empty when all is well. Secrets are never quoted.

    Raises CommandExecutionError when the defaults cannot be read, as over salt-ssh.

    CLI Example:

    .. code-block:: bash

        salt '*' settings.problems
        salt '*' settings.problems '{swap: {size: 1}}'

    Source: the settings table in README.md
    """
    if defaults is None:
        defaults = _defaults()
        given = __pillar__.get(_settings.KEY) if given is None else given
    return _settings.problems(given, defaults)


def valid(name, defaults, supported=True):
    """
    Say whether this minion's settings can work, as the state ``settings.valid`` does.

    The arguments are the state's (``salt '*' sys.state_doc settings.valid``).

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' state.apply rancher_salt.settings test=True

    Source: the state ``settings.valid``
    """
    # Not pillar.get: Salt 3008 masks what that gives to modules and states.
    found = _settings.problems(__pillar__.get(name), defaults)
    if not supported:
        grains = {key: __grains__.get(key) for key in ("os", "os_family", "osmajorrelease")}
        found.insert(0, f"This system is not supported: {grains}; see the list in README.md")
    comment = "\n".join(found) or f"Settings under {name} are valid"
    for key in _settings.misspelt(__pillar__):
        comment += (
            f". The pillar has a key {key}, which nobody reads: write {name} if that is meant"
        )
    return {"name": name, "result": not found, "changes": {}, "comment": comment}


def _defaults():
    files = {}
    for name in ("defaults", "os"):
        path = f"salt://rancher_salt/settings/{name}.yaml"
        text = __salt__["cp.get_file_str"](path, saltenv=__opts__.get("saltenv") or "base")
        if not text:
            raise CommandExecutionError(
                f"{path} cannot be read from here, so nothing was checked. "
                "Check with `state.apply rancher_salt.settings test=True` instead"
            )
        files[name] = salt.utils.yaml.safe_load(text)
    system = f"{__grains__['os_family']} {__grains__['osmajorrelease']}"
    own = files["os"].get(system, files["os"]["other"])
    return __salt__["slsutil.merge"](files["defaults"], own)
