"""What of the lab needs no guest: its image's key, command lines, ports, layout and questions."""

import json
import pathlib

import pytest
from lab import image
from lab import lab as labs
from lab.guest import Guest
from lab.master import Master
from lab.process import LabError, Patience


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


def test_docker_s_modules_come_with_salt_or_beside_it():
    old, new = image.Recipe().python, image.Recipe(salt="3008.3").python
    assert old[0] == "salt==3006.28" and image.DOCKER_EXTENSION not in old
    assert new[:2] == ["salt==3008.3", image.DOCKER_EXTENSION]
    assert [line.partition("==")[0] for line in new[2:]] == ["docker", "PyMySQL"]


def test_a_library_without_version_is_named():
    assert image.pinned(["Docker"], "a==1\ndocker==7.1.0\n") == ["docker==7.1.0"]
    with pytest.raises(LabError, match="no version of docker"):
        image.pinned(["docker"], "docker\nother==1\n")


def test_every_disk_has_its_serial_number(guest):
    words = " ".join(str(word) for word in guest.arguments())
    for serial in ("root", "data", "pool"):
        assert f"virtio-blk-pci,drive={serial},serial={serial}" in words
    assert "hostfwd=tcp:127.0.0.1:4507-:22" in words
    assert "-loadvm" not in words
    assert "lan" not in words


def test_guests_on_one_network_have_cards_of_their_own(tmp_path):
    base = image.Image(tmp_path)
    words = []
    for number in (1, 2):
        guest = Guest(base, tmp_path, tmp_path, ssh_port=1, disks={}, lan=(4515, number))
        words.append([str(word) for word in guest.arguments()])
    wire = "socket,id=lan,mcast=230.0.0.1:4515,localaddr=127.0.0.1"
    assert all(wire in each for each in words)
    for number, each in enumerate(words, 1):
        assert f"virtio-net-pci,netdev=lan,mac=52:54:00:00:03:0{number}" in each


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


def test_a_minion_has_a_pillar_of_its_own_on_top(master):
    master.pillar({"rancher": {}}, {"node1": {"rancher": {"roles": ["agent"]}}})
    read = {
        path.stem: json.loads(path.read_text().split("\n", 1)[1])
        for path in (master.directory / "pillar").iterdir()
    }
    assert read["top"] == {"base": {"*": ["lab"], "node1": ["lab-node1"]}}
    assert read["lab-node1"] == {"rancher": {"roles": ["agent"]}}


def test_a_call_returns_what_the_function_returned(master, monkeypatch):
    client = FakeClient([{"id": "guest", "return": {"answer": 42}}])
    monkeypatch.setattr(master, "client", lambda: client)
    assert master.call("guest", "state.apply", ["common"], test=True, timeout=7) == {"answer": 42}
    assert client.asked == [("guest", "state.apply", ["common"], {"test": True})]
    ((wait, tag),) = client.waits
    assert 6.5 < wait <= 7 and tag == "salt/job/(job1)/ret/(guest)$"


def test_a_call_of_all_collects_what_each_returned(master, monkeypatch):
    client = FakeClient([{"id": "two", "return": 2}, {"id": "one", "return": 1}])
    monkeypatch.setattr(master, "client", lambda: client)
    assert master.call_all(["one", "two"], "test.echo") == {"one": 1, "two": 2}
    assert client.asked == [("one,two", "test.echo", [], {})]
    assert [tag for _, tag in client.waits] == [
        "salt/job/(job1)/ret/(one|two)$",
        "salt/job/(job1)/ret/(one)$",
    ]


def test_a_call_of_all_names_those_that_are_silent(master, monkeypatch):
    client = FakeClient([{"id": "one", "return": 1}, None])
    monkeypatch.setattr(master, "client", lambda: client)
    with pytest.raises(LabError, match="^two did not answer to test.ping within 3 s"):
        master.call_all(["one", "two"], "test.ping", timeout=3)


def test_a_call_without_answer_is_an_error(master, monkeypatch):
    monkeypatch.setattr(master, "client", lambda: FakeClient([None]))
    with pytest.raises(LabError, match="guest did not answer to test.ping within 3 s"):
        master.call("guest", "test.ping", timeout=3)


