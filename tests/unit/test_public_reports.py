"""
What people met on their hosts, each input as it was: what the tree makes of it today. The more
exact tests, with variants, are beside the file that each of them is about.
"""

import json
import re

import pytest
import yaml
from disk_kit import formatted, found
from fake_datadisk import Machine
from fakes import ROOT
from salt.exceptions import CommandExecutionError

import _boot_files
import _cloud_init
import _datadisk_plan
import _docker_daemon_json
import _docker_data
import _docker_drop_in
import _docker_leftovers
import _docker_repository
import _docker_storage
import _docker_unit
import _docker_version
import _fstab
import _host
import _hosts_file
import _lvm
import _rancher_agent_host
import _rancher_agent_match
import _rancher_agent_plan
import _rancher_database_grants

REPORTS = yaml.safe_load((ROOT / "tests/unit/cases/public_reports.yaml").read_text())
DROP_IN = "/etc/systemd/system/docker.service.d/report.conf"
DEBIAN = {
    "/lib/systemd/system/docker.service": "[Service]\nEnvironmentFile=-/etc/default/docker\n"
    "ExecStart=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS\n"
}
KEYS = ["storage-driver", "log-driver"]


def left(name, socket=True, unit=DEBIAN):
    return _docker_leftovers.find({**unit, DROP_IN: REPORTS[name]}, KEYS, socket)


def test_01_flags_in_a_variable_that_were_not_seen():
    assert left("01-docker-options.conf")[DROP_IN].startswith("passes --storage-driver, which")


def test_02_the_default_file_in_two_words_was_moved_aside():
    assert left("02-override-config-file.conf") == {}


@pytest.fixture
def docker(tmp_path, replace):
    """A host whose Docker had its data in /data/docker, which is below tmp_path here."""
    root = tmp_path / "data/docker"
    (root / "containers/4d5f").mkdir(parents=True)
    files = dict(DEBIAN)
    replace(_docker_unit, read=lambda: dict(files))
    replace(_host, read=files.get)
    replace(_docker_data, _reachable=lambda path: None)

    def check(path, name):
        files[path] = REPORTS[name].replace("/data/docker", str(root))
        wanted = _docker_daemon_json.wanted(
            "6.1.0", lambda package: "", "docker-ce", "3:20.10.24-1"
        )
        with pytest.raises(CommandExecutionError) as caught:
            _docker_daemon_json.check_data(wanted)
        assert str(caught.value).startswith(f"Docker's data is in {root}")
        assert "1 container" in str(caught.value) and "nothing was changed" in str(caught.value)
        return wanted

    return check


def test_03_a_data_root_that_was_dropped_without_a_look(docker):
    docker("/etc/docker/daemon.json", "03-daemon.json")


def test_04_a_data_root_that_went_with_the_drop_in(docker):
    wanted = docker(DROP_IN, "04-old.conf")
    assert wanted["leftovers"][DROP_IN].startswith("passes -s, which daemon.json sets")


def test_05_a_mapped_data_root_beside_a_pool_was_refused_in_the_second_run(replace):
    pillar = yaml.safe_load(REPORTS["05-userns-pillar.yaml"])["rancher"]
    thin_pool = {**pillar["thin_pool"], "volume_group": "docker", "name": "thinpool"}
    replace(_docker_unit, read=lambda: {})
    replace(_docker_data, mapped=lambda remap: "231072.231072")
    asked = []
    state = {"layers": {"devicemapper": 3}, "device_set": True, "loop": False}
    replace(_docker_storage, status=lambda root: asked.append(root) or state)
    replace(_docker_storage, pool=lambda *name: {"path": "/x", "used": 9, "transaction_id": 2})
    files = {}
    replace(_host, read=files.get)
    given = ("docker-ce", "3:20.10.24-1", pillar["docker"]["daemon"], thin_pool)
    first = _docker_daemon_json.wanted("6.1.0", lambda package: "", *given)
    files["/etc/docker/daemon.json"] = json.dumps(first["config"])
    second = _docker_daemon_json.wanted("6.1.0", lambda package: "", *given)
    _docker_daemon_json.check_data(second, thin_pool)
    assert asked == ["/var/lib/docker/231072.231072"]


@pytest.mark.parametrize(
    ("key", "refused"),
    [("/usr/share/keyrings/docker.gpg", True), ("https://download.docker.com/linux/gpg", False)],
)
def test_06_another_key_made_apt_unusable(key, refused):
    ours = {"baseurl": "https://download.docker.com/linux/debian", "gpgkey": key}
    files = {"/etc/apt/sources.list.d/docker.sources": REPORTS["06-docker.sources"]}
    assert bool(_docker_repository.contradiction(ours, "bookworm", files)) is refused


def test_07_docker_did_not_wait_for_what_it_stands_on():
    (entry,) = _fstab.parse(REPORTS["07-fstab"])
    assert "RequiresMountsFor=/data/docker" in _docker_drop_in.waiting(["/data/docker"])
    said = _docker_drop_in.notes(["/data/docker"], [entry["file"]], ["/"])
    assert said == ["Docker starts only with /data mounted"]


def test_08_user_data_took_etc_hosts_back(replace):
    name = "/var/lib/cloud/instance/user-data.txt"
    replace(_host, read={name: REPORTS["08-user-data.yaml"]}.get)
    replace(_cloud_init, FOLDER="/nowhere")
    wanted = {"preserve_hostname": True, "manage_etc_hosts": False}
    assert _cloud_init.overruled("99-ours.cfg", wanted) == [
        {"file": name, "key": "manage_etc_hosts", "value": "true"}
    ]


