"""The guards are exercised through _thinpool_plan, case by case; here is what cases cannot say."""

import pytest

import _thinpool_refusals

ROW = {"vg_name": "docker", "lv_name": "thinpool", "lv_attr": "twi-a-t---", "segtype": "thin-pool"}


@pytest.mark.parametrize("attributes", ["twi-a-t---", "twi---t---", "twi-aot---"])
def test_a_healthy_pool_is_let_through(attributes):
    assert _thinpool_refusals.pool({**ROW, "lv_attr": attributes}, stray=False) is None


@pytest.mark.parametrize("letter", "FMDpX")
def test_a_sick_pool_is_never_repaired_by_itself_and_says_how(letter):
    answer = _thinpool_refusals.pool({**ROW, "lv_attr": f"twi-a-t-{letter}-"}, stray=False)
    assert answer["state"] == "P12" and answer["advice"] and "{" not in answer["advice"]


def test_a_stray_metadata_volume_matters_more_than_health():
    assert _thinpool_refusals.pool({**ROW, "lv_attr": "twi-a-t-F-"}, stray=True)["state"] == "P8x"


def test_a_tag_that_only_begins_like_ours_is_not_ours():
    group = {"vg_name": "docker", "vg_attr": "wz--n-", "vg_tags": "mark2,x"}
    assert _thinpool_refusals.group([group], ["/dev/vdc1"], True, False, "mark")["state"] == "P5x"
    group["vg_tags"] = "x,mark"
    assert _thinpool_refusals.group([group], ["/dev/vdc1"], True, False, "mark") is None
