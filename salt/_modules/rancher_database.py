"""
The external database of the Rancher server and its account.
"""

from _fresh import checked  # noqa: F401

# isort: split
import _converge
import _docker_engine
import _rancher_database
import _rancher_database_account

_COMING = "rancher_database.coming"


def present(name, test=False):
    """
    Converge, as the state ``rancher_database.present`` does, or foretell it.

    The arguments are the state's (``salt '*' sys.state_doc rancher_database.present``) and
    test (bool, default False)
        True: predict only.

    Returns a state return.

    CLI Example:

    .. code-block:: bash

        salt '*' rancher_database.present rancher test=True

    Source: the state ``rancher_database.present``
    """
    ret = {"name": name, "result": True, "changes": {}, "comment": ""}
    database = _rancher_database.wanted(__pillar__)
    if database is None:
        return {**ret, "comment": "The server has its embedded database"}
    admin = _rancher_database_account.administrator(__pillar__)
    if admin is None:
        return {
            **ret,
            "comment": "An administrator looks after it: rancher:server:database_admin is null",
        }
    if test and not _docker_engine.available():
        __context__[_COMING] = True
        comment = "The database was not looked at: Salt's Python has no PyMySQL yet"
        return {**ret, "result": None, "comment": comment}
    ret = _converge.run(
        name,
        f"Database {name}",
        observe=lambda: _rancher_database_account.observe(database, admin),
        plan=lambda seen: _rancher_database_account.plan(database, seen),
        apply=lambda *args: _rancher_database_account.carry_out(database, admin, *args),
        test=test,
    )
    __context__[_COMING] = test and bool(ret["changes"])
    return ret
