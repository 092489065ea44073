"""The demonstration ends with a reason when the host is not what it promises."""

import pytest
from lab import demo


class Host:
    """A lab whose guest answers every command alike."""

    def __init__(self, code, out):
        self.guest = self
        self.answer = (code, out, "")

    def ssh(self, command, timeout):
        return self.answer


def _state(name, changes):
    return {"__id__": name, "changes": changes, "result": True}


def test_a_second_run_that_changes_something_is_named():
    report = {"a": _state("swap-active", {"size": {"old": 1, "new": 2}}), "b": _state("other", {})}
    with pytest.raises(demo.Broken, match="the second run changed swap-active"):
        demo.expect_no_change(report, "the second run")


def test_a_quiet_run_passes():
    demo.expect_no_change({"a": _state("swap-active", {})}, "the second run")


@pytest.mark.parametrize(
    ("code", "out", "reason"),
    [(0, "Storage Driver: overlay2", "no 'devicemapper'"), (1, "devicemapper", "exit code 1")],
)
def test_a_host_that_is_not_as_promised_is_named(code, out, reason):
    with pytest.raises(demo.Broken, match=reason):
        demo.run_on_host(Host(code, out), "docker info", ["devicemapper"])


def test_output_is_shown(capsys):
    demo.run_on_host(Host(0, "hello\n"), "docker run", ["hello"])
    assert capsys.readouterr().out == "\n# docker run\nhello\n"
