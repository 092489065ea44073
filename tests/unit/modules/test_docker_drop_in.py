import os
import subprocess

import pytest
from salt.exceptions import CommandExecutionError

import _docker_drop_in as docker
import _docker_service
import _fstab
import _host


def test_docker_waits_for_the_file_systems_of_its_directories():
    text = docker.waiting(["/var/lib/docker", "/data/docker"])
    assert text == (
        "# Managed by Salt.\n[Unit]\n"
        "RequiresMountsFor=/var/lib/docker\nRequiresMountsFor=/data/docker\n"
    )
    assert docker.awaited(text) == ["/var/lib/docker", "/data/docker"]


def test_no_directories_no_drop_in():
    assert docker.waiting([]) is None and docker.awaited(None) == []


@pytest.mark.parametrize("path", ["/a b", "/50%/x", '/q"q', "/back\\slash", "/ü", "/a;b", "/#x"])
def test_a_strange_name_is_quoted_and_read_back(path):
    assert docker.awaited(docker.waiting([path, "/x"])) == [path, "/x"]


@pytest.mark.parametrize("path", ["relative", "/line\nbreak", ""])
def test_what_no_unit_can_hold_is_refused(path):
    with pytest.raises(CommandExecutionError, match="cannot stand in a unit"):
        docker.waiting([path])


@pytest.mark.parametrize("path", ["/var/lib/docker", "/a b/50%", '/q"q', "/back\\slash"])
def test_systemd_understands_what_we_write(path, tmp_path):
    if not os.path.exists("/usr/bin/systemd-analyze"):
        pytest.skip("no systemd-analyze")
    unit = "[Service]\nExecStart=/bin/true\n"
    (tmp_path / "a.service").write_text(docker.waiting([path]) + unit)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / "a.service")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "a.service" not in done.stderr, done.stderr


def test_a_link_counts_with_where_it_leads(tmp_path):
    # systemd compares names: of a link to the data disk it would know nothing.
    (tmp_path / "docker").symlink_to("data")
    asked = [f"{tmp_path}/docker/", f"{tmp_path}/docker"]
    assert docker.resolved(asked) == [f"{tmp_path}/docker", f"{tmp_path}/data"]


OLD, NEW = (docker.waiting([path]) for path in ("/a", "/b"))


@pytest.mark.parametrize(
    ("seen", "text", "changes"),
    [
        ({"text": None, "loaded": True}, NEW, {"waits for": {"old": None, "new": ["/b"]}}),
        ({"text": OLD, "loaded": True}, NEW, {"waits for": {"old": ["/a"], "new": ["/b"]}}),
        ({"text": OLD, "loaded": True}, None, {"waits for": {"old": ["/a"], "new": None}}),
        (
            {"text": NEW, "loaded": False},
            NEW,
            {"systemd": {"old": "has an older drop-in", "new": "read again"}},
        ),
        ({"text": NEW, "loaded": True}, NEW, {}),
        ({"text": None, "loaded": True}, None, {}),
    ],
    ids=["new", "other", "taken away", "killed before the reload", "as it is", "none"],
)
def test_what_is_left_to_do(seen, text, changes):
    assert docker.plan(seen, text) == changes


@pytest.mark.parametrize(
    ("paths", "in_fstab", "mounted", "said"),
    [
        (["/var/lib/docker"], ["/", "/data"], ["/", "/data"], []),
        (["/data/docker"], ["/", "/data"], ["/"], ["Docker starts only with /data mounted"]),
        (["/database"], ["/data"], ["/", "/data"], []),
        (["/data"], ["/data/"], ["/data"], ["Docker starts only with /data mounted"]),
        (
            ["/mnt/x/y"],
            ["/"],
            ["/", "/mnt", "/mnt/x"],
            [
                "/mnt/x is mounted, but neither /etc/fstab nor a unit does that at boot: Docker "
                "cannot wait for it"
            ],
        ),
    ],
    ids=["root file system", "data disk", "another name", "the mount point itself", "by hand"],
)
def test_the_report_names_the_mounts(paths, in_fstab, mounted, said):
    assert docker.notes(paths, in_fstab, mounted) == said


def test_the_mounts_of_the_host(replace):
    replace(_fstab, entries=lambda: [{"file": "/data"}, {"file": "none"}])
    replace(_host, read=lambda path: "22 27 0:21 / /with\\040space rw - xfs /dev/vdb rw\n")
    assert docker.mount_points() == (["/data"], ["/with space"])


def test_a_unit_that_mounts_counts_as_fstab_does(replace, tmp_path, monkeypatch):
    monkeypatch.setattr(docker, "_UNITS", (str(tmp_path),))
    (tmp_path / "systemd/system").mkdir(parents=True)
    (tmp_path / "systemd/system/mnt-my\\x2ddisk.mount").write_text("")
    line = "22 27 0:21 / /mnt/{} rw - xfs /dev/vdb rw\n"
    replace(_fstab, entries=lambda: [])
    replace(_host, read=lambda path: line.format("my-disk") + line.format("other"))
    assert docker.mount_points()[0] == ["/mnt/my-disk"]


def test_docker_never_starts_below_a_mount_point_that_is_empty(tmp_path):
    # A disk that was refused left /data on the root file system, and Docker began anew there.
    with pytest.raises(CommandExecutionError, match="is not mounted and .*/docker lies on it"):
        docker.insist(["/var/lib/docker", f"{tmp_path}/docker"], str(tmp_path))
    docker.insist(["/var/lib/docker"], str(tmp_path))
    docker.insist(["/proc/docker"], "/proc")


@pytest.fixture
def put(tmp_path, replace):
    """Puts a drop-in below tmp_path; gives its path and the reloads."""
    reloads = []
    replace(_docker_service, reload=lambda: reloads.append(1), loaded=lambda path, there: True)
    return str(tmp_path / "docker.service.d/x.conf"), reloads


def test_a_drop_in_is_written_and_taken_away(put):
    path, reloads = put
    docker.put(path, NEW)
    assert docker.look(path) == {"text": NEW, "loaded": True} and _host.read(path) == NEW
    for _ in range(2):
        docker.put(path, None)
        assert docker.look(path)["text"] is None
    assert len(reloads) == 3
