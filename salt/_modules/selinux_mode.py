"""
The mode of SELinux, now and at boot.
"""

from _fresh import checked  # noqa: F401

# isort: split
import _converge
import _selinux_mode


def configured(name="selinux", mode=None, test=False):
    """
    Converge, as the state ``selinux_mode.configured`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc selinux_mode.configured``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' selinux_mode.configured selinux enforcing test=True

    Source: the state ``selinux_mode.configured``
    """
    if mode is None:
        comment = "No SELinux mode is configured, so it stays as it is"
        return {"name": name, "result": True, "changes": {}, "comment": comment}
    return _converge.run(
        name,
        "SELinux",
        observe=lambda: _selinux_mode.observe(),
        plan=lambda seen: _selinux_mode.plan(seen, mode),
        apply=lambda seen, changes: _selinux_mode.apply(seen, changes),
        test=test,
        notes=lambda seen: _selinux_mode.notes(seen, mode),
    )
