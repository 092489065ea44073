"""A further disk for the pool: the real modules over a host with several disks."""

import pytest
from fake_pool import GIB, MARK, MIB, Host, Killed
from salt.exceptions import CommandExecutionError

import _thinpool

MORE = "/dev/vdd"
# label, partition, type, PV, VG, name
WRITES = 6


class Bigger(Host):
    """The pool is there; beside it two blank disks."""

    def __init__(self, replace, state, pool=True):
        super().__init__(replace, state)
        self.more = {
            path: {"steps": [], "pv": None, "vg": "", "finished": False}
            for path in (MORE, "/dev/vde")
        }
        self.holds, self.sizes = {}, {MORE: 10 * GIB, "/dev/vde": 30 * GIB}
        if pool:
            ret = self.present()
            assert ret["result"] is True, ret["comment"]
        self.wrote.clear()

    def grown(self, *devices, test=False):
        return self.state_of("thinpool", test).extended("thinpool", list(devices or [MORE]))

    # As in for the other disks.

    def examine(self, device, key=None):
        if device not in self.more:
            return super().examine(device)
        one, size = self.more[device], self.sizes[device]
        disk = {"asked": device, "path": device, "devno": f"254:{ord(device[-1])}", "size": size}
        disk |= {"sector": 512, "serial": device[-3:], "partitions": []}
        if "partition" in one["steps"]:
            part = {"path": f"{device}1", "number": 1, "start": MIB, "mark": MARK, "mounts": []}
            part |= {
                "label": MARK if one["finished"] else f"{MARK}-new",
                "finished": one["finished"],
            }
            part |= {"size": size - 2 * MIB, "holders": [], "busy": False, "signatures": []}
            part["signatures"] = [{"type": "LVM2_member"}] if one["pv"] else []
            disk["partitions"] = [part]
        return disk

    def stage(self, disk, mark, part_type, minimum=0):
        if disk["path"] in self.holds:
            raise CommandExecutionError(f"Refusing to touch {disk['path']}: it holds ext4")
        if disk["path"] not in self.more:
            return super().stage(disk, mark, part_type, minimum)
        return ["blank", "label", "partition", "ready"][len(self.more[disk["path"]]["steps"])]

    def partition(self, disk, mark, part_type, minimum=0):
        if disk["path"] not in self.more:
            return super().partition(disk, mark, part_type, minimum)
        steps = self.more[disk["path"]]["steps"]
        for step in ("label", "partition", "type"):
            if step not in steps:
                self._doing(f"parted {disk['path']} {step}", lambda step=step: steps.append(step))
        return f"{disk['path']}1"

    def finish(self, disk, mark):
        one = self.more.get(disk["path"])
        if one is None:
            super().finish(disk, mark)
        elif not one["finished"]:
            assert one["vg"] == "docker"
            self._doing(f"parted {disk['path']} name", lambda: one.update(finished=True))

    def _pvcreate(self, argv):
        device = argv[-1][:-1]
        if device not in self.more:
            return super()._pvcreate(argv)
        assert argv == ["pvcreate", "--dataalignment", "1m", f"{device}1"]
        assert self.more[device]["pv"] is None
        self.more[device]["pv"] = f"uuid{len(self.wrote)}"
        return None

    def _vgextend(self, argv):
        device = argv[-1][:-1]
        assert argv == ["vgextend", "docker", f"{device}1"] and self.more[device]["pv"]
        assert self.more[device]["vg"] == ""
        self.more[device]["vg"] = "docker"
        part = self.examine(device)["partitions"][0]
        self.vg["vg_extent_count"] += (part["size"] - MIB) // (4 * MIB)

    def _pvs(self):
        rows = super()._pvs()
        for device, one in self.more.items():
            if one["pv"]:
                attr = "a--" if one["vg"] else "---"
                row = {"pv_name": f"{device}1", "pv_uuid": one["pv"], "vg_name": one["vg"]}
                rows.append(
                    {**row, "pv_attr": attr, "pv_size": 1, "pe_start": MIB, "dev_size": GIB}
                )
        return rows

    def _vgs(self):
        names = {one["vg"] for one in self.more.values()} - {"", None, "docker"}
        empty = {"vg_attr": "wz--n-", "vg_extent_size": 4 * MIB, "vg_extent_count": 1}
        others = ({**empty, "vg_name": name, "vg_free_count": 1} for name in names)
        return [*super()._vgs(), *others]


