"""
What needs a real device mapper, in the guest: refusals of disks that it holds, Docker's pool
that is full while Docker runs, and an LVM that is killed between two of its calls of the kernel.
"""

import re

import pool_kit

from . import kills_of_hosts, refusals

SECTION = "device mapper"
ROLES = {
    "data disk": ("/dev/vdb", "rancher-data", "datadisk.mounted", {"name": "/data"}),
    "thin pool": ("/dev/vdc", pool_kit.MARK, "thinpool.present", {"name": "thinpool"}),
}
# How it is made, of `disk` and of the role's own `mark`; the words of the refusal of each role.
CASES = {
    "held by device mapper": (
        'dmsetup create held --table "0 $(blockdev --getsz {disk}) linear {disk} 0"',
        ("it is in use by", "it is in use by"),
    ),
    "our partition, held by device mapper": (
        "parted -s {disk} mklabel gpt mkpart {mark} 1MiB 100% && udevadm settle && "
        'dmsetup create held --table "0 $(blockdev --getsz {disk}1) linear {disk}1 0"',
        ("in use by", "in use by"),
    ),
    "a mounted volume of another group": (
        "vgcreate -q other {disk} && lvcreate -qy -L 100M -n home other && "
        "mkfs.ext4 -q -E lazy_itable_init=0 /dev/other/home && mount -o ro,noload /dev/other/home /mnt",
        ("it is in use by", "belongs to volume group other"),
    ),
    "active swap on a volume": (
        "vgcreate -q other {disk} && lvcreate -qy -L 100M -n swap other && "
        "mkswap /dev/other/swap && swapon /dev/other/swap",
        ("it holds active swap", "belongs to volume group other"),
    ),
    "an active pool of another machine": (
        "vgcreate -q docker {disk} && lvcreate -qy --type thin-pool -L 1G -n other docker",
        ("it is in use by", "it has no tag"),
    ),
    "a volume, not a disk": (
        "vgcreate -q other {disk} && lvcreate -qy -L 1G -n whole other && "
        "ln -s /dev/other/whole /dev/disk/by-id/virtio-asked",
        ("it is a device mapper volume", "it is a device mapper volume"),
    ),
    "the disk of the running system": (
        "ln -s /dev/vda /dev/disk/by-id/virtio-asked",
        ("the running system needs it", "the running system needs it"),
    ),
}
WATCHED = (
    "sync; for disk in /dev/vdb /dev/vdc; do (head -c 8M $disk; tail -c 2M $disk) | md5sum; done; "
    "dmsetup table | sort; cut -d' ' -f1,2 /proc/mounts; tail -n +2 /proc/swaps | cut -f1"
)
FULL = "pool full while Docker runs"
STRAY = "a pool of ours with a stray thinpoolmeta"
# A volume comes up in three calls: a device, its table, and `suspend`, which resumes it. In front
# of which of the second and third ones LVM is killed; lvconvert brings up five volumes.
BROKEN = {
    f"{tool} killed before its {request} {number}": (tool, request, number)
    for tool, volumes in (("lvcreate", 1), ("lvconvert", 5))
    for number in range(1, volumes + 1)
    for request in ("DM_TABLE_LOAD", "DM_DEV_SUSPEND")
}
# The steps of the pool up to a command, as `poolmake` takes them; then the command.
_GROUP = (
    "parted -s -a optimal {disk} mklabel gpt mkpart {mark} 1MiB 100% set 1 lvm on && udevadm settle && "
    "pvcreate -q --dataalignment 1m {disk}1 && "
    "vgcreate -q --addtag {mark} --physicalextentsize 4m docker {disk}1"
)
_DATA = "lvcreate -y -Wy -Zy -n thinpool -l 4095 docker"
_METADATA = "lvcreate -y -Wy -Zy -n thinpoolmeta -l 51 docker"
COMMANDS = {
    "lvcreate": (_GROUP, _DATA),
    "lvconvert": (
        f"{_GROUP} && {_DATA} && {_METADATA}",
        "lvconvert -y --type thin-pool --poolmetadata docker/thinpoolmeta --zero n -c 512k "
        "--poolmetadataspare y docker/thinpool",
    ),
}
# In a file that has its place already, one page in each chunk takes the whole chunk.
FILL = """
import os, sys
for pid in sys.argv[1:]:
    file = os.open(f"/proc/{pid}/root/file", os.O_RDWR | os.O_CREAT)
    os.posix_fallocate(file, 0, 9 << 30)
    for number in range(18 << 10):
        os.pwrite(file, bytes(4096), number << 19)
        number % 200 or os.fsync(file)
"""
BUSY = """
lvcreate -qy -l 100%FREE -n hog docker && docker import /srv/busybox.tar busybox:latest
for name in one two; do docker run -d --name $name busybox:latest sleep 99999; done
setsid nohup python3 /root/fill.py $(docker inspect -f '{{.State.Pid}}' one two) >/root/said 2>&1 </dev/null &
for n in $(seq 600); do
    lvs --noheadings -o lv_attr docker/thinpool | grep -q '^ *........D' && exit 0; sleep 2
done
lvs -a docker; cat /root/said; exit 1
"""
# As the message of the full pool advises.
RELIEF = (
    "lvremove -qy docker/hog && lvextend -q -l +100%FREE docker/thinpool && "
    "pkill -9 -f '[f]ill.py'; timeout 200 docker rm -f one"
)


