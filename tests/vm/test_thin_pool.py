"""The thin pool on a real device mapper: every state, kills, and a pool that really grows."""

import io
import json
import os
import pathlib
import tarfile

import pytest
from fakes import ROOT

HERE = pathlib.Path(__file__).parent
PYTHON, TREE = "/opt/salt/bin/python3", "/tmp/tree"
DISK, MARK = "/dev/disk/by-id/virtio-pool", "rancher-docker-pool"
PROFILE = "/etc/lvm/profile/docker-thinpool.profile"
WANT = {"name": "thinpool", "device": DISK}
RESET = f"""
vgremove -ff -y docker; pvremove -ff -y /dev/vdc1; wipefs -af /dev/vdc1; wipefs -af /dev/vdc
vgremove -ff -y other; pvremove -ff -y /dev/vdb; wipefs -af /dev/vdb
blkdiscard -fz /dev/vdb; blkdiscard -fz /dev/vdc
partx --delete /dev/vdc; rm -f {PROFILE}; udevadm settle; true
"""
UUIDS = "pvs --noheadings -o pv_uuid,vg_uuid"
# label, partition, type, PV, VG, name, two volumes, conversion, activation, profile, attachment; the
# pool is monitored as soon as it is active.
WRITES = 12
EVERY_KILL = [
    (number, when) for number in range(1, WRITES + 1) for when in ("before", "during", "after")
]
# All of them take half an hour: THIN_POOL_KILLS=all.
KILLS = EVERY_KILL if os.environ.get("THIN_POOL_KILLS") == "all" else [(3, "before"), (9, "during")]
# What an operator, or an interrupted run, does next; the state that this makes.
WALK = [
    ("true", "P0"),
    ("vgcreate docker /dev/vdb", "P5x"),
    ("vgremove -y docker; pvremove -y /dev/vdb; parted -s /dev/vdc mklabel gpt", "P1"),
    (f"parted -s -a optimal /dev/vdc mkpart {MARK}-new 1MiB 100%; udevadm settle", "P2"),
    ("parted -s /dev/vdc set 1 lvm on; udevadm settle", "P3"),
    ("mkswap /dev/vdc1; udevadm settle", "P3x"),
    ("wipefs -a /dev/vdc1; pvcreate /dev/vdc1", "P4"),
    (f"vgcreate --addtag {MARK} docker /dev/vdc1", "P5"),
    (f"parted -s /dev/vdc name 1 {MARK}; udevadm settle", "P5"),
    (f"vgchange --deltag {MARK} docker", "P5x"),
    (f"vgchange --addtag {MARK} docker; lvcreate -y -Wy -Zy -n thinpool -l 4095 docker", "P6"),
    ("mkswap /dev/docker/thinpool", "P6x"),
    ("lvchange -an docker/thinpool", "P6x"),
    (
        "lvchange -ay docker/thinpool; dd if=/dev/zero of=/dev/docker/thinpool bs=1M count=1 conv=fsync",
        "P6",
    ),
    ("lvcreate -y -Wy -Zy -n thinpoolmeta -l 51 docker", "P7"),
    ("lvchange -an docker", "P7"),
    (
        "lvconvert -y --type thin-pool --poolmetadata docker/thinpoolmeta --zero n -c 512k "
        "docker/thinpool",
        "P8",
    ),
    ("lvcreate -y -n thinpoolmeta -l 51 docker", "P8x"),
    (
        "lvremove -y docker/thinpoolmeta; printf 'activation {\\n  thin_pool_autoextend_threshold=80\\n"
        f"  thin_pool_autoextend_percent=20\\n}}\\n' > {PROFILE}",
        "P9",
    ),
    ("lvchange --metadataprofile docker-thinpool docker/thinpool", "P11"),
    ("lvchange -ay docker/thinpool", "P13"),
    (f"mv {PROFILE} /tmp/lost", "P9f"),
    (f"mv /tmp/lost {PROFILE}; lvchange --monitor n docker/thinpool", "P10"),
    ("lvchange -an docker/thinpool", "P11"),
    # Its metadata active by itself, as a killed lvconvert can leave it.
    ("lvchange -y -ay docker/thinpool_tmeta", "P11"),
]


class Driver:
    """Steps that run in the guest; see pool_driver.py."""

    def __init__(self, guest):
        self.guest = guest
        guest.must(f"mkdir -p {TREE}")
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(ROOT / "salt", "salt", filter=_sources)
        local = ROOT / ".cache/pool_tree.tar"
        local.parent.mkdir(exist_ok=True)
        local.write_bytes(archive.getvalue())
        guest.put(local, f"{TREE}/tree.tar")
        guest.put(HERE / "pool_driver.py", f"{TREE}/driver.py")
        guest.must(f"tar -xf {TREE}/tree.tar -C {TREE}")

    def run(self, *steps, timeout=900):
        out = self.guest.must(
            [PYTHON, f"{TREE}/driver.py", TREE], input=json.dumps(steps), timeout=timeout
        )
        return [json.loads(line)["result"] for line in out.splitlines()]


