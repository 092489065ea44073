"""
What a membership in Rancher left on this host, taken away.
"""

from _fresh import checked  # noqa: F401

# isort: split
import _converge
import _docker_engine
import _rancher_member


def absent(name, test=False):
    """
    Converge, as the state ``rancher_member.absent`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc rancher_member.absent``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher_member.absent rancher-agent test=True

    Source: the state ``rancher_member.absent``
    """

    def observe():
        _rancher_member.check_role(__pillar__)
        return _rancher_member.observe()

    with _docker_engine.at(__opts__):
        return _converge.run(
            name,
            "Absence from Rancher",
            observe=observe,
            plan=_rancher_member.plan,
            apply=_rancher_member.apply,
            test=test,
            notes=_rancher_member.notes,
        )
