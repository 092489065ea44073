"""The state with its three modules on an imitated machine; dry run and run of every scenario."""

import os

import pytest
from fake_swap import MIB, Killed, Machine

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="a swap file belongs to root")


def bare(_machine):
    pass


def other_size(machine):
    machine.state(test=False, size="3M")


def swapped_off(machine):
    machine.state(test=False)
    machine.active.clear()


def no_fstab(machine):
    machine.state(test=False)
    machine.fstab.clear()


def readable(machine):
    machine.state(test=False)
    os.chmod(machine.path, 0o644)


def others(machine):
    machine.state(test=False)
    os.chown(machine.path, 1, 1)


def leftover(machine):
    machine.state(test=False)
    with open(machine.path + ".new", "wb") as out:
        out.write(bytes(99))
    os.chmod(machine.path + ".new", 0o600)


def sparse(machine):
    machine.state(test=False)
    machine.active.clear()
    with open(machine.path, "r+b") as out:
        out.truncate(4096)
        out.truncate(2 * MIB)


BROKEN = {
    bare: ["file", "active", "fstab"],
    other_size: ["file"],
    swapped_off: ["active"],
    no_fstab: ["fstab"],
    readable: ["mode"],
    others: ["owner"],
    leftover: ["leftover"],
    sparse: ["file", "active"],
}


def tree(machine):
    """Everything that a dry run must leave as it is."""
    files = {}
    for folder, _, names in os.walk(os.path.dirname(os.path.dirname(machine.path))):
        for path in [folder, *(os.path.join(folder, name) for name in names)]:
            have = os.lstat(path)
            files[path] = (have.st_ino, have.st_size, have.st_mode, have.st_uid, have.st_mtime_ns)
    return files, dict(machine.active), [dict(line) for line in machine.fstab]


@pytest.mark.parametrize("breaks", BROKEN)
def test_it_predicts_converges_and_stays(tmp_path, breaks):
    machine = Machine(tmp_path)
    breaks(machine)
    machine.steps.clear()
    before = tree(machine)
    predicted = machine.state(test=True)
    assert (predicted["result"], machine.steps, tree(machine)) == (None, [], before)
    assert list(predicted["changes"]) == BROKEN[breaks]
    actual = machine.state(test=False)
    assert (actual["result"], actual["changes"]) == (True, predicted["changes"])
    assert machine.is_done(2 * MIB)
    for test in (True, False):
        again = machine.state(test)
        assert (again["result"], again["changes"]) == (True, {})
    assert again["comment"] == f"Swap file {machine.path} is already correct"


@pytest.mark.parametrize("test", [True, False])
def test_null_leaves_an_existing_file_alone(tmp_path, test):
    machine = Machine(tmp_path)
    machine.state(test=False)
    before = tree(machine)
    ret = machine.state(test, size=None)
    assert (ret["result"], ret["changes"]) == (True, {})
    assert ret["comment"].startswith("No swap file is configured")
    assert tree(machine) == before


@pytest.mark.parametrize("test", [True, False])
def test_a_renamed_swap_file_left_the_former_one_in_use_without_a_word(tmp_path, test):
    machine = Machine(tmp_path)
    machine.state(test=False)
    former, machine.path = machine.path, machine.path + "2"
    for _ in range(2):
        comment = machine.state(test)["comment"]
        assert f"{former} is in use as a swap file, too: if rancher:swap:file named it" in comment
        assert f"(swapoff {former}), take its line out of /etc/fstab and remove it" in comment


@pytest.mark.parametrize("test", [True, False])
def test_data_under_that_name_is_sacred(tmp_path, test):
    machine = Machine(tmp_path)
    os.mkdir(os.path.dirname(machine.path))
    with open(machine.path, "wb") as out:
        out.write(b"my only copy" + bytes(2 * MIB - 12))
    before = tree(machine)
    ret = machine.state(test)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "may be data and is left alone" in ret["comment"]
    assert (machine.steps, tree(machine)) == ([], before)


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("size", ["1K", "20 GB", 5])
def test_a_size_that_cannot_work(tmp_path, test, size):
    machine = Machine(tmp_path)
    ret = machine.state(test, size)
    assert (ret["result"], ret["changes"], machine.steps) == (False, {}, [])


@pytest.mark.parametrize("test", [True, False])
def test_no_resize_without_the_memory_for_it(tmp_path, test):
    machine = Machine(tmp_path)
    other_size(machine)
    machine.active[machine.path] = (3 * MIB, 2 * MIB)
    machine.memory = 65 * MIB
    before = tree(machine)
    ret = machine.state(test)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "1 MiB too little" in ret["comment"]
    assert tree(machine) == before