def _sources(member):
    return None if "__pycache__" in member.name else member


def present(**over):
    return ["present", {**WANT, **over}]


def shell(line):
    return ["shell", line]


@pytest.fixture(scope="module")
def driver(furnished):
    furnished.master.pillar({})
    return Driver(furnished.fresh())


@pytest.fixture(scope="module")
def made(driver):
    """A blank disk, a dry run, a run, another run."""
    heads = "head -c 16M /dev/vdc | sha256sum"
    names = ("reset", "head", "dry", "head after", "first", "second", "lvs", "status")
    lvs = "lvs -a --noheadings --separator=, --units b --nosuffix -o lv_name,lv_size docker"
    steps = [shell(RESET), shell(heads), present(test=True), shell(heads), present(), present()]
    steps += [shell(lvs), ["call", "thinpool.status", "docker", "thinpool"]]
    return dict(zip(names, driver.run(*steps), strict=True))


def test_the_dry_run_writes_nothing_and_names_what_the_run_makes(made):
    assert made["dry"]["result"] is None, made["dry"]["comment"]
    assert made["head"]["out"] == made["head after"]["out"]
    assert made["first"]["result"] is True, made["first"]["comment"]
    assert made["first"]["changes"] == made["dry"]["changes"]


def test_the_second_run_changes_nothing(made):
    assert (made["second"]["result"], made["second"]["changes"]) == (True, {})


def test_the_sizes_are_those_that_were_foretold(made):
    rows = dict(line.strip().split(",") for line in made["lvs"]["out"].splitlines())
    extents = {name.strip("[]"): int(size) // 4194304 for name, size in rows.items()}
    assert (extents["thinpool"], extents["thinpool_tmeta"]) == (4095, 51)
    assert extents["lvol0_pmspare"] == 51
    assert made["dry"]["changes"]["data volume"]["new"] == "docker/thinpool, 4095 extents"


def test_the_pool_is_monitored_healthy_and_can_grow(made):
    status = made["status"]
    assert (status["health"], status["monitored"], status["active"]) == ("ok", True, True)
    assert status["next_extension_fits"] is True
    assert status["device"] == "/dev/mapper/docker-thinpool"


def test_the_pool_grows_by_itself(driver, made):
    # One sector in each chunk takes the whole chunk.
    fill = (
        "import os; f = os.open('/dev/docker/filler', os.O_WRONLY)\n"
        "for n in range(27000): os.pwrite(f, b'x' * 512, n * 524288)\n"
        "os.fsync(f)"
    )
    wait = (
        "for n in $(seq 60); do [ $(lvs --noheadings --units b --nosuffix -o lv_size "
        "docker/thinpool) -gt 17175674880 ] && exit 0; sleep 2; done; exit 1"
    )
    results = driver.run(
        shell("lvcreate -y -V 15G -T docker/thinpool -n filler"),
        shell(f'python3 -c "{fill}"'),
        shell(wait),
        ["call", "thinpool.status", "docker", "thinpool"],
        present(),
        shell("lvremove -y docker/filler"),
    )
    assert [step["code"] for step in results[:3]] == [0, 0, 0], results
    assert results[3]["size"] == 17175674880 + 819 * 4194304
    assert results[3]["next_extension_fits"] is False
    assert (results[4]["result"], results[4]["changes"]) == (True, {})
    assert "the pool will not grow by itself" in results[4]["comment"]


def test_every_state_is_told_and_refusals_leave_the_disk_alone(driver):
    look = ["call", "thinpool.plan", DISK]
    steps = [shell(RESET)]
    for line, _ in WALK:
        steps += [shell(line), look]
    results = driver.run(*steps, present(), shell(RESET))[1:]
    told = [plan["state"] for plan in results[1 : 2 * len(WALK) : 2]]
    assert told == [state for _, state in WALK], results
    assert results[-2]["result"] is True
    assert set(results[-2]["changes"]) == {"activation", "monitoring"}


def test_inactive_volumes_do_not_end_as_an_inactive_pool(driver):
    # What a killed lvconvert can leave; lvm2 2.03.16 then makes an inactive pool.
    steps = [
        shell(RESET),
        present(end=["lvconvert", "before"]),
        shell("lvchange -an docker"),
        present(),
    ]
    done = driver.run(*steps)[-1]
    assert done["result"] is True, done["comment"]
    assert set(done["changes"]) == {"pool", "profile", "attachment", "monitoring"}


@pytest.mark.parametrize(("number", "when"), KILLS)
def test_killed_it_converges_with_the_same_uuids(driver, number, when):
    steps = [shell(RESET), present(end=[number, when]), shell(UUIDS), present(test=True)]
    steps += [present(), shell(UUIDS), present()]
    _, killed, before, dry, done, after, again = driver.run(*steps)
    assert killed == {"signal": 9, "exit": 0}
    assert done["result"] is True, done["comment"]
    assert done["changes"] == dry["changes"]
    assert after["out"].split()[: len(before["out"].split())] == before["out"].split()
    assert (again["result"], again["changes"]) == (True, {})
