import pytest

import _disk_marks


@pytest.mark.parametrize("mark", [_disk_marks.DATA, _disk_marks.POOL])
def test_one_name_while_it_is_made_and_one_from_then_on(mark):
    making = _disk_marks.making(mark)
    assert (_disk_marks.of(making), _disk_marks.finished(making)) == (mark, False)
    assert (_disk_marks.of(mark), _disk_marks.finished(mark)) == (mark, True)
    # A GPT holds no longer one.
    assert len(making) <= 36


@pytest.mark.parametrize("label", [None, "", "photos", "rancher-data-newer", "rancher"])
def test_a_foreign_name(label):
    assert _disk_marks.of(label) is None
    assert not _disk_marks.finished(label)


def test_what_the_tree_made_before_counts_as_finished():
    assert _disk_marks.finished("rancher-data") and _disk_marks.finished("rancher-docker-pool")
