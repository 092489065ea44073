import pytest
import yaml
from fakes import ROOT
from salt.exceptions import CommandExecutionError

import _docker_storage as docker
import _host
import _thinpool

CASES = yaml.safe_load((ROOT / "tests/unit/cases/docker_storage.yaml").read_text())
PATH = "/dev/mapper/docker-thinpool"


def cases(kind):
    return pytest.mark.parametrize("case", CASES[kind], ids=lambda case: case["name"])


@cases("pools")
def test_the_status_of_a_pool(case):
    if "refusal" in case:
        with pytest.raises(CommandExecutionError, match=case["refusal"]):
            docker.parse_pool(case["text"])
    else:
        assert docker.parse_pool(case["text"]) == case["pool"]


@cases("data")
def test_data_that_a_driver_would_not_see(case, tmp_path):
    for name in case["tree"]:
        path = tmp_path / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if name.endswith("deviceset-metadata"):
            path.write_text(
                '{"next_device_id":2,"BaseDeviceUUID":"aa","BaseDeviceFilesystem":"xfs"}'
            )
        elif not name.endswith("/"):
            path.write_text("")
    seen = docker.status(str(tmp_path))
    pool = case.get("pool") and {"path": PATH, **case["pool"]}
    found = docker.refusal(case["driver"], str(tmp_path), seen, case.get("needs_pool", False), pool)
    if "refusal" in case:
        assert found.startswith(case["refusal"].replace("ROOT", str(tmp_path)))
        assert "nothing was changed" in found and "\n" not in found
    else:
        assert found is None


def test_a_directory_that_cannot_be_read_is_not_empty(tmp_path):
    (tmp_path / "docker").write_text("")
    with pytest.raises(CommandExecutionError, match="could not be read"):
        docker.status(str(tmp_path / "docker"))


def test_metadata_that_is_garbage_is_not_absent(tmp_path):
    folder = tmp_path / "devicemapper/metadata"
    folder.mkdir(parents=True)
    (folder / "deviceset-metadata").write_text("{")
    with pytest.raises(CommandExecutionError, match="is not what Docker writes"):
        docker.status(str(tmp_path))


@pytest.fixture
def there(monkeypatch):
    """Only these paths exist."""

    def only(*paths):
        monkeypatch.setattr(docker.os.path, "exists", lambda path: path in paths)

    return only


def test_the_kernel_is_asked_about_a_pool(there, replace):
    def run(argv, timeout=60, accept=(0,)):
        assert argv == ["dmsetup", "status", "docker-thinpool-tpool"]
        return {"stdout": "0 8 thin-pool 3 4/8 5/8 - rw"}

    there(PATH, f"{PATH}-tpool")
    replace(_host, run=run)
    found = docker.pool("docker", "thinpool")
    assert found == {"path": PATH, "transaction_id": 3, "used": 5}


def test_a_pool_that_lvm_knows_may_be_inactive(there, replace):
    there()
    replace(_host, tool=lambda name: f"/sbin/{name}")
    replace(_thinpool, status=lambda group, name: {"active": False})
    found = docker.pool("docker", "thinpool")
    assert found == {"path": PATH, "transaction_id": None, "used": None}


def test_there_is_no_pool_where_there_is_no_lvm(there, replace):
    there()
    replace(_host, tool=lambda name: None)
    assert docker.pool("docker", "thinpool") is None
