import pytest
import yaml
from fakes import ROOT

import _selinux_mode as module

CASES = yaml.safe_load((ROOT / "tests/unit/cases/selinux_mode.yaml").read_text())


def cases(name):
    return pytest.mark.parametrize("case", CASES[name].values(), ids=list(CASES[name]))


@cases("configs")
def test_the_mode_of_a_configuration(case):
    assert module._configured(case["text"]) == case["mode"]


@cases("configs")
def test_a_configuration_keeps_every_other_byte(case):
    changed = module._with_mode(case["text"], "permissive")
    assert changed == case["permissive"]
    assert module._configured(changed) == "permissive"


@cases("ignores_disabled")
def test_a_kernel_that_only_its_argument_switches_off(case):
    assert module._ignores_disabled(case["release"], case.get("config")) is case["answer"]


@pytest.mark.parametrize(
    ("text", "mode"), [(None, "disabled"), ("1", "enforcing"), ("0", "permissive")]
)
def test_the_running_mode(text, mode):
    assert module._running(text) == mode
