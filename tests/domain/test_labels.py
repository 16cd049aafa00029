"""Labels: which may be added, and which came with an image."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.labels import JSON, LONGEST_VALUE, MANIFEST, PLAIN, NewLabel, kind_of, of_image

DIGEST = Digest.of(b"x")


@pytest.mark.parametrize("key", ["a", "a.b-c", "quay.expires-after", "x" * 255])
def test_a_valid_key_may_be_added(key: str) -> None:
    NewLabel(key, "").check()


@pytest.mark.parametrize(
    "key", ["", "A", "a..b", "a.-b", ".a", "a-", "a b", "x" * 256, "a\n", "quay.x", "io.kubernetes.x", "internal"]
)
def test_an_invalid_or_reserved_key_is_refused(key: str) -> None:
    with pytest.raises(FieldInvalid, match="key"):
        NewLabel(key, "v").check()


def test_a_long_value_and_an_unknown_media_type_are_refused() -> None:
    with pytest.raises(FieldInvalid, match="value"):
        NewLabel("a", "x" * (LONGEST_VALUE + 1)).check()
    with pytest.raises(FieldInvalid, match="media_type"):
        NewLabel("a", "x", "text/html").check()


def test_the_value_decides_the_media_type_unless_one_is_given() -> None:
    assert [kind_of(value) for value in ("{}", "[1]", "{", "7", "", "[" * 100_000)] == [JSON, JSON, *[PLAIN] * 4]
    assert (NewLabel("a", "{}").kind, NewLabel("a", "{}", PLAIN).kind) == (JSON, PLAIN)


@pytest.mark.parametrize("value", ["", "0h", "1.5h", "never", "-1h", "999999999y", "1000000000000d"])
def test_an_impossible_life_is_refused(value: str) -> None:
    with pytest.raises(FieldInvalid, match="value"):
        NewLabel("quay.expires-after", value).life_s(1)


def test_only_one_key_states_a_life() -> None:
    assert (NewLabel("quay.expires-after", "2h").life_s(1), NewLabel("a", "2h").life_s(1)) == (7200, None)


def test_the_labels_of_an_image_keep_their_ids() -> None:
    found = of_image(DIGEST, {"a": "config", "b": "{}"}, {"a": "annotation"})

    assert [(one.key, one.value, one.source, one.media_type) for one in found] == [
        ("a", "annotation", MANIFEST, PLAIN),
        ("b", "{}", MANIFEST, JSON),
    ]
    assert [one.id for one in found] == [one.id for one in of_image(DIGEST, {"a": "x", "b": "y"}, {})]
    assert {one.id for one in found}.isdisjoint(one.id for one in of_image(Digest.of(b"y"), {"a": "", "b": ""}, {}))
