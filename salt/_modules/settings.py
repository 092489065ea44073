"""
The settings under the pillar key ``rancher``, checked.
"""

from _fresh import checked  # noqa: F401

# isort: split
import _settings


def problems(given, defaults):
    """
    Check what the pillar holds under ``rancher``.

    given (any)
        The pillar value as it is; None when the pillar holds nothing.
    defaults (dict)
        ``defaults.yaml`` with the system's part of ``os.yaml`` laid over it.

    Returns a list of str, one line for each problem: the key's path, what was found,
    what is allowed. Empty when all is well. Secrets are never quoted.

    CLI Example:

    .. code-block:: bash

        salt '*' settings.problems '{swap: {size: 1}}' '{}'

    Source: the settings table in README.md
    """
    return _settings.problems(given, defaults)
