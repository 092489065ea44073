import pytest
import yaml
from fakes import ROOT
from salt.exceptions import CommandExecutionError

import _host
import _lvm

CASES = yaml.safe_load((ROOT / "tests/unit/cases/thinpool.yaml").read_text())


def test_a_report_is_read():
    fields = ["vg_name", "lv_name", "lv_size", "lv_profile"]
    rows = _lvm.parse("  docker|thinpool|17175674880|\n\n", fields)
    assert rows == [
        {"vg_name": "docker", "lv_name": "thinpool", "lv_size": 17175674880, "lv_profile": ""}
    ]


def test_a_size_that_does_not_apply_is_nought():
    assert _lvm.parse("  a|\n", ["lv_name", "chunk_size"])[0]["chunk_size"] == 0


@pytest.mark.parametrize(
    "text", ["garbage", "a|b|c", "a|12g", "a|-1", '{"report": [', "a|١٢"], ids=repr
)
def test_what_is_not_understood_is_not_taken_for_nothing(text):
    with pytest.raises(CommandExecutionError, match="LVM answered"):
        _lvm.parse(text, ["lv_name", "lv_size"])


@pytest.mark.parametrize("name", CASES["versions"])
def test_version(name):
    case = CASES["versions"][name]
    assert _lvm.parse_version(case["says"]) == case["version"]


def test_a_version_that_is_not_understood():
    with pytest.raises(CommandExecutionError, match="not understood"):
        _lvm.parse_version("Segmentation fault")


@pytest.mark.parametrize("name", CASES["doubts"])
def test_warnings_that_make_the_lists_doubtful(name):
    lines = CASES["doubts"][name]
    assert len(_lvm.doubts("\n".join(lines + lines))) == len(lines)


@pytest.mark.parametrize("line", CASES["harmless"])
def test_warnings_that_do_not(line):
    assert _lvm.doubts(line) == []


@pytest.fixture
def lvm(monkeypatch):
    """An LVM that answers so; gives the list of what it is asked."""

    def answering(answers, version="2.03.16", tools=("lvm",), device=None):
        asked = []

        def run(argv, timeout=60, accept=(0,)):
            asked.append(argv)
            if argv[:2] == ["lvm", "version"]:
                return {"retcode": 0, "stdout": f"LVM version: {version}(2)", "stderr": ""}
            if argv[0] == "dmsetup":
                assert accept == (0, 1)
                return {"retcode": 0 if device else 1, "stdout": device or "", "stderr": ""}
            stdout, stderr = answers[argv[0]]
            return {"retcode": 0, "stdout": stdout, "stderr": stderr}

        monkeypatch.setattr(_host, "run", run)
        monkeypatch.setattr(_host, "tool", lambda name: name in tools or None)
        return asked

    return answering


def test_everything_is_listed_once_and_hidden_volumes_too(lvm):
    part = "docker|[thinpool_tdata]|Twi-ao----|8388608|linear|{}|||||||0"
    lines = [part.format("/dev/vdc1:0-0"), part.format("/dev/vdd1:0-0")]
    asked = lvm(
        {
            "pvs": ("  /dev/null|uuid|docker|a--|8388608|1048576|12582912\n", ""),
            "vgs": (
                "  docker|uuid|wz--n-|a,b|4194304|2|0\n",
                "  WARNING: VG docker is missing PV x.",
            ),
            "lvs": ("\n".join(lines), ""),
        }
    )
    seen = _lvm.look()
    assert seen["pvs"][0]["path"] == "/dev/null"
    assert [row["seg_pe_ranges"] for row in seen["lvs"]] == ["/dev/vdc1:0-0 /dev/vdd1:0-0"]
    assert seen["doubts"] == ["VG docker is missing PV x."]
    assert all("--nohints" in argv for argv in asked[1:])
    assert "--all" in asked[3]


def test_every_question_brings_its_own_settings(lvm):
    asked = lvm(dict.fromkeys(("pvs", "vgs", "lvs"), ("", "")))
    _lvm.look()
    assert len(asked) == 4
    assert all(argv[argv.index("--config") + 1] == _lvm.SETTINGS for argv in asked)


def test_a_failure_is_told_without_our_settings(monkeypatch):
    monkeypatch.setattr(_lvm, "SETTINGS", _lvm.SETTINGS + "'")
    monkeypatch.setattr(_host, "_search_path", lambda: "/nowhere")
    with pytest.raises(CommandExecutionError) as caught:
        _lvm.ask(["pvs", "--all"])
    assert str(caught.value) == "pvs is not installed, needed for `pvs --all`"


def test_an_old_lvm_is_not_asked_for_what_it_does_not_know(lvm):
    asked = lvm(dict.fromkeys(("pvs", "vgs", "lvs"), ("", "")), "2.02.130")
    assert _lvm.look()["version"] == [2, 2, 130]
    assert not any("--nohints" in argv for argv in asked)


