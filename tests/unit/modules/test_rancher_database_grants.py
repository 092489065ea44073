"""SHOW GRANTS of several servers: which rights are missing."""

import pytest

import _rancher_database_grants

EIGHT = sorted(
    _rancher_database_grants.ALL | {"RELOAD", "PROCESS", "CREATE ROLE", "DROP ROLE", "FILE"}
)


@pytest.mark.parametrize(
    ("grants", "name", "lacking"),
    [
        # As a server with ANSI_QUOTES says it, and one without quotes.
        (
            ['GRANT USAGE ON *.* TO "x"@"%"', 'GRANT ALL PRIVILEGES ON "cattle".* TO "x"@"%"'],
            "cattle",
            0,
        ),
        (["GRANT ALL PRIVILEGES ON cattle.* TO x@%"], "cattle", 0),
        (["GRANT ALL PRIVILEGES ON `a``b`.* TO `x`@`%`"], "a`b", 0),
        (['GRANT ALL PRIVILEGES ON "a""b".* TO "x"@"%"'], 'a"b', 0),
        (
            ["GRANT ALL PRIVILEGES ON `cattle`.* TO `x`@`%` REQUIRE SSL WITH GRANT OPTION"],
            "cattle",
            0,
        ),
        (["GRANT ALL PRIVILEGES ON *.* TO 'x'@'%' IDENTIFIED BY PASSWORD '*A' ON"], "cattle", 0),
        (["GRANT PROXY ON ''@'%' TO 'x'@'%' WITH GRANT OPTION"], "cattle", 1),
        (["GRANT EXECUTE ON PROCEDURE `cattle`.`p` TO `x`@`%`"], "cattle", 1),
        (["GRANT SELECT (`a`, `b`), INSERT ON `cattle`.`t` TO `x`@`%`"], "cattle", 1),
        # MySQL 8: everything one by one, dynamic privileges without blanks, a role, what is revoked.
        ([f"GRANT {', '.join(EIGHT)} ON *.* TO `x`@`%`"], "cattle", 0),
        (
            ["GRANT AUDIT_ADMIN,BACKUP_ADMIN ON *.* TO `x`@`%`", "GRANT `r`@`%` TO `x`@`%`"],
            "cattle",
            1,
        ),
        (
            [
                f"GRANT {', '.join(EIGHT)} ON *.* TO `x`@`%`",
                "REVOKE DROP ON `cattle`.* FROM `x`@`%`",
            ],
            "cattle",
            1,
        ),
        (
            [
                f"GRANT {', '.join(EIGHT)} ON *.* TO `x`@`%`",
                "REVOKE DROP ON `mysql`.* FROM `x`@`%`",
            ],
            "cattle",
            0,
        ),
        # Only the most exact of two patterns counts.
        (
            [
                "GRANT ALL PRIVILEGES ON `cat%`.* TO `x`@`%`",
                "GRANT SELECT ON `cattle`.* TO `x`@`%`",
            ],
            "cattle",
            17,
        ),
        (
            [
                "GRANT SELECT ON `cat%`.* TO `x`@`%`",
                "GRANT ALL PRIVILEGES ON `cattl_`.* TO `x`@`%`",
            ],
            "cattle",
            0,
        ),
        (["GRANT ALL PRIVILEGES ON *.* TO 'x'@'%'"], "cattle", 0),
        (["GRANT ALL PRIVILEGES ON `cattle`.* TO 'x'@'%' WITH GRANT OPTION"], "cattle", 0),
        (["GRANT ALL PRIVILEGES ON `cat%`.* TO `x`@`%`"], "cattle", 0),
        (["GRANT ALL PRIVILEGES ON `my\\_db`.* TO `x`@`%`"], "my_db", 0),
        (["GRANT ALL PRIVILEGES ON `my\\_db`.* TO `x`@`%`"], "myxdb", 1),
        (["GRANT ALL PRIVILEGES ON `my_db`.* TO `x`@`%`"], "myxdb", 0),
        (["GRANT ALL PRIVILEGES ON `other`.* TO `x`@`%`"], "cattle", 1),
        (["GRANT SELECT ON `cattle`.`t` TO `x`@`%`"], "cattle", 1),
        (["GRANT USAGE ON *.* TO `x`@`%`"], "cattle", 1),
        (["GRANT SELECT, INSERT, TRIGGER ON `cattle`.* TO `x`@`%`"], "cattle", 15),
        ([], "cattle", 1),
    ],
)
def test_rights(grants, name, lacking):
    assert len(_rancher_database_grants.missing(grants, name)) == lacking


def test_names_of_a_server_that_folds_them():
    grants = ["GRANT ALL PRIVILEGES ON `cattle`.* TO `x`@`%`"]
    assert _rancher_database_grants.missing(grants, "Cattle") == ["ALL PRIVILEGES"]
    assert _rancher_database_grants.missing(grants, "Cattle", folded=True) == []


def test_all_rights_one_by_one_are_all():
    rights = _rancher_database_grants.ALL
    parts = sorted(rights)
    grants = [
        f"GRANT {', '.join(parts[:9])} ON *.* TO `x`@`%`",
        f"GRANT {', '.join(parts[9:])} ON `cattle`.* TO `x`@`%`",
    ]
    assert _rancher_database_grants.missing(grants, "cattle") == []
    assert _rancher_database_grants.missing(grants[:1], "cattle") == parts[9:]
