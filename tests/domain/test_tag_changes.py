"""What a push or a change means for a tag."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.tag_changes import (
    ExpirationBounds,
    TagState,
    TagUpdate,
    begins_again,
    ends_earlier,
    immutability,
    latest_end,
    new_life,
)
from chalicelib.domain.tags import FOREVER

OLD, NEW = Digest.of(b"old"), Digest.of(b"new")
NOW = 1000


def a_tag(
    expires_at: int | None = None, *, immutable: bool = False, digest: Digest = OLD, started_at: int = 500
) -> TagState:
    return TagState(digest, started_at, expires_at, immutable)


def test_a_tag_is_alive_until_its_end() -> None:
    assert a_tag().is_alive(NOW)
    assert a_tag(NOW + 1).is_alive(NOW)
    assert not a_tag(NOW).is_alive(NOW)


def test_an_immutable_tag_may_not_change_while_it_is_alive() -> None:
    assert a_tag().may_change(NOW)
    assert not a_tag(immutable=True).may_change(NOW)
    assert a_tag(NOW, immutable=True).may_change(NOW)


def test_an_immutable_tag_may_be_pointed_to_the_manifest_that_it_names() -> None:
    assert a_tag(immutable=True).may_name(OLD, NOW)
    assert not a_tag(immutable=True).may_name(NEW, NOW)
    assert a_tag().may_name(NEW, NOW)


def test_a_tag_leaves_its_manifest_now_or_left_it_at_its_end() -> None:
    assert a_tag().left_at(NOW) == NOW
    assert a_tag(NOW + 1).left_at(NOW) == NOW
    assert a_tag(NOW - 1).left_at(NOW) == NOW - 1


@pytest.mark.parametrize(
    ("stored", "expires_at", "begins"),
    [
        (None, None, True),
        (a_tag(), None, True),
        (a_tag(2000), 2000, True),
        (a_tag(started_at=NOW), None, False),
        (a_tag(2000, started_at=NOW), 2000, False),
        (a_tag(started_at=NOW + 1), None, False),
        (a_tag(2000, started_at=NOW), None, True),
        (a_tag(2000), 2001, True),
        (a_tag(2000), None, True),
        (a_tag(NOW), NOW, True),
        (a_tag(digest=NEW), None, True),
    ],
)
def test_each_push_begins_a_new_life_unless_the_same_life_has_begun_within_this_second(
    stored: TagState | None, expires_at: int | None, begins: bool
) -> None:
    assert begins_again(stored, OLD, expires_at, NOW) is begins


def test_only_an_earlier_end_on_the_same_manifest_shortens_what_the_tag_keeps() -> None:
    assert ends_earlier(a_tag(), OLD, 2000)
    assert ends_earlier(a_tag(3000), OLD, 2000)
    assert not ends_earlier(a_tag(2000), OLD, 2000)
    assert not ends_earlier(a_tag(2000), OLD, None)
    assert not ends_earlier(a_tag(), NEW, 2000)


def test_a_new_tag_begins_now_with_its_end_and_is_mutable() -> None:
    assert new_life(None, NEW, 2000, NOW, is_covered=False) == (TagState(NEW, NOW, 2000), False)


@pytest.mark.parametrize(
    ("stored", "expires_at", "is_covered", "is_immutable", "by_policy"),
    [
        (None, None, True, True, True),
        (None, 2000, True, False, False),
        (a_tag(immutable=True), None, False, True, False),
        (a_tag(immutable=True), None, True, True, False),
        (a_tag(immutable=True), 2000, False, True, False),
        (a_tag(immutable=True, digest=NEW), None, False, False, False),
        (a_tag(NOW, immutable=True), None, False, False, False),
    ],
)
def test_a_tag_is_immutable_if_it_was_on_the_same_manifest_or_if_a_policy_covers_it_and_it_has_no_end(
    stored: TagState | None, expires_at: int | None, is_covered: bool, is_immutable: bool, by_policy: bool
) -> None:
    state, is_made_immutable = new_life(stored, OLD, expires_at, NOW, is_covered=is_covered)

    assert (state.immutable, is_made_immutable) == (is_immutable, by_policy)


def test_an_end_is_moved_within_the_bounds_from_the_beginning() -> None:
    bounds = ExpirationBounds(60, 3600)

    assert [bounds.end(end, 100) for end in (110, 200, 9999, None)] == [160, 200, 3700, None]


def test_an_update_refuses_an_end_that_has_passed() -> None:
    TagUpdate(sets_end=True, expires_at=NOW + 1).check(NOW)
    TagUpdate(sets_end=True).check(NOW)
    with pytest.raises(FieldInvalid, match="expiration"):
        TagUpdate(sets_end=True, expires_at=NOW).check(NOW)


def test_an_update_changes_immutability_only_where_it_says_so() -> None:
    for before in (True, False):
        stored = a_tag(immutable=before)
        assert immutability(stored, TagUpdate(), None, "v1") is before
        assert immutability(stored, TagUpdate(immutable=True), None, "v1")
        assert not immutability(stored, TagUpdate(immutable=False), 2000, "v1")


def test_a_tag_with_an_end_is_not_made_immutable() -> None:
    with pytest.raises(FieldInvalid, match="Cannot make tag 'v1' immutable"):
        immutability(a_tag(), TagUpdate(immutable=True), 2000, "v1")


def test_the_latest_end_counts_changes_before_edges_and_forgets_what_is_forgotten() -> None:
    edges = {"a": 10, "b": FOREVER}

    assert latest_end(edges, {}, ()) == FOREVER
    assert latest_end(edges, {"b": 20}, ()) == 20
    assert latest_end(edges, {"c": 30}, {"b", "c"}) == 10
    assert latest_end(edges, {}, edges) is None
