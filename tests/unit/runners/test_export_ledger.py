import _export_ledger as ledgers

DOCUMENT = {
    "id": "1s1",
    "links": {"self": "x"},
    "actions": {"remove": "x"},
    "empty": "",
    "none": None,
    "system": False,
    "scale": 0,
    "launchConfig": {
        "privileged": False,
        "labels": {"a.b": "c"},
        "environment": {"A": "b"},
        "secrets": [{"secretId": "1se1", "uid": None}, {"secretId": "1se2"}],
        "healthCheck": {"port": 80, "requestLine": None},
    },
    "secondaryLaunchConfigs": [{"name": "side", "command": ["a"]}],
    "linkedServices": {"db": "1s2"},
    "lbConfig": {"portRules": [{"sourcePort": 80}]},
}


def test_every_field_with_a_value_is_there():
    assert set(ledgers.Ledger(DOCUMENT).values) == {
        "id",
        "system",
        "scale",
        "launchConfig.privileged",
        "launchConfig.labels[a.b]",
        "launchConfig.environment",
        "launchConfig.secrets[0].secretId",
        "launchConfig.secrets[1].secretId",
        "launchConfig.healthCheck.port",
        "secondaryLaunchConfigs[side].name",
        "secondaryLaunchConfigs[side].command",
        "linkedServices[db]",
        "lbConfig.portRules[0].sourcePort",
    }


def test_what_nobody_accounts_for_needs_a_person():
    verdicts = {path: verdict for path, _, verdict, _ in ledgers.Ledger(DOCUMENT).rows()}
    assert verdicts["scale"] == verdicts["launchConfig.environment"] == ledgers.PERSON
    assert verdicts["id"] == ledgers.CHANGED
    assert verdicts["launchConfig.privileged"] == ledgers.TRANSLATED


def test_the_heavier_verdict_stays_and_equal_ones_are_joined():
    ledger = ledgers.Ledger(DOCUMENT)
    at = ledger.at("launchConfig")
    at.changed("environment", "one")
    at.translated("environment", "two")
    at.changed("environment", "three")
    ledger.translated("scale", "first")
    ledger.person("scale", "heavier")
    ledger.changed("scale", "too late")
    rows = {path: (verdict, words) for path, _, verdict, words in ledger.rows()}
    assert rows["launchConfig.environment"] == (ledgers.CHANGED, "one; three")
    assert rows["scale"] == (ledgers.PERSON, "heavier")


def test_a_field_without_a_value_is_not_accounted_for():
    ledger = ledgers.Ledger(DOCUMENT)
    ledger.person("empty", "x")
    ledger.person("no.such", "x")
    assert not {"empty", "no.such"} & {row[0] for row in ledger.rows()}


def test_the_rest_at_once():
    ledger = ledgers.Ledger(DOCUMENT)
    ledger.translated("scale", "replicas")
    ledger.all(ledgers.CHANGED, "of another")
    rows = {path: (verdict, words) for path, _, verdict, words in ledger.rows()}
    assert rows["scale"] == (ledgers.TRANSLATED, "replicas")
    assert rows["linkedServices[db]"] == (ledgers.CHANGED, "of another")
    assert rows["id"] == (ledgers.CHANGED, ledgers.RECORDED)
    assert ledger.worst() == ledgers.CHANGED


def test_long_values_are_cut():
    assert ledgers.shown({"b": 1, "a": [2]}) == '{"a": [2], "b": 1}'
    assert len(ledgers.shown("x" * 200)) == 80