def test_without_disks_nothing_is_looked_at(state):
    ret = state("thinpool", False).extended("thinpool", [])
    assert (ret["result"], ret["changes"]) == (True, {})


def test_a_blank_disk_becomes_room_as_the_dry_run_said(pool_host):
    host = pool_host(Bigger)
    before = host.free()
    dry = host.grown(test=True)
    assert dry["result"] is None and host.wrote == []
    assert list(dry["changes"]) == [
        f"{MORE}: {step}" for step in ("partition", "physical volume", "volume group")
    ]
    done = host.grown()
    assert (done["result"], done["changes"]) == (True, dry["changes"]), done["comment"]
    gained = int(dry["changes"][f"{MORE}: volume group"]["new"].split()[1])
    assert host.free() == before + gained and len(host.wrote) == WRITES
    again = host.grown()
    assert (again["result"], again["changes"]) == (True, {})
    assert host.present()["changes"] == {}


def test_the_next_extension_fits_afterwards(pool_host):
    host = pool_host(Bigger)
    unit = 4 * MIB
    host.volume("filler", host.free())
    status = _thinpool.status
    assert status("docker", "thinpool")["next_extension_fits"] is False
    host.grown(MORE, "/dev/vde")
    found = status("docker", "thinpool")
    assert found["next_extension_fits"] is True and found["free"] > 39 * GIB // unit * unit


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, 2 * WRITES + 1))
def test_killed_anywhere_it_converges_without_doing_anything_twice(pool_host, number, after):
    host = pool_host(Bigger)
    host.countdown, host.after = number, after
    with pytest.raises(Killed):
        host.grown(MORE, "/dev/vde")
    host.countdown = None
    dry = host.grown(MORE, "/dev/vde", test=True)
    done = host.grown(MORE, "/dev/vde")
    assert (done["result"], done["changes"]) == (True, dry["changes"]), done["comment"]
    assert len(host.wrote) == len(set(host.wrote)) == 2 * WRITES


def refused(host, *devices):
    """Dry run and run say the same, and nothing is written, on no disk."""
    host.wrote.clear()
    dry, real = (host.grown(*devices, test=test) for test in (True, False))
    assert dry == real and host.wrote == []
    assert (real["result"], real["changes"]) == (False, {})
    assert "\n" not in real["comment"]
    return real["comment"]


def test_a_disk_that_is_not_blank(pool_host):
    host = pool_host(Bigger)
    host.holds["/dev/vde"] = "ext4"
    assert "/dev/vde: it holds ext4" in refused(host, MORE, "/dev/vde")


def test_the_disk_of_another_group(pool_host):
    host = pool_host(Bigger)
    host.more[MORE].update(pv="u", vg="backup", steps=["label", "partition", "type"])
    assert f"{MORE}1 on it belongs to volume group backup" in refused(host)


def test_without_a_pool(pool_host):
    host = pool_host(Bigger, pool=False)
    ret = host.grown()
    assert "there is no complete thin pool docker/thinpool to extend" in ret["comment"]
    assert (ret["result"], host.wrote) == (False, [])


def test_a_dry_run_on_a_bare_host_tells_what_the_whole_run_does(pool_host):
    host = pool_host(Bigger, pool=False)
    dry = host.grown(test=True)
    assert dry["result"] is None and host.wrote == []
    host.present()
    assert host.grown()["changes"] == dry["changes"]


def test_a_pool_that_was_not_made_here(pool_host):
    host = pool_host(Bigger)
    host.vg["vg_tags"] = ""
    assert f"vgchange --addtag {MARK} docker" in refused(host)


def test_a_sick_pool_is_repaired_first(pool_host):
    host = pool_host(Bigger)
    host.lvs["thinpool"]["lv_attr"] = "twi-a-t-F-"
    assert "is sick: its metadata or its data failed" in refused(host)


def test_a_full_pool_needs_the_disk_most(pool_host):
    host = pool_host(Bigger)
    host.lvs["thinpool"]["lv_attr"] = "twi-a-t-D-"
    assert host.grown()["result"] is True


def test_doubtful_lists(pool_host):
    host = pool_host(Bigger)
    host.stderr = "  WARNING: VG docker is missing PV bQypZg (last written to /dev/vdz)."
    assert "LVM doubts its own lists" in refused(host)
