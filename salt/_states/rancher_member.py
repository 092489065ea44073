"""
A host is no member of Rancher any more. Becoming one: ``rancher.agent_registered``.
"""


def absent(name):
    """
    Remove what a membership in Rancher left on this host: Rancher's own containers, its volumes
    and its state directory. Other containers, Docker and the thin pool stay as they are.

    Take the host out of Rancher first: see ``fleet.remove``. Refused while the pillar
    ``rancher:roles`` still holds agent: the next run would make it a new host.

    name (str)
        What the comments call it.

    Changes: ``containers``, ``volumes``, ``state directory``: those that were there.

    Example:

    .. code-block:: yaml

        rancher-agent-absent:
          rancher_member.absent:
            - name: rancher-agent

    Source: Rancher 1.6 documentation, "Hosts": Removing Hosts
    """
    return __salt__["rancher_member.absent"](name, test=__opts__["test"])
