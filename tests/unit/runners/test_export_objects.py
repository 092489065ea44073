import pytest

import _export_ledger as ledgers
import _export_objects as objects


def verdicts(ledger):
    return {path: verdict for path, _, verdict, _ in ledger.rows()}


def test_a_stack_with_services():
    document = {
        "id": "1st1",
        "name": "shop",
        "description": "d",
        "group": "g",
        "dockerCompose": "x: 1",
    }
    document |= {"environment": {"A": "b"}, "state": "active"}
    found = verdicts(objects.stack(document, "shop", True, True))
    assert found["name"] == found["description"] == ledgers.TRANSLATED
    assert found["dockerCompose"] == found["group"] == found["environment"] == ledgers.CHANGED


def test_a_stack_whose_text_never_became_a_service():
    document = {"id": "1st1", "name": "bad", "dockerCompose": "x: {", "state": "error"}
    found = verdicts(objects.stack(document, "bad", False, False))
    assert found["dockerCompose"] == found["state"] == ledgers.PERSON
    assert found["name"] == ledgers.CHANGED


@pytest.mark.parametrize(
    ("claim", "expected"), [("shop/data", ledgers.TRANSLATED), (None, ledgers.PERSON)]
)
def test_a_volume_with_a_name(claim, expected):
    document = {"id": "1v1", "name": "data", "driver": "local", "uri": "local:///data"}
    assert verdicts(objects.volume(document, claim))["name"] == expected


def test_a_volume_without_a_name_is_nothing_to_move():
    document = {"id": "1v1", "imageId": "1i1", "instanceId": "1i1", "state": "active"}
    assert set(verdicts(objects.volume(document, None)).values()) == {ledgers.CHANGED}


@pytest.mark.parametrize(
    ("what", "document", "needs"),
    [
        (objects.secret, {"id": "1se1", "name": "x", "value": "v"}, {"name", "value"}),
        (objects.certificate, {"id": "1c1", "name": "x", "cert": "c", "key": "k"}, {"name", "key"}),
        (objects.registry, {"id": "1sp1", "name": "x", "serverAddress": "r"}, set()),
        (
            objects.credential,
            {"id": "1c1", "registryId": "1sp1", "publicValue": "u"},
            {"publicValue"},
        ),
    ],
)
def test_what_nobody_but_a_person_has(what, document, needs):
    found = verdicts(what(document, "x"))
    assert {path for path, verdict in found.items() if verdict == ledgers.PERSON} == needs


def test_a_template():
    document = {"id": "1vt1", "name": "data", "perContainer": True, "external": False}
    assert verdicts(objects.template(document, True))["name"] == ledgers.TRANSLATED
    assert verdicts(objects.template(document, False))["name"] == ledgers.CHANGED
