"""A shorter window applies to earlier deletions too, and removes nothing that lives."""

import pytest

from chalicelib.domain.timers import WINDOW, Due, Later
from chalicelib.services.accounts.accounts import UserChanges
from chalicelib.services.accounts.organizations import OrganizationChanges
from chalicelib.services.lifecycle import window_changes
from chalicelib.storage import keys
from chalicelib.storage.timers import TimerRow
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import an_organization, push_image
from tests.support.rows import due_at, repository_of, rows_like
from tests.support.sweeping import WINDOW_S, advance_clock, content_keys, delete_tag, sweep

DAY_S = 86400


def shorten(backend: Backend, window_s: int) -> None:
    """Sets another window as the user."""
    backend.services.accounts.accounts.change(backend.signed_in("admin"), UserChanges(window_s=window_s))


def window_timer(backend: Backend) -> int | None:
    return due_at(WINDOW, keys.namespace_target(repository_of(backend).namespace_id))


def outlast_lease(backend: Backend) -> None:
    advance_clock(backend, backend.settings.lease_s + backend.settings.grace_s + 10)
    sweep(backend)


def test_without_a_window_deleted_manifests_are_freed_at_once_and_others_stay(backend: Backend) -> None:
    dead, alive = push_image(backend, "v1"), push_image(backend, "v2", labels={"is": "alive"})
    outlast_lease(backend)
    delete_tag(backend, "v1")
    sweep(backend)
    assert f"MAN#{dead.digest}" in content_keys(backend)

    shorten(backend, 0)
    for _ in range(3):
        outlast_lease(backend)

    kept = [key for key in content_keys(backend) if key.startswith("MAN#")]
    assert kept == [f"MAN#{alive.digest}"]
    assert window_timer(backend) is None
    invariants.check(backend)


def test_a_window_of_a_day_ends_a_day_after_the_deletion_and_not_after_the_change(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    target = keys.manifest_target(repository_of(backend).id, manifest.digest)
    delete_tag(backend, "v1")
    before = due_at("garbage", target)
    assert before is not None
    advance_clock(backend, DAY_S / 2)

    shorten(backend, DAY_S)
    sweep(backend)

    assert due_at("garbage", target) == before - WINDOW_S + DAY_S


def test_a_manifest_that_a_lease_kept_is_found_too(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    target = keys.manifest_target(repository_of(backend).id, manifest.digest)
    delete_tag(backend, "v1")
    at = due_at("garbage", target)
    (row,) = rows_like(backend, f"TIMER#garbage#{target}")
    lease = TimerRow.under(keys.timer("garbage", target), kind="garbage", target=target)
    lease.due, lease.due_at, lease.armed = row["due"], int(backend.clock()), row["armed"]
    lease.save()
    advance_clock(backend, 1)
    sweep(backend)
    assert due_at("garbage", target) == at

    shorten(backend, DAY_S)
    sweep(backend)

    assert due_at("garbage", target) == (at or 0) - WINDOW_S + DAY_S


def test_an_expired_tag_is_found_too(backend: Backend) -> None:
    manifest = push_image(backend, "v1", labels={"quay.expires-after": "2h"})
    target = keys.manifest_target(repository_of(backend).id, manifest.digest)
    advance_clock(backend, 7200 + 1)
    sweep(backend)
    before = due_at("garbage", target)

    shorten(backend, DAY_S)
    sweep(backend)

    assert due_at("garbage", target) == (before or 0) - WINDOW_S + DAY_S


def test_a_longer_or_equal_window_arms_no_timer(backend: Backend) -> None:
    push_image(backend, "v1")
    for window_s in (WINDOW_S, 2 * WINDOW_S):
        shorten(backend, window_s)
    assert window_timer(backend) is None


def test_a_shorter_window_of_an_organization_arms_a_walk(backend: Backend) -> None:
    an_organization(backend, "acme")
    (row,) = rows_like(backend, "NAME#acme")
    target = keys.namespace_target(row["id"])

    for window_s, is_armed in ((2 * WINDOW_S, False), (DAY_S, True)):
        backend.services.accounts.organizations.change(
            backend.signed_in("admin"), "acme", OrganizationChanges(window_s=window_s)
        )
        assert (due_at(WINDOW, target) is not None) is is_armed


def test_two_walks_continue_page_by_page(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_changes, "PAGE", 2)
    manifests = [push_image(backend, f"v{number}", labels={"n": str(number)}) for number in range(5)]
    for number in range(5):
        delete_tag(backend, f"v{number}")
    shorten(backend, DAY_S)
    due = Due(WINDOW, keys.namespace_target(repository_of(backend).namespace_id), 0)
    turns = 0
    while True:
        allowed = iter([True, False])
        answer = backend.services.lifecycle.window_changes.work(due, lambda allowed=allowed: next(allowed))  # type: ignore[misc]
        turns += 1
        if answer is None:
            break
        assert isinstance(answer, Later)
        due = Due(WINDOW, due.target, answer.at, answer.place)

    ends = [due_at("garbage", keys.manifest_target(repository_of(backend).id, made.digest)) for made in manifests]
    assert all(end is not None and end <= backend.clock() + DAY_S for end in ends)
    assert turns == 6


def test_a_target_that_is_no_namespace_raises_an_error(backend: Backend) -> None:
    with pytest.raises(ValueError, match="is not a namespace"):
        backend.services.lifecycle.window_changes.work(Due(WINDOW, "UP#1", 0), lambda: True)