def test_09_buckets_won_at_boot(tmp_path, monkeypatch):
    monkeypatch.setattr(_boot_files, "ROOT", str(tmp_path))
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/sysctl.conf").write_text(REPORTS["09-sysctl.conf"])
    key = "net.netfilter.nf_conntrack_buckets"
    found = _boot_files.sysctl_last([key])
    assert found == [{"file": "/etc/sysctl.conf", "key": key, "value": "16384"}]


@pytest.mark.parametrize("name", [name for name in REPORTS if name.startswith("10")])
def test_10_a_setting_of_lvm_changed_its_answers(name):
    """Beside a real LVM, with the other settings and in pairs: functional/test_lvm.py."""
    section, key = re.match(r"(\w+) \{ (\w+) = ", REPORTS[name]).groups()
    ours = re.search(rf" {section} {{([^}}]*)}}", _lvm.SETTINGS)[1]
    assert re.search(rf" {key} = ", ours)


def test_11_a_hint_was_taken_for_a_row():
    (row,) = _lvm.parse(REPORTS["11-vgs-stdout.txt"], _lvm._FIELDS["vgs"])
    assert (row["vg_name"], row["vg_free_count"]) == ("docker", 64)


def test_12_a_group_that_reaches_past_its_disk_was_no_doubt():
    assert len(_lvm.doubts(REPORTS["12-pv-smaller-stderr.txt"])) == 2


def test_13_rights_in_double_quotes_were_not_seen():
    grants = REPORTS["13-grants-ansi.txt"].splitlines()
    assert _rancher_database_grants.missing(grants, "cattle") == []
    assert _rancher_database_grants.missing(grants, "other") == ["ALL PRIVILEGES"]


def test_14_of_two_rows_none_was_this_machine():
    rows = json.loads(REPORTS["14-two-rows.json"])
    me = {"id": None, "names": ["node1.example.com"], "addresses": ["10.0.0.5"]}
    answer = _rancher_agent_match.find(rows, me)
    assert answer["row"]["id"] == "1h2"
    assert [one["id"] for one in answer["twins"]] == ["1h1", "1h2"]


def test_15_an_exclude_counted_as_a_hold(monkeypatch):
    from salt.modules import yumpkg

    import _docker_package

    monkeypatch.setattr(yumpkg, "_yum", lambda: "dnf")
    listed = REPORTS["15-versionlock-list.txt"]
    monkeypatch.setattr(yumpkg, "_check_versionlock", lambda: None)
    salt = {"cmd.run": lambda *args, **options: listed, "config.get": lambda *args: False}
    monkeypatch.setattr(yumpkg, "__salt__", salt, raising=False)
    monkeypatch.setattr(yumpkg, "_call_yum", lambda *args, **options: {"stdout": listed})
    found = _docker_package.held(
        {"pkg.list_holds": yumpkg.list_holds}, {"os_family": "RedHat"}, ["docker-ce"]
    )
    assert found == []


@pytest.mark.parametrize(
    ("package", "version", "stays"),
    [
        ("docker-engine", "1.12.6-1.el7.centos", False),
        ("docker", "2:1.13.1-209.git7d71120.el7.centos", False),
        ("docker-ce", "3:18.09.9-3.el7", True),
    ],
)
def test_16_a_socket_that_is_not_there_was_waited_for(package, version, stays):
    socket = _docker_version.has_socket(package, version)
    assert (left("16-fd-dropin-el7.conf", socket, {}) == {}) is stays


def test_17_an_address_on_a_bridge_of_the_operators_was_none_of_this_host(monkeypatch):
    cards = json.loads(REPORTS["17-interfaces.json"])
    monkeypatch.setattr(_rancher_agent_host.salt.utils.network, "interfaces", lambda: cards)
    assert _rancher_agent_host.marks()["addresses"] == ["10.0.0.5"]


def test_18_ten_minutes_of_waiting_for_an_agent_on_cgroup_v2():
    said = _rancher_agent_plan.complaint(REPORTS["18-agent-log.txt"].splitlines())
    assert "systemd.unified_cgroup_hierarchy=0" in said


def test_19_what_followed_a_comment_was_lost():
    assert left("19-continuation.conf")[DROP_IN].startswith("passes --storage-driver, which")


def test_20_a_line_of_others_was_cut_in_two():
    text = REPORTS["20-hosts-u2028"]
    made = _hosts_file.named(text, "node1.example.com", [])["text"]
    for line in text.rstrip("\n").split("\n"):
        assert f"{line}\n" in made


def test_21_a_disk_that_fstab_knows_by_its_label_was_not_refused(tmp_path, replace):
    machine = Machine(tmp_path, replace)
    machine.looks, machine.entries = [found(formatted())], _fstab.parse(REPORTS["21-fstab-label"])
    seen = {**machine.status(), "folder": "empty"}
    with pytest.raises(CommandExecutionError, match="mounts its file system at /mnt/old"):
        _datadisk_plan.plan(seen, "xfs", "data", ["defaults"])


def test_every_report_has_its_test():
    numbers = {re.match(r"\d+", name)[0] for name in REPORTS}
    assert numbers == {name[5:7] for name in globals() if re.match(r"test_\d\d_", name)}
