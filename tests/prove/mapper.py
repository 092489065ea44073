"""
What needs a real device mapper, in the guest: refusals of disks that it holds, and Docker's pool
that is full while Docker runs.
"""

import pool_kit

from . import kills, refusals

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
    yield from ((case, role) for case in CASES for role in ROLES)


class Mapper:
    """`life` is the Kills whose guest is used."""

    def __init__(self, life):
        self.life, self.host = life, life.host

    def run(self, over):
        ours = slice(self.life.share[0], None, self.life.share[1])
        for words in list(cases())[ours]:
            label = ", ".join(words)
            act = {FULL: self.full, STRAY: self.stray}.get(words[0], self.refused)
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
        disk, _, state, settings = ROLES["thin pool"]
        order = self.host.order("single", state, device=disk, test=False, **settings)
        made, _ = self.host.answer(order, 1800)
        if made["result"] is not True:
            return [f"the pool was not made: {made['comment']}"]
        self.host.guest.must("lvcreate -qy -l 51 -n thinpoolmeta docker", timeout=300)
        return self.judged("thin pool", disk, "beside pool docker/thinpool there is a volume")

    def full(self, _case):
        guest = self.host.guest
        first, _ = self.host.apply(timeout=1800)
        problems = kills.failures(first)
        guest.write("/root/fill.py", FILL)
        guest.must(BUSY, timeout=1500)
        report, _ = self.host.apply(timeout=1800)
        told = " ".join(kills.failures(report))
        if "space for data is used up" not in told or kills.changes(report):
            problems.append(
                f"while it is full: {told or 'nothing is said'} {kills.changes(report)}"
            )
        if guest.ssh("systemctl is-active docker", timeout=60)[0]:
            problems.append("Docker does not run any more")
        guest.must(RELIEF, timeout=300)
        after, _ = self.host.apply(timeout=1800)
        again, _ = self.host.apply(timeout=1800)
        problems += kills.failures(after) + kills.failures(again)
        problems += [f"again changes {key}" for key in kills.changes(again)]
        code, _, err = guest.ssh("docker run --rm busybox:latest true", timeout=300)
        return [*problems, *[f"no container starts after the relief: {err}"] * bool(code)]
