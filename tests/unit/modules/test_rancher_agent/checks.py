"""What a run of agent_registered has to keep, whatever the test is about."""

import time

from agent_kit import BOOTSTRAP

JOINED = {
    "agent": {"old": "absent", "new": "running"},
    "host": {"old": "not registered", "new": "active"},
}


def joins(kit, changes=JOINED):
    """Dry run, real run, second run: the same changes, then none; nothing written by the dry one."""
    posts = len(kit.posts())
    dry = kit.run(test=True)
    assert (dry["result"], dry["changes"]) == (None, changes), dry["comment"]
    assert len(kit.posts()) == posts
    assert kit.docker.changes() == []
    real = kit.run()
    assert (real["result"], real["changes"]) == (True, changes), real["comment"]
    posts, calls = len(kit.posts()), len(kit.docker.changes())
    again = kit.run()
    assert (again["result"], again["changes"]) == (True, {}), again["comment"]
    assert (len(kit.posts()), len(kit.docker.changes())) == (posts, calls)
    assert BOOTSTRAP not in kit.docker.containers
    return again["comment"]


def refuses(kit, *words):
    """Both runs say the same and touch nothing."""
    before = {path: path.read_bytes() for path in kit.folder.rglob("*") if path.is_file()}
    start = time.monotonic()
    dry, real = kit.run(test=True), kit.run()
    assert time.monotonic() - start < 60
    for ret in (dry, real):
        assert (ret["result"], ret["changes"]) == (False, {}), ret["comment"]
        assert "\n" not in ret["comment"]
    assert dry["comment"] == real["comment"]
    for each in words:
        assert each in real["comment"]
    assert kit.posts() == []
    assert kit.docker.changes() == []
    assert before == {path: path.read_bytes() for path in kit.folder.rglob("*") if path.is_file()}
    return real["comment"]


def script_url(fake, state="active"):
    token = fake.world.add_token(state=state)
    return f"{fake.url}/v1/scripts/{fake.world.token_text(token)}"
