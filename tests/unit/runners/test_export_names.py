import hypothesis
import hypothesis.strategies as st
import pytest

import _export_names as names

TEXTS = st.text(max_size=80)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("web", "web"),
        ("My_App", "my-app"),
        ("-web-", "web"),
        ("1st", "x-1st"),
        ("a.b/c", "a-b-c"),
        ("übung", "bung"),
    ],
)
def test_valid(given, expected):
    assert names.valid(given) == expected


def test_a_long_name_keeps_its_difference():
    first, second = names.valid("a" * 80), names.valid("a" * 81)
    assert first != second
    assert len(first) == len(second) == names.LONGEST


@hypothesis.given(st.dictionaries(st.integers(), TEXTS, max_size=20))
def test_every_name_is_valid_and_there_is_no_collision(originals):
    known = names.Names(originals)
    made = [known.of(one) for one in originals]
    assert len(set(made)) == len(made)
    for one in made:
        assert len(one) <= 63
        assert one[0].isalpha() and one[-1].isalnum()
        assert set(one) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


@hypothesis.given(st.dictionaries(st.integers(), TEXTS, max_size=20), st.randoms())
def test_names_depend_on_no_order(originals, random):
    pairs = list(originals.items())
    random.shuffle(pairs)
    first, second = names.Names(originals), names.Names(dict(pairs))
    assert {one: first.of(one) for one in originals} == {one: second.of(one) for one in originals}


def test_who_is_valid_already_keeps_its_name():
    known = names.Names({"1s1": "My_App", "1s2": "my-app", "1s3": "my.app"})
    assert known.of("1s2") == "my-app"
    assert known.of("1s1") != known.of("1s3")
    assert [original for original, _ in known.changed()] == ["My_App", "my.app"]


def test_two_of_one_name_are_told_apart():
    known = names.Names({"1s1": "web", "1s2": "web"})
    assert {known.of("1s1"), known.of("1s2")} > {"web"}


def test_namespaces_that_kubernetes_keeps_for_itself():
    known = names.namespaces({1: "Default", 2: "kube-system", 3: "shop", 4: "rancher-default"})
    made = [known.of(one) for one in (1, 2, 3, 4)]
    assert made[1:] == ["rancher-kube-system", "shop", "rancher-default"]
    assert made[0] not in ("default", *made[1:])


@pytest.mark.parametrize(
    ("key", "fits"),
    [
        ("app", True),
        ("example.test/team", True),
        ("io.rancher.scheduler.affinity:host_label", False),
        ("has space", False),
        ("", False),
        ("Example.test/team", False),
        ("a" * 64, False),
    ],
)
def test_keys_of_labels(key, fits):
    assert names.is_label_key(key) is fits


@pytest.mark.parametrize(
    ("value", "fits"), [("", True), ("a_b.c-1", True), ("$9", False), ("-a", False), ("é", False)]
)
def test_values_of_labels(value, fits):
    assert names.is_label(value) is fits


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("PATH", True),
        ("a.b-c", True),
        ("1ST", False),
        ("a b", False),
        ("a=b", False),
        ("..x", False),
    ],
)
def test_names_of_variables(name, fits):
    assert names.is_variable(name) is fits


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("192.0.2.1", True),
        ("2001:db8::1", True),
        ("127.0.0.1", False),
        ("169.254.1.1", False),
        ("x", False),
    ],
)
def test_addresses_that_a_pod_may_reach(text, fits):
    assert (names.address(text) is not None) is fits