def test_without_lvm_nothing_is_asked(lvm):
    asked = lvm({}, tools=())
    assert _lvm.look() == {"version": None, "pvs": [], "vgs": [], "lvs": [], "doubts": []}
    assert not asked


@pytest.mark.parametrize("prefix", ["  ", "lvm says: "])
def test_a_hint_on_stdout_is_no_row(lvm, prefix):
    text = (
        f"{prefix}Consider pruning docker VG archive with more then 15 MiB in 8203 files (check).\n"
    )
    lvm({tool: (text + rows, "") for tool, rows in WHOLE.items()})
    assert [len(_lvm.look()[kind]) for kind in (*WHOLE, "doubts")] == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("row", "doubted"),
    [
        ("docker|a--|8388608|1048576|9437184", False),
        ("docker|a--|8388608|1048576|9437183", True),
        ("|---|8388608|1048576|8388608", False),
        ("|---|8388608|1048576|8388096", True),
    ],
)
def test_a_volume_that_reaches_past_its_device(lvm, row, doubted):
    # Seen on a disk that shrank, with an LVM too old to warn of it.
    texts = {**WHOLE, "pvs": f"/dev/vdc1|uuid|{row}\n"}
    if row.startswith("|"):
        texts.update(vgs="", lvs="")
    lvm({tool: (text, "") for tool, text in texts.items()})
    assert ["PV /dev/vdc1 reaches to " in doubt for doubt in _lvm.look()["doubts"]] == (
        [True] if doubted else []
    )


WHOLE = {
    "pvs": "  /dev/vdc1|uuid|docker|a--|8388608|1048576|9437184\n",
    "vgs": "  docker|uuid|wz--n-|a|4194304|2|1\n",
    "lvs": "  docker|thinpool|-wi-------|4194304|linear|/dev/vdc1:0-0|||||||0\n",
}


def test_three_listings_that_agree(lvm):
    lvm({tool: (text, "") for tool, text in WHOLE.items()})
    assert [len(_lvm.look()[kind]) for kind in WHOLE] == [1, 1, 1]


@pytest.mark.parametrize("tool", WHOLE)
def test_a_listing_that_leaves_out_what_another_names_is_not_believed(lvm, tool):
    # An empty pvs ended in a StopIteration, an empty lvs as an empty volume group.
    lvm({name: (text * (name != tool), "") for name, text in WHOLE.items()})
    with pytest.raises(CommandExecutionError, match=f"`{tool}` leaves out what .* names: "):
        _lvm.look()


def test_half_of_the_volumes_is_not_believed(lvm):
    # The other volume would have been made once more; only LVM itself was in the way.
    short = {**WHOLE, "vgs": WHOLE["vgs"].replace("|2|1", "|2|0")}
    lvm({tool: (text, "") for tool, text in short.items()})
    with pytest.raises(CommandExecutionError, match="`lvs` leaves out what `vgs` names: docker"):
        _lvm.look()


@pytest.mark.parametrize(
    ("device", "told"),
    [
        ("---w|0\n", "d-"),
        ("---r|0\n", "d-"),
        ("---w|1\n", "XX"),
        ("-I-w|0\n", "XX"),
        ("L--w|0\n", "XX"),
        ("--sw|0\n", "XX"),
        ("---w|0\n---w|0\n", "XX"),
        ("garbage", "XX"),
        ("", "XX"),
        (None, "XX"),
    ],
)
def test_a_device_without_a_table_is_told_from_one_that_cannot_be_asked(lvm, device, told):
    # A kill while lvconvert made it left a pool that was refused for ever.
    texts = {**WHOLE, "lvs": WHOLE["lvs"].replace("thinpool|-wi---", "thin-pool|-wi-XX")}
    asked = lvm({k: (text, "") for k, text in texts.items()}, device=device)
    assert _lvm.look()["lvs"][0]["lv_attr"] == f"-wi-{told}----"
    assert asked[-1][0] == "dmsetup" and asked[-1][-1] == "docker-thin--pool"


@pytest.mark.parametrize("tool", WHOLE)
def test_a_line_that_is_not_understood_names_its_tool(lvm, tool):
    texts = {**WHOLE, tool: "<html>\n"}
    lvm({name: (text, "") for name, text in texts.items()})
    with pytest.raises(CommandExecutionError, match=f"`{tool}`: LVM answered a line"):
        _lvm.look()


@pytest.mark.parametrize(
    ("group", "name", "path"),
    [
        ("docker", "thinpool", "/dev/mapper/docker-thinpool"),
        ("vg-docker", "thin-pool", "/dev/mapper/vg--docker-thin--pool"),
    ],
)
def test_hyphens_double_in_the_device_mapper(group, name, path):
    assert _lvm.device(group, name) == path
