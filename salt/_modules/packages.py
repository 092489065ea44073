"""
Packages of the host and libraries of Salt's own Python.
"""

from _fresh import checked  # noqa: F401

# isort: split
import importlib

from salt.exceptions import CommandExecutionError, CommandNotFoundError

import _converge
import _host
import _packages_unfinished
import _packages_upgrade

# What earlier states of a dry run would have installed: the run then finds it there.
_COMING = "packages.coming"


def importable(name, libraries, test=False):
    """
    Converge, as the state ``packages.importable`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc packages.importable``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' packages.importable sdk '{docker: docker==7.1.0}' test=True

    Source: the state ``packages.importable``
    """

    def install(lacking, _changes):
        try:
            done = __salt__["pip.install"](pkgs=lacking)
        except CommandNotFoundError as exc:
            raise CommandExecutionError(
                f"{', '.join(lacking)}: missing, and there is no pip to install them. Over salt-ssh, "
                "install them beside salt-ssh, then once `salt-ssh --regen-thin`"
            ) from exc
        if done["retcode"]:
            said = _host.lines((done["stderr"] or done["stdout"]).strip() or "no reason given")
            raise CommandExecutionError(f"pip install {' '.join(lacking)}: {said[-1]}")
        # Python remembers what its folders held.
        importlib.invalidate_caches()

    return _converge.run(
        name,
        "Salt's own Python",
        observe=lambda: [wanted for module, wanted in libraries.items() if not _imports(module)],
        plan=lambda lacking: {wanted: {"old": None, "new": "installed"} for wanted in lacking},
        apply=install,
        test=test,
    )


def finished(name, test=False):
    """
    Converge, as the state ``packages.finished`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc packages.finished``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' packages.finished packages test=True

    Source: the state ``packages.finished``
    """

    def observe():
        seen = _packages_unfinished.packages()
        if test:
            __context__.setdefault(_COMING, set()).update(seen or ())
        return seen

    def plan(seen):
        return {} if seen is None else {"dpkg": {"old": "interrupted", "new": "completed"}}

    return _converge.run(
        name,
        "The package database",
        observe=observe,
        plan=plan,
        apply=lambda seen, changes: _finish(),
        test=test,
        notes=lambda seen: [f"In the middle are: {', '.join(seen)}"] if seen else [],
    )


def _imports(module):
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


def _finish():
    _packages_unfinished.finish()
    # Salt remembers what is installed for as long as a run lasts.
    __context__.pop("pkg.list_pkgs", None)


def upgradable(kept=(), coming=()):
    """
    The changes that an upgrade would report, as the package manager's own simulation has them.

    The lists are not fetched. Nothing is installed.

    kept (list of str)
        Packages that are left at their version, held or not.
    coming (list of str)
        Packages that are installed first: what that changes is no part of the upgrade.

    Returns a dict: name to ``old`` and ``new`` version, '' for absent.

    Raises CommandExecutionError when the simulation fails or is not understood.

    CLI Example:

    .. code-block:: bash

        salt '*' packages.upgradable

    Source: apt-get(8) ``--simulate``; dnf(8), yum(8) ``--assumeno``
    """
    return _packages_upgrade.changes(__salt__["pkg.list_pkgs"], __grains__, kept, coming)
