"""What of the lab needs no guest: its image's key, command lines, ports, layout and questions."""

import json
import pathlib

import pytest
from lab import image
from lab import lab as labs
from lab.guest import Guest
from lab.master import Master
from lab.process import LabError


@pytest.fixture
def guest(tmp_path):
    base = image.Image(tmp_path / "images/key")
    return Guest(base, tmp_path, tmp_path, ssh_port=4507, disks={"data": "8G", "pool": "20G"})


@pytest.fixture
def master(tmp_path):
    (tmp_path / "pki/minions").mkdir(parents=True)
    return Master(tmp_path, tmp_path, publish_port=4515, return_port=4516)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(labs, "CACHE", tmp_path)
    return tmp_path


class FakeClient:
    """Salt's client with a list of what the event bus says, one entry per wait."""

    def __init__(self, events):
        self.events = list(events)
        self.event = self
        self.asked = []
        self.waits = []

    def run_job(self, tgt, fun, arg=(), tgt_type="glob", timeout=None, kwarg=None, listen=False):
        self.asked.append((tgt, fun, arg, kwarg))
        return {"jid": f"job{len(self.asked)}"}

    def get_event(self, wait=5, tag="", match_type=None):
        self.waits.append((wait, tag))
        return self.events.pop(0)


def test_the_key_of_an_image_follows_its_recipe():
    assert image.Recipe().key == image.Recipe().key
    assert image.Recipe(salt="3008.3").key != image.Recipe().key
    assert image.Recipe(offered=("lvm2",)).key != image.Recipe().key


def test_every_disk_has_its_serial_number(guest):
    words = " ".join(str(word) for word in guest.arguments())
    for serial in ("root", "data", "pool"):
        assert f"virtio-blk-pci,drive={serial},serial={serial}" in words
    assert "hostfwd=tcp:127.0.0.1:4507-:22" in words
    assert "-loadvm" not in words


def test_a_snapshot_is_loaded_by_a_new_qemu(guest):
    assert guest.arguments("bare")[-2:] == ["-loadvm", "bare"]


def test_nothing_of_the_master_is_outside_its_directories(master, tmp_path):
    settings = master.settings()
    paths = [key for key, value in settings.items() if str(value).startswith("/") and value != "/"]
    assert {"pki_dir", "cachedir", "sock_dir", "pidfile", "log_file"} <= set(paths)
    assert all(pathlib.Path(settings[key]).is_relative_to(tmp_path) for key in paths)


def test_a_pillar_with_braces_is_not_a_template(master):
    master.pillar({"rancher": {"hostname": "{{ evil }}"}})
    text = (master.directory / "pillar/lab.sls").read_text()
    assert text.startswith("#!json\n")
    assert json.loads(text.split("\n", 1)[1]) == {"rancher": {"hostname": "{{ evil }}"}}


def test_a_call_returns_what_the_function_returned(master, monkeypatch):
    client = FakeClient([{"return": {"answer": 42}}])
    monkeypatch.setattr(master, "client", lambda: client)
    assert master.call("guest", "state.apply", ["common"], test=True, timeout=7) == {"answer": 42}
    assert client.asked == [("guest", "state.apply", ["common"], {"test": True})]
    assert client.waits == [(7, "salt/job/(job1)/ret/guest$")]


def test_a_call_without_answer_is_an_error(master, monkeypatch):
    monkeypatch.setattr(master, "client", lambda: FakeClient([None]))
    with pytest.raises(LabError, match="guest did not answer to test.ping within 3 s"):
        master.call("guest", "test.ping", timeout=3)


def test_a_slow_minion_is_asked_less_often_and_may_answer_an_early_question(master, monkeypatch):
    (master.directory / "pki/minions/guest").touch()
    client = FakeClient([None, None, None, None, None, {"return": True}])
    monkeypatch.setattr(master, "client", lambda: client)
    assert master.ping("guest", timeout=60)
    assert [wait for wait, _ in client.waits] == [2, 4, 8, 16, 20, 20]
    assert client.waits[-1][1] == "salt/job/(job1|job2|job3|job4|job5|job6)/ret/guest$"


def test_a_dead_guest_is_not_waited_for(master):
    assert not master.ping("guest", timeout=60, alive=lambda: False)


def test_a_guest_made_anew_is_let_in(master):
    key = master.directory / "pki/minions/guest"
    key.touch()
    master.forget("guest")
    assert not key.exists()


def test_labs_side_by_side_have_ports_of_their_own(cache, monkeypatch):
    monkeypatch.setattr(labs, "_is_free", lambda port: port != 4525)
    _lay_out(cache, "one", slot=0)
    _lay_out(cache, "two", slot=1)
    slot = labs._free_slot()
    assert slot == 3
    assert set(labs._ports(slot).values()).isdisjoint(labs._ports(0).values())


def test_an_image_is_deleted_when_no_lab_uses_it(cache):
    _lay_out(cache, "one", image="used")
    for key in ("used", "unused"):
        (cache / "images" / key).mkdir(parents=True)
        labs._drop_image(key)
    assert [path.name for path in (cache / "images").iterdir()] == ["used"]


def test_sockets_have_short_names_however_deep_the_checkout_is(monkeypatch, tmp_path):
    monkeypatch.setattr(labs.tempfile, "gettempdir", lambda: str(tmp_path))
    directory = labs._socket_directory(pathlib.Path("/" + "deep/" * 60))
    assert len(directory.name) <= 24
    assert (directory / "master").is_dir()


def _lay_out(cache, name, **layout):
    directory = cache / "labs" / name
    directory.mkdir(parents=True)
    (directory / "layout.json").write_text(json.dumps({"slot": 0, "image": "any", **layout}))
