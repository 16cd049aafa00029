"""Labels: what may be added, and what came with an image."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.labels import JSON, LONGEST_VALUE, MANIFEST, PLAIN, NewLabel, kind_of, of_image

DIGEST = Digest.of(b"x")


@pytest.mark.parametrize("key", ["a", "a.b-c", "quay.expires-after", "x" * 255])
def test_keys_that_may_be_added(key: str) -> None:
    NewLabel(key, "").check()


@pytest.mark.parametrize(
    "key", ["", "A", "a..b", "a.-b", ".a", "a-", "a b", "x" * 256, "a\n", "quay.x", "io.kubernetes.x", "internal"]
)
def test_keys_that_may_not(key: str) -> None:
    with pytest.raises(FieldInvalid, match="key"):
        NewLabel(key, "v").check()


def test_what_else_is_refused() -> None:
    with pytest.raises(FieldInvalid, match="value"):
        NewLabel("a", "x" * (LONGEST_VALUE + 1)).check()
    with pytest.raises(FieldInvalid, match="media_type"):
        NewLabel("a", "x", "text/html").check()


def test_a_value_says_what_it_is_unless_somebody_does() -> None:
    assert [kind_of(value) for value in ("{}", "[1]", "{", "7", "", "[" * 100_000)] == [JSON, JSON, *[PLAIN] * 4]
    assert (NewLabel("a", "{}").kind, NewLabel("a", "{}", PLAIN).kind) == (JSON, PLAIN)


@pytest.mark.parametrize("value", ["", "0h", "1.5h", "never", "-1h", "999999999y", "1000000000000d"])
def test_a_life_that_cannot_be_is_refused(value: str) -> None:
    with pytest.raises(FieldInvalid, match="value"):
        NewLabel("quay.expires-after", value).life_s(1)


def test_only_one_key_is_about_lives() -> None:
    assert (NewLabel("quay.expires-after", "2h").life_s(1), NewLabel("a", "2h").life_s(1)) == (7200, None)


def test_the_labels_of_an_image_keep_their_ids() -> None:
    found = of_image(DIGEST, {"a": "config", "b": "{}"}, {"a": "annotation"})

    assert [(one.key, one.value, one.source, one.media_type) for one in found] == [
        ("a", "annotation", MANIFEST, PLAIN),
        ("b", "{}", MANIFEST, JSON),
    ]
    assert [one.id for one in found] == [one.id for one in of_image(DIGEST, {"a": "x", "b": "y"}, {})]
    assert {one.id for one in found}.isdisjoint(one.id for one in of_image(Digest.of(b"y"), {"a": "", "b": ""}, {}))
