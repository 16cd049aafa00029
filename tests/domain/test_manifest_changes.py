"""What a push, a tag or a deletion means for how long a manifest is kept."""

import pytest

from chalicelib.domain.manifest_changes import Retained, after_deletion, after_push, after_tag, is_retained
from chalicelib.domain.tags import FOREVER

NOW, LEASE_END = 1000, 4600


def test_a_first_push_with_a_tag_keeps_a_manifest_as_long_as_the_tag() -> None:
    assert after_push(None, NOW, 2000, LEASE_END) == Retained(NOW, live_until=2000)


def test_an_untagged_push_gives_a_lease_and_leaves_the_tags_ends() -> None:
    stored = Retained(10, live_until=2000, leased_until=500)

    assert after_push(None, NOW, None, LEASE_END) == Retained(NOW, leased_until=LEASE_END)
    assert after_push(stored, NOW, None, LEASE_END) == Retained(10, 2000, LEASE_END)


def test_a_tagged_push_leaves_the_lease_of_somebody_else_and_the_later_end_of_another_tag() -> None:
    stored = Retained(10, live_until=3000, leased_until=1500)

    assert after_push(stored, NOW, 2000, LEASE_END) == stored
    assert after_push(stored, NOW, 4000, LEASE_END) == Retained(10, 4000, 1500)


def test_a_push_brings_a_deleted_manifest_back() -> None:
    deleted = after_deletion(Retained(10, live_until=2000), 500)

    assert after_push(deleted, NOW, 2000, LEASE_END).deleted_at is None


def test_a_tag_brings_a_deleted_manifest_back() -> None:
    deleted = Retained(10, live_until=500, leased_until=500, deleted_at=500)

    assert after_tag(deleted, 2000) == Retained(10, 2000, 500)


def test_a_deletion_ends_tags_and_lease_now_unless_the_last_tag_ended_before() -> None:
    assert after_deletion(Retained(10, live_until=2000, leased_until=3000), NOW) == Retained(10, NOW, NOW, NOW)
    assert after_deletion(Retained(10, live_until=700), NOW) == Retained(10, 700, NOW, NOW)
    assert after_deletion(Retained(10), NOW) == Retained(10, NOW, NOW, NOW)


@pytest.mark.parametrize(
    ("retained", "is_kept"),
    [
        (Retained(1), False),
        (Retained(1, live_until=FOREVER), True),
        (Retained(1, live_until=901), True),
        (Retained(1, live_until=900), False),
        (Retained(1, leased_until=1001), True),
        (Retained(1, leased_until=1000), False),
        (Retained(1, live_until=1000, leased_until=1000, deleted_at=1000), True),
    ],
)
def test_a_manifest_is_retained_by_its_tags_until_the_window_closes_and_by_a_lease(
    retained: Retained, is_kept: bool
) -> None:
    assert is_retained(retained, 1000, 100) is is_kept
