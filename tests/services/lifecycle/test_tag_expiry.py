"""The expiry of a tag is recorded once, whether the TTL service or the timer comes first, and however often."""

from collections.abc import Callable

import pytest

from chalicelib.domain.timers import Due
from chalicelib.storage import keys
from chalicelib.storage.registry.tags import TagRow
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import push_image
from tests.support.crashes import crash_everywhere
from tests.support.rows import due_at, events, remove, repository_of, rows_like
from tests.support.sweeping import WINDOW_S, advance_clock, delete_tag, sweep

TWO_HOURS = {"quay.expires-after": "2h"}


def target(backend: Backend, tag: str = "v1", repository: str = "admin/app") -> str:
    """Returns the target of the timer of a tag's first life."""
    identifier = repository_of(backend, repository).id
    life = rows_like(backend, f"R#{identifier}", f"LIFE#{tag}#")[0]
    return keys.tag_target(identifier, tag, life["view_at"])


def expire(backend: Backend, what: str) -> object:
    return backend.services.lifecycle.tag_expiry.work(Due("expiry", what, 0), lambda: True)


def test_an_expired_tag_is_recorded_and_removed(backend: Backend) -> None:
    manifest = push_image(backend, "v1", labels=TWO_HOURS)
    end = due_at("expiry", target(backend))
    advance_clock(backend, 7200 + 1)
    sweep(backend)

    (record,) = events(backend, "tag_expired")
    assert (record["at"], record["performer"]) == (end, "")
    assert f'"manifest_digest":"{manifest.digest}"' in record["metadata"]
    assert rows_like(backend, "R#", "TAG#") == []
    identifier = repository_of(backend).id
    assert due_at("garbage", keys.manifest_target(identifier, manifest.digest)) == (end or 0) + WINDOW_S
    invariants.check(backend)


def test_a_timer_that_is_early_is_moved_to_the_expiry(backend: Backend) -> None:
    push_image(backend, "v1", labels=TWO_HOURS)
    again = expire(backend, target(backend))

    assert again is not None
    assert events(backend, "tag_expired") == []


@pytest.mark.parametrize("has_ttl_come", [True, False], ids=["TTL was first", "the timer was first"])
def test_an_expiry_is_recorded_once(backend: Backend, has_ttl_come: bool) -> None:
    push_image(backend, "v1", labels=TWO_HOURS)
    what = target(backend)
    advance_clock(backend, 7200 + 1)
    if has_ttl_come:
        remove(TagRow, keys.tag(repository_of(backend).id, "v1"))
    for _ in range(3):
        assert expire(backend, what) is None

    assert len(events(backend, "tag_expired")) == 1
    invariants.check(backend)


def test_a_tag_that_was_deleted_before_its_expiry_did_not_expire(backend: Backend) -> None:
    push_image(backend, "v1", labels=TWO_HOURS)
    delete_tag(backend, "v1")
    advance_clock(backend, 7200 + 1)
    sweep(backend)

    assert events(backend, "tag_expired") == []


def test_a_tag_that_was_pushed_again_after_its_expiry_stays_and_the_old_life_is_recorded(backend: Backend) -> None:
    push_image(backend, "v1", labels=TWO_HOURS)
    advance_clock(backend, 7200 + 1)
    push_image(backend, "v1")
    sweep(backend)

    assert len(events(backend, "tag_expired")) == 1
    assert len(rows_like(backend, "R#", "TAG#v1")) == 1
    invariants.check(backend)


def test_a_timer_for_an_unknown_life_is_done(backend: Backend) -> None:
    push_image(backend, "v1")

    assert expire(backend, keys.tag_target(repository_of(backend).id, "v1", "0" * 26)) is None
    with pytest.raises(ValueError, match="not the target of an expiry timer"):
        expire(backend, "UP#x")


def test_an_expiry_recovers_from_a_crash_at_any_call(backend: Backend) -> None:
    rounds = 0

    def prepare(number: int) -> Callable[[], object]:
        nonlocal rounds
        rounds = number
        push_image(backend, "v1", repository=f"admin/round{number}", labels=TWO_HOURS)
        what = target(backend, repository=f"admin/round{number}")
        advance_clock(backend, 7200 + 1)
        return lambda: expire(backend, what)

    assert crash_everywhere(backend, prepare) >= 1
    assert len(events(backend, "tag_expired")) == rounds
