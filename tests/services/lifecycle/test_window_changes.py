"""Windows: one made shorter is shorter for what died before, too, and nothing that lives goes."""

import pytest

from chalicelib.domain.timers import WINDOW, Due, Later
from chalicelib.services.accounts.accounts import UserChanges
from chalicelib.services.accounts.organizations import OrganizationChanges
from chalicelib.services.lifecycle import window_changes
from chalicelib.storage import keys
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import a_push, an_organization
from tests.support.rows import due_at, repository_of, rows_like
from tests.support.sweeping import WINDOW_S, content_keys, delete_tag, later, sweep

DAY_S = 86400


def shorten(backend: Backend, window_s: int) -> None:
    """The user chooses another window."""
    backend.services.accounts.accounts.change(backend.signed_in("admin"), UserChanges(window_s=window_s))


def window_timer(backend: Backend) -> int | None:
    return due_at(WINDOW, keys.namespace_target(repository_of(backend).namespace_id))


def outlast_lease(backend: Backend) -> None:
    later(backend, backend.settings.lease_s + backend.settings.grace_s + 10)
    sweep(backend)


def test_what_died_before_a_window_of_nothing_goes_at_once_and_what_lives_stays(backend: Backend) -> None:
    dead, alive = a_push(backend, "v1"), a_push(backend, "v2", labels={"is": "alive"})
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


def test_a_shorter_window_ends_a_day_after_the_death_and_not_after_the_change(backend: Backend) -> None:
    manifest = a_push(backend, "v1")
    target = keys.manifest_target(repository_of(backend).id, manifest.digest)
    delete_tag(backend, "v1")
    before = due_at("garbage", target)
    assert before is not None
    later(backend, DAY_S / 2)

    shorten(backend, DAY_S)
    sweep(backend)

    assert due_at("garbage", target) == before - WINDOW_S + DAY_S


def test_what_a_lease_held_first_is_found_too(backend: Backend) -> None:
    manifest = a_push(backend, "v1")
    target = keys.manifest_target(repository_of(backend).id, manifest.digest)
    delete_tag(backend, "v1")
    at = due_at("garbage", target)
    (row,) = rows_like(backend, f"TIMER#garbage#{target}")
    lease = window_changes.TimerRow.under(keys.timer("garbage", target), kind="garbage", target=target)
    lease.due, lease.due_at, lease.armed = row["due"], int(backend.clock()), row["armed"]
    lease.save()
    later(backend, 1)
    sweep(backend)
    assert due_at("garbage", target) == at

    shorten(backend, DAY_S)
    sweep(backend)

    assert due_at("garbage", target) == (at or 0) - WINDOW_S + DAY_S


def test_an_expired_tag_is_among_the_dead(backend: Backend) -> None:
    manifest = a_push(backend, "v1", labels={"quay.expires-after": "2h"})
    target = keys.manifest_target(repository_of(backend).id, manifest.digest)
    later(backend, 7200 + 1)
    sweep(backend)
    before = due_at("garbage", target)

    shorten(backend, DAY_S)
    sweep(backend)

    assert due_at("garbage", target) == (before or 0) - WINDOW_S + DAY_S


def test_a_longer_window_or_the_same_arms_nothing(backend: Backend) -> None:
    a_push(backend, "v1")
    for window_s in (WINDOW_S, 2 * WINDOW_S):
        shorten(backend, window_s)
    assert window_timer(backend) is None


def test_an_organizations_window_is_walked_when_it_becomes_shorter(backend: Backend) -> None:
    an_organization(backend, "acme")
    (row,) = rows_like(backend, "NAME#acme")
    target = keys.namespace_target(row["id"])

    for window_s, is_armed in ((2 * WINDOW_S, False), (DAY_S, True)):
        backend.services.accounts.organizations.change(
            backend.signed_in("admin"), "acme", OrganizationChanges(window_s=window_s)
        )
        assert (due_at(WINDOW, target) is not None) is is_armed


def test_a_walk_goes_on_page_by_page_twice(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_changes, "PAGE", 2)
    manifests = [a_push(backend, f"v{number}", labels={"n": str(number)}) for number in range(5)]
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


def test_what_is_no_namespace_has_no_window(backend: Backend) -> None:
    with pytest.raises(ValueError, match="no window is over"):
        backend.services.lifecycle.window_changes.work(Due(WINDOW, "UP#1", 0), lambda: True)
