import pytest

import _export_secret as secret


@pytest.mark.parametrize(
    "name",
    [
        *(
            "PASSWORD",
            "MYSQL_ROOT_PASSWORD",
            "dbPassword",
            "db-passwd",
            "PGPASS",
            "ROOT_PW",
            "api_key",
        ),
        *("APIKEY", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "sshKey", "GITHUB_TOKEN", "JWT"),
        *("ENCRYPTION_KEY", "AUTH", "SENTRY_DSN", "credentials", "PRIVATE_DATA"),
    ],
)
def test_names_of_secrets(name):
    assert secret.is_named(name)


@pytest.mark.parametrize(
    "name",
    ["KEYBOARD", "MONKEY", "PATH", "AUTHOR", "secretId", "registryCredentialId", "PASSENGERS"],
)
def test_names_of_no_secrets(name):
    assert not secret.is_named(name)


@pytest.mark.parametrize(
    "text",
    [
        "postgres://user:pass@db/x",
        "-----BEGIN RSA PRIVATE KEY-----",
        "Authorization: Bearer abcdefghijkl",
        "host=db password=x",
        "exec serve --password abc",
        "GET /health?token=abc HTTP/1.0",
        '{"clientSecret": "x"}',
    ],
)
def test_texts_with_a_secret(text):
    assert secret.is_written(text)
    assert secret.is_written({"a": [text]})


@pytest.mark.parametrize(
    "text", ["http://db:80/", "http://user@db/", "a secret garden", "", "token"]
)
def test_texts_without(text):
    assert not secret.is_written(text)


def test_a_structure_is_hidden_and_the_rest_stays():
    given = {
        "environment": {"DB_PASSWORD": "x", "A": "b", "EMPTY_TOKEN": ""},
        "command": ["run", "--password", "x", "--port", "80"],
        "secrets": [{"secretId": "1se1"}],
        "number": 3,
    }
    assert secret.without(given) == {
        "environment": {"DB_PASSWORD": secret.HIDDEN, "A": "b", "EMPTY_TOKEN": ""},
        "command": ["run", "--password", secret.HIDDEN, "--port", "80"],
        "secrets": [{"secretId": "1se1"}],
        "number": 3,
    }


def test_the_store_gives_references_and_sorted_secrets():
    store = secret.Store("shop")
    place = store.put("web.environment", "B", "2")
    store.put("web.environment", "A", "1")
    store.put("db.environment", "odd key", "3")
    assert place == {"secretKeyRef": {"name": "web.environment", "key": "B"}}
    made = list(store.manifests())
    assert [one["metadata"]["name"] for one in made] == ["db.environment", "web.environment"]
    assert list(made[1]["stringData"].items()) == [("A", "1"), ("B", "2")]
    assert made[0]["stringData"] == {"odd-key": "3"}
