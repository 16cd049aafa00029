"""The label `quay.expires-after` of an image, and the end that it gives a tag."""

import datetime
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.expiry_labels import BUILD, PUSH, Expiration, Lifetime, expiration, of_config, of_image, of_index
from chalicelib.domain.tags import FOREVER

NOW = 1_700_000_000
DAY = 86400


@pytest.mark.parametrize("holder", ["config", "container_config"])
def test_the_expiry_label_of_a_config_is_found(holder: str) -> None:
    assert of_config(json.dumps({holder: {"Labels": {"quay.expires-after": "2w"}}}).encode()).label == "2w"


def test_the_images_own_label_precedes_that_of_the_container_it_was_built_in() -> None:
    both = {
        name: {"Labels": {"quay.expires-after": label}}
        for name, label in (("container_config", "1d"), ("config", "2d"))
    }

    assert of_config(json.dumps(both).encode()).label == "2d"


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        1,
        None,
        "x",
        {"config": None},
        {"config": []},
        {"config": {"Labels": None}},
        {"config": {"Labels": ["a"]}},
        {"config": {"Labels": {}}},
        {"config": {"Labels": {"quay.expires-after": 1}}},
        {"Labels": {"quay.expires-after": "1d"}},
    ],
)
def test_a_config_without_the_label_has_no_lifetime(document: object) -> None:
    assert of_config(json.dumps(document).encode()) == Lifetime()


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"{", b"[" * 100_000, b'{"quay.expires-after": ' + b"1" * 5000 + b"}", b"\x1f\x8b" + bytes(99)],
)
def test_a_blob_that_is_no_config_has_no_label(content: bytes) -> None:
    """Every blob that contains the label's name is parsed, whatever it is."""
    assert of_config(content) == Lifetime()


@pytest.mark.parametrize(
    ("created", "seconds"),
    [
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T22:13:20.123456789Z", NOW),
        ("2023-11-15T00:13:20+02:00", NOW),
        ("1970-01-01T00:00:00Z", 0),
        ("yesterday", None),
        ("2023-13-14T22:13:20Z", None),
        (5, None),
        (None, None),
    ],
)
def test_the_config_says_when_an_image_was_built(created: object, seconds: int | None) -> None:
    config = {"created": created, "config": {"Labels": {"quay.expires-after": "2w"}}}

    assert of_config(json.dumps(config).encode()) == Lifetime("2w", seconds)


def test_a_manifests_annotation_precedes_the_label_of_its_config() -> None:
    assert of_image({"quay.expires-after": "1d"}, Lifetime("2d", 5)) == Lifetime("1d", 5)
    assert of_image({}, Lifetime("2d", 5)) == Lifetime("2d", 5)
    assert of_image({"other": "1d"}, Lifetime()) == Lifetime()


@pytest.mark.parametrize(
    ("children", "label"),
    [
        ([Lifetime("1d"), Lifetime("1d")], "1d"),
        ([Lifetime("1d"), Lifetime()], "1d"),
        ([Lifetime("1d"), Lifetime("2d")], None),
        ([Lifetime()], None),
        ([], None),
    ],
    ids=["agreed", "an attestation says nothing", "they differ", "none says anything", "no children"],
)
def test_an_index_has_the_label_on_which_its_labelled_children_agree(
    children: list[Lifetime], label: str | None
) -> None:
    assert of_index({}, children).label == label
    assert of_index({"quay.expires-after": "5h"}, children).label == "5h"


def test_an_index_was_built_when_its_last_child_was_built() -> None:
    assert of_index({}, [Lifetime("1d", 5), Lifetime("1d", 9), Lifetime(None, 99)]).built_at == 9


@pytest.mark.parametrize(
    ("built_at", "source", "end"),
    [
        (None, PUSH, NOW + DAY),
        (NOW - 100, PUSH, NOW + DAY),
        (NOW - 100, BUILD, NOW - 100 + DAY),
        (None, BUILD, NOW + DAY),
        (0, BUILD, NOW + DAY),
        (NOW + 100, BUILD, NOW + DAY),
    ],
)
def test_a_label_counts_from_the_push_or_from_the_build(built_at: int | None, source: str, end: int) -> None:
    assert expiration(Lifetime("1d", built_at), NOW, source) == Expiration(end)


def test_an_image_whose_label_has_run_out_ends_at_once_with_a_warning() -> None:
    found = expiration(Lifetime("1d", NOW - 2 * DAY), NOW, BUILD)

    assert found.end == NOW
    assert "had run out" in found.warning


@pytest.mark.parametrize("label", ["", "0d", "1.5h", "-1h", "+2d", "1_0h", "2 days", "999999999y", "9" * 99 + "d"])
def test_a_malformed_label_warns_with_its_value_and_ends_nothing(label: str) -> None:
    found = expiration(Lifetime(label), NOW)

    assert found.end is None
    assert found.warning.startswith(f"quay.expires-after={label[:60]}")


@given(st.text(max_size=90))
def test_a_warning_fits_into_a_header(label: str) -> None:
    found = expiration(Lifetime(label, None), NOW)

    assert found.warning.isascii()
    assert found.warning.isprintable()
    assert not {'"', "\\"} & set(found.warning)
    assert found.end is None or NOW < found.end < FOREVER
    assert datetime.datetime.fromtimestamp(found.end or 0, datetime.UTC)


@pytest.mark.parametrize("label", ["never", "Never", " never "])
@pytest.mark.parametrize("source", [PUSH, BUILD])
def test_a_label_that_says_never_gives_no_end_and_no_warning(label: str, source: str) -> None:
    assert expiration(Lifetime(label, 1), 1000, source) == Expiration()


def test_a_childs_label_that_says_never_counts_in_an_index() -> None:
    assert of_index({}, [Lifetime("never"), Lifetime("2w")]).label is None
    assert expiration(of_index({"quay.expires-after": "never"}, [Lifetime("2w")]), 1000) == Expiration()
