"""
The external database of the Rancher server and its account.
"""


def present(name):
    """
    With an administrator's credentials in the pillar: database, account and rights are there.

    The database is the one of the pillar ``rancher:server:database``, the credentials are those
    of ``rancher:server:database_admin``; this state reads both there, so that no password ever
    stands in an SLS. Nothing is ever dropped. Without either nothing is looked at.

    name (str)
        What the comments call it.

    Changes: ``database``, ``charset``, ``account``, ``rights``; ``password`` appears as ``changed``.

    Example:

    .. code-block:: yaml

        rancher-database-present:
          rancher_database.present:
            - name: cattle

    Source: Rancher 1.6 documentation, "Installing Rancher Server", external database
    """
    return __salt__["rancher_database.present"](name, test=__opts__["test"])
