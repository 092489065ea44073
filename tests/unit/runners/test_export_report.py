import pytest

import _export_ledger as ledgers
import _export_report as report


def test_a_cell_stays_one_cell():
    assert report.cell("a|b\nc `d` <e> \\") == "a\\|b c 'd' &lt;e&gt; \\\\"


def test_a_table_of_one_document():
    ledger = ledgers.Ledger({"id": "1s1", "scale": 2, "privileged": False, "new": 1})
    ledger.translated("scale", "replicas")
    assert "\n".join(report.account("service web", ledger)).splitlines() == [
        "### service web",
        "",
        "| field | value | what became of it | how, or what to do |",
        "|---|---|---|---|",
        "| new | 1 | needs a person | this export does not know it; see what it did, and decide |",
        "| scale | 2 | translated | replicas |",
        f"| id |  | changed | {ledgers.RECORDED} |",
        f"| privileged |  | translated | {ledgers.USUAL} |",
    ]


@pytest.mark.parametrize(
    ("document", "absent"),
    [
        ({"environment": {"A": "h1dden"}}, "h1dden"),
        ({"labels": {"db.password": "h1dden"}}, "h1dden"),
        ({"command": ["--token=h1dden"]}, "h1dden"),
        ({"command": ["--token", "h1dden"]}, "h1dden"),
        ({"metadata": {"a": "h1dden"}}, "h1dden"),
        (
            {"upgrade": {"inServiceStrategy": {"launchConfig": {"environment": {"A": "h1dden"}}}}},
            "h1dden",
        ),
        ({"dockerCompose": "environment: h1dden"}, "h1dden"),
        ({"lbConfig": {"config": "password h1dden"}}, "h1dden"),
        ({"logConfig": {"config": {"url": "h1dden"}}}, "h1dden"),
        ({"hostname": "http://user:h1dden@x/"}, "h1dden"),
        ({"driverOpts": {"o": "h1dden"}}, "h1dden"),
    ],
)
def test_no_secret_is_in_a_table(document, absent):
    text = "\n".join(report.account("x", ledgers.Ledger(document)))
    assert absent not in text


def test_the_summary_counts_services_and_obstacles():
    tally = report.Tally()
    plain = ledgers.Ledger({"scale": 1, "id": "1s1"})
    plain.translated("scale", "replicas")
    odd = ledgers.Ledger({"launchConfig": {"secrets": [{"secretId": "a"}, {"secretId": "b"}]}})
    changed = ledgers.Ledger({"scale": 1})
    changed.changed("scale", "x")
    for one in (plain, odd, changed):
        tally.add(one)
    lines = list(tally.lines())
    assert lines[0] == "3 services: 1 as they are, 1 with something changed, 1 need a person."
    assert "| launchConfig.secrets.secretId | 1 |" in lines
    other = report.Tally()
    other.merge(tally)
    assert other.verdicts == tally.verdicts and other.obstacles == tally.obstacles


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("launchConfig.labels[cron.schedule]", "launchConfig.labels[cron.schedule]"),
        ("secondaryLaunchConfigs[a.b].labels[x]", "launchConfig.labels[x]"),
        ("lbConfig.portRules[12].weight", "lbConfig.portRules.weight"),
        ("linkedServices[shop/db]", "linkedServices"),
    ],
)
def test_fields_of_one_kind_are_counted_together(path, expected):
    assert report.kind_of(path) == expected


def test_parts_without_rows_are_not_there():
    assert (
        list(report.data([])) == list(report.names("x", [])) == list(report.commands("x", [])) == []
    )