def test_a_slow_minion_is_asked_less_often_and_may_answer_an_early_question(master, monkeypatch):
    (master.directory / "pki/minions/guest").touch()
    client = FakeClient([None, None, None, None, None, {"return": True}])
    monkeypatch.setattr(master, "client", lambda: client)
    assert master.ping("guest", Patience("it", 60))
    assert [wait for wait, _ in client.waits] == [2, 4, 8, 15, 15, 15]
    assert client.waits[-1][1] == "salt/job/(job1|job2|job3|job4|job5|job6)/ret/(guest)$"


def test_a_dead_guest_is_not_waited_for(master):
    assert not master.ping("guest", Patience("it", 60), alive=lambda: False)


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
    assert _numbers(slot).isdisjoint(_numbers(0))


def test_a_lab_of_another_machine_is_laid_out_anew(cache, monkeypatch):
    monkeypatch.setattr(labs, "machine", lambda base: ("pc",))

    def settle():
        lab = labs.Lab("one")
        lab._settle(lab._wanted(image.Image(cache / "images/any")))

    settle()
    saved = cache / "labs/one/root.qcow2"
    saved.touch()
    settle()
    assert saved.exists()
    monkeypatch.setattr(labs, "machine", lambda base: ("pc", "-smp", "2"))
    settle()
    assert not saved.exists()


def _numbers(slot):
    """All TCP ports of a slot; each has one use."""
    ports = {**labs._ports(slot)}
    assert ports.pop("lan") == ports["publish"]
    numbers = [*ports.pop("ssh"), *ports.values()]
    assert len(set(numbers)) == len(numbers)
    return set(numbers)


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


def test_a_lab_with_several_guests_gives_each_a_place_of_its_own(cache, monkeypatch):
    monkeypatch.setattr(labs.tempfile, "gettempdir", lambda: str(cache))
    _lay_out(cache, "two", disks={}, memory=1024, guests=["server1", "node1"])
    lab = labs.Lab("two", guests=["server1", "node1"])
    lab.attach()
    assert list(lab.guests) == ["server1", "node1"]
    assert lab.guest is lab.guests["server1"]
    assert [guest.directory.name for guest in lab.guests.values()] == ["server1", "node1"]
    assert [guest.ssh_port for guest in lab.guests.values()] == [4507, 4510]
    assert [lab.address(name) for name in lab.guests] == ["10.0.3.11", "10.0.3.12"]
    assert [guest.lan for guest in lab.guests.values()] == [(4505, 1), (4505, 2)]
    assert lab.registry.port == 4508 and lab.database.port == 4509


def test_a_lab_with_one_guest_has_no_wire(cache, monkeypatch):
    monkeypatch.setattr(labs.tempfile, "gettempdir", lambda: str(cache))
    _lay_out(cache, "one", disks={}, memory=1024)
    lab = labs.Lab("one")
    lab.attach()
    assert list(lab.guests) == ["guest"] and lab.guest.lan is None
    assert lab.guest.directory == cache / "labs/one"


def test_guests_know_each_other_by_name():
    assert labs.hosts_file(["server1", "node1"]).splitlines() == [
        "127.0.0.1 localhost",
        "10.0.3.11 server1.example.test server1",
        "10.0.3.12 node1.example.test node1",
    ]


@pytest.mark.parametrize("number", [0, 6])
def test_a_lab_has_a_sane_number_of_guests(cache, number):
    with pytest.raises(LabError, match=f"1 to 5 guests, not {number}"):
        labs.Lab("many", guests=[f"node{n}" for n in range(number)])


def test_what_is_done_with_several_guests_is_done_with_each_and_a_failure_is_told(cache):
    lab = labs.Lab("two", guests=["one", "two", "three"])
    lab.guests = {"one": 1, "two": 0, "three": 4}
    seen = []

    def halve(number):
        seen.append(number)
        if not number:
            raise LabError("no power")

    with pytest.raises(LabError, match="no power"):
        lab._each(halve)
    assert sorted(seen) == [0, 1, 4]
    lab._each(halve, ["three"])
    assert sorted(seen) == [0, 1, 4, 4]


def _lay_out(cache, name, **layout):
    directory = cache / "labs" / name
    directory.mkdir(parents=True)
    (directory / "layout.json").write_text(json.dumps({"slot": 0, "image": "any", **layout}))
