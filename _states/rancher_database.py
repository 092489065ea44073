"""
The external database of the Rancher server and its account.
"""

_COMING = "rancher_database.coming"


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
    test = __opts__["test"]
    ret = {"name": name, "result": True, "changes": {}, "comment": ""}
    if __salt__["rancher_database.wanted"]() is None:
        return {**ret, "comment": "The server has its embedded database"}
    if __salt__["rancher_account.administrator"]() is None:
        return {
            **ret,
            "comment": "An administrator looks after it: rancher:server:database_admin is null",
        }
    if test and not __salt__["docker_engine.available"]():
        __context__[_COMING] = True
        comment = "The database was not looked at: Salt's Python has no PyMySQL yet"
        return {**ret, "result": None, "comment": comment}
    ret = __salt__["converge.run"](
        name,
        f"Database {name}",
        observe=__salt__["rancher_account.observe"],
        plan=__salt__["rancher_account.plan"],
        apply=__salt__["rancher_account.carry_out"],
        test=test,
    )
    __context__[_COMING] = test and bool(ret["changes"])
    return ret