@pytest.mark.parametrize("tool", ["dd", "mkswap", "swapoff"])
def test_a_failed_build_leaves_the_old_file_in_use_and_the_disk_free(tmp_path, tool):
    machine = Machine(tmp_path)
    other_size(machine)
    machine.failing[tool] = "No space left on device"
    ret = machine.state(test=False)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "No space left on device. Changed so far: nothing" in ret["comment"]
    assert machine.is_done(3 * MIB)


def test_a_failed_swapon_writes_no_fstab(tmp_path):
    machine = Machine(tmp_path)
    machine.failing["swapon"] = "Operation not permitted"
    ret = machine.state(test=False)
    assert (ret["result"], list(ret["changes"])) == (False, ["file"])
    assert machine.fstab == []
    machine.failing.clear()
    assert list(machine.state(test=False)["changes"]) == ["active", "fstab"]
    assert machine.is_done(2 * MIB)


def test_resized_in_the_place_of_the_old_file_when_the_disk_is_tight(tmp_path, monkeypatch):
    machine = Machine(tmp_path)
    other_size(machine)
    whole = os.statvfs(tmp_path)
    tight = (whole.f_bsize, whole.f_frsize, 20 * MIB // whole.f_frsize, 0, 0, 0, 0, 0, 0, 255)
    monkeypatch.setattr(os, "statvfs", lambda _path: os.statvfs_result(tight))
    machine.steps.clear()
    ret = machine.state(test=False)
    assert (ret["result"], list(ret["changes"])) == (True, ["file"])
    assert [step.split()[0] for step in machine.steps[:3]] == ["swapoff", "unlink", "install"]
    assert machine.is_done(2 * MIB)


def test_never_on_the_disk_below_the_data_disk(tmp_path):
    machine = Machine(tmp_path)
    machine.data_disk = {"device": "/dev/vdb", "mount_point": str(tmp_path)}
    before = tree(machine)
    predicted = machine.state(test=True)
    assert (predicted["result"], list(predicted["changes"])) == (None, ["file", "active", "fstab"])
    assert f"The data disk is not mounted at {tmp_path} yet" in predicted["comment"]
    actual = machine.state(test=False)
    assert (actual["result"], actual["changes"]) == (False, {})
    assert "belongs on the data disk, which is not mounted" in actual["comment"]
    assert (machine.steps, tree(machine)) == ([], before)


def killed_everywhere():
    """(scenario, number of its steps), counted on a run that is not disturbed."""
    return [(bare, 8), (other_size, 7), (swapped_off, 1), (no_fstab, 1), (leftover, 1)]


@pytest.mark.parametrize(
    ("breaks", "number"),
    [(breaks, number) for breaks, steps in killed_everywhere() for number in range(steps)],
)
@pytest.mark.parametrize("moment", ["before", "middle"])  # or after it, where there is no middle
def test_killed_anywhere_it_converges(tmp_path, breaks, number, moment):
    machine = Machine(tmp_path)
    breaks(machine)
    machine.steps.clear()
    machine.die = (number, moment)
    with pytest.raises(Killed):
        machine.state(test=False)
    machine.die = None
    predicted = machine.state(test=True)
    actual = machine.state(test=False)
    assert actual["changes"] == predicted["changes"]
    assert actual["result"] is True, actual["comment"]
    assert machine.is_done(2 * MIB)
    assert machine.state(test=False)["changes"] == {}


@pytest.mark.parametrize(("breaks", "number"), killed_everywhere())
def test_every_step_is_among_those_killed(tmp_path, breaks, number):
    machine = Machine(tmp_path)
    breaks(machine)
    machine.steps.clear()
    machine.state(test=False)
    assert len(machine.steps) == number, machine.steps


def test_a_file_that_appears_while_the_swap_file_is_made_is_left_alone(tmp_path):
    machine = Machine(tmp_path)
    real = machine.run

    def run(argv, timeout=60, accept=(0,)):
        answer = real(argv, timeout, accept)
        if argv[0] == "mkswap":
            with open(machine.path, "w", encoding="utf-8") as out:
                out.write("precious")
        return answer

    machine.run = run
    answer = machine.state(test=False)
    assert answer["result"] is False
    with open(machine.path, encoding="utf-8") as file:
        assert file.read() == "precious"
    assert not os.path.exists(machine.path + ".new")