def cases():
    """(case,) or (case, role) of everything that is tried."""
    yield (FULL,)
    yield (STRAY,)
    yield from ((case,) for case in BROKEN)
    yield from ((case, role) for case in CASES for role in ROLES)


class Mapper:
    """`life` is the Kills whose guest is used."""

    def __init__(self, life):
        self.life, self.host = life, life.host
        self._calls, self.last = {}, None

    def run(self, over):
        ours = slice(self.life.share[0], None, self.life.share[1])
        for words in list(cases())[ours]:
            label = ", ".join(words)
            acts = {FULL: self.full, STRAY: self.stray, **dict.fromkeys(BROKEN, self.broken)}
            act = acts.get(words[0], self.refused)
            if not over() and not self.life.journal.holds(SECTION, label):
                self.life.ready()
                problems = act(*words)
                row = self.life.journal.add(SECTION, label, not problems, problems=problems)
                self.life.say(SECTION, label, row)

    def refused(self, case, role):
        disk, mark, *_ = ROLES[role]
        make, words = CASES[case]
        self.host.guest.must(make.format(disk=disk, mark=mark), timeout=300)
        asked = "/dev/disk/by-id/virtio-asked" if "virtio-asked" in make else disk
        return self.judged(role, asked, words[list(ROLES).index(role)])

    def judged(self, role, asked, word):
        _, _, state, settings = ROLES[role]
        before = self.host.guest.must(WATCHED, timeout=300)
        answers = [
            self.host.answer(self.host.order("single", state, device=asked, test=test, **settings))
            for test in (True, False)
        ]
        changed = self.host.guest.must(WATCHED, timeout=300) != before
        problems = refusals.judge([answer for answer, _ in answers], [word], asked, [])
        return [*problems, *["the disk, or its use, changed"] * changed]

    def stray(self, _case):
        disk, made = ROLES["thin pool"][0], self.pool(test=False)
        if made["result"] is not True:
            return [f"the pool was not made: {made['comment']}"]
        self.host.guest.must("lvcreate -qy -l 51 -n thinpoolmeta docker", timeout=300)
        return self.judged("thin pool", disk, "beside pool docker/thinpool there is a volume")

    def broken(self, case):
        tool, request, number = BROKEN[case]
        places = [place for place, call in enumerate(self.calls(tool), 1) if call == request]
        calls = self.traced(tool, f"-e inject=ioctl:signal=KILL:when={places[number - 1]}")
        if calls[-1:] != [request]:
            return [f"{tool} was not killed at {request}, but at {calls[-1:]}"]
        before = self.life.precious()
        dry, real = self.pool(test=True), self.pool(test=False, record=True)
        made = self.host.guest.must(f"cat {self.host.folder}/{self.last}.points")
        again = self.pool(test=False)
        problems = [answer["comment"] for answer in (real, again) if not answer["result"]]
        if "thin-pool" in before and "lvconvert" in made:
            problems.append("converted a second time")
        if dry["changes"] != real["changes"]:
            problems.append(f"foretold {dry['changes']}, made {real['changes']}")
        if again["changes"]:
            problems.append(f"again changes {again['changes']}")
        if lost := before - self.life.precious():
            problems.append(f"lost: {sorted(lost)}")
        return problems

    def pool(self, test, record=False):
        disk, _, state, settings = ROLES["thin pool"]
        self.last = self.host.order(
            "single", state, device=disk, test=test, record=record, **settings
        )
        return self.host.answer(self.last, 1800)[0]

    def calls(self, tool):
        """The requests to device mapper, and others, that it makes when nothing disturbs it."""
        if tool not in self._calls:
            self._calls[tool] = self.traced(tool)
            self.life.ready()
        return self._calls[tool]

    def traced(self, tool, options=""):
        """The ioctls of a command, in their order; the steps up to it are taken before."""
        disk, mark, *_ = ROLES["thin pool"]
        steps, command = COMMANDS[tool]
        self.host.guest.must(steps.format(disk=disk, mark=mark), timeout=300)
        strace = f"strace -qq -e trace=ioctl -o /root/calls {options}"
        self.host.guest.ssh(f"{strace} {command}", timeout=300)
        written = self.host.guest.must("cat /root/calls")
        return re.findall(r"^ioctl\(\d+, (\w+)", written, re.MULTILINE)

    def full(self, _case):
        guest = self.host.guest
        first, _ = self.host.apply(timeout=1800)
        problems = kills_of_hosts.failures(first)
        guest.write("/root/fill.py", FILL)
        guest.must(BUSY, timeout=1500)
        report, _ = self.host.apply(timeout=1800)
        told = " ".join(kills_of_hosts.failures(report))
        if "space for data is used up" not in told or kills_of_hosts.changes(report):
            problems.append(
                f"while it is full: {told or 'nothing is said'} {kills_of_hosts.changes(report)}"
            )
        if guest.ssh("systemctl is-active docker", timeout=60)[0]:
            problems.append("Docker does not run any more")
        guest.must(RELIEF, timeout=300)
        after, _ = self.host.apply(timeout=1800)
        again, _ = self.host.apply(timeout=1800)
        problems += kills_of_hosts.failures(after) + kills_of_hosts.failures(again)
        problems += [f"again changes {key}" for key in kills_of_hosts.changes(again)]
        code, _, err = guest.ssh("docker run --rm busybox:latest true", timeout=300)
        return [*problems, *[f"no container starts after the relief: {err}"] * bool(code)]
