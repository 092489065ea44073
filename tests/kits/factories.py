"""
Masters, minions and their command line by pytest-salt-factories, of the Salt in one virtualenv.

Its server for logs stays off; that for events, which hears when a daemon is up, is made for the
functional tests alone (tests/functional/conftest.py).
"""

import os

from saltfactories.daemons.master import SaltMaster
from saltfactories.daemons.minion import SaltMinion

LINES = ("3006.28", "3008.3")


def environ():
    """As an operator has it; a factory would have every process compile all modules again."""
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}


def settings(venv):
    """What `salt_factories` is made with for the Salt in a virtualenv."""
    return {
        "scripts_dir": venv / "bin",
        "environ": environ(),
        "slow_stop": False,
        "start_timeout": 120,
        **{"log_server_host": None, "log_server_port": None, "log_server_level": None},
    }


class _Ours:
    """Our settings replace those of the factory, which would put its own roots before ours."""

    @classmethod
    def default_config(cls, root_dir, own_id, overrides=None, **more):
        config = super().default_config(root_dir, own_id, **more)
        role = next(key for key in config if key.startswith("pytest-"))
        config[role]["log"]["disabled"] = True
        return {**config, "log_level_logfile": "warning", **(overrides or {})}

    @classmethod
    def verify_config(cls, config):
        """Salt makes its folders itself; the factory would insist on a root named base."""


class Master(_Ours, SaltMaster):
    """A factory of a master."""


class Minion(_Ours, SaltMinion):
    """A factory of a minion, or of one without master."""
