"""Windows: one made shorter is shorter for what died before, too, and nothing that lives goes."""

import pytest

from chalicelib.domain.timers import WINDOW, Due, Later
from chalicelib.services.accounts.accounts import UserChanges
from chalicelib.services.accounts.organizations import OrganizationChanges
from chalicelib.services.lifecycle import window_changes
from chalicelib.storage import keys
from tests.support import invariants
from tests.support.backends import House
from tests.support.builders import a_push, an_organization
from tests.support.rows import due_at, repository_of, rows_like
from tests.support.sweeping import WINDOW_S, delete_tag, held, later, sweep

DAY_S = 86400


def shorten(house: House, window_s: int) -> None:
    """The user chooses another window."""
    house.services.accounts.change(house.signed_in("admin"), UserChanges(window_s=window_s))


def window_timer(house: House) -> int | None:
    return due_at(WINDOW, keys.namespace_target(repository_of(house).namespace_id))


def outlast_lease(house: House) -> None:
    later(house, house.settings.lease_s + house.settings.grace_s + 10)
    sweep(house)


def test_what_died_before_a_window_of_nothing_goes_at_once_and_what_lives_stays(house: House) -> None:
    dead, alive = a_push(house, "v1"), a_push(house, "v2", labels={"is": "alive"})
    outlast_lease(house)
    delete_tag(house, "v1")
    sweep(house)
    assert f"MAN#{dead.digest}" in held(house)

    shorten(house, 0)
    for _ in range(3):
        outlast_lease(house)

    kept = [key for key in held(house) if key.startswith("MAN#")]
    assert kept == [f"MAN#{alive.digest}"]
    assert window_timer(house) is None
    invariants.check(house)


def test_a_shorter_window_ends_a_day_after_the_death_and_not_after_the_change(house: House) -> None:
    manifest = a_push(house, "v1")
    target = keys.manifest_target(repository_of(house).id, manifest.digest)
    delete_tag(house, "v1")
    before = due_at("garbage", target)
    assert before is not None
    later(house, DAY_S / 2)

    shorten(house, DAY_S)
    sweep(house)

    assert due_at("garbage", target) == before - WINDOW_S + DAY_S


def test_what_a_lease_held_first_is_found_too(house: House) -> None:
    manifest = a_push(house, "v1")
    target = keys.manifest_target(repository_of(house).id, manifest.digest)
    delete_tag(house, "v1")
    at = due_at("garbage", target)
    (row,) = rows_like(house, f"TIMER#garbage#{target}")
    lease = window_changes.TimerRow.under(keys.timer("garbage", target), kind="garbage", target=target)
    lease.due, lease.due_at, lease.armed = row["due"], int(house.clock()), row["armed"]
    lease.save()
    later(house, 1)
    sweep(house)
    assert due_at("garbage", target) == at

    shorten(house, DAY_S)
    sweep(house)

    assert due_at("garbage", target) == (at or 0) - WINDOW_S + DAY_S


def test_an_expired_tag_is_among_the_dead(house: House) -> None:
    manifest = a_push(house, "v1", labels={"quay.expires-after": "2h"})
    target = keys.manifest_target(repository_of(house).id, manifest.digest)
    later(house, 7200 + 1)
    sweep(house)
    before = due_at("garbage", target)

    shorten(house, DAY_S)
    sweep(house)

    assert due_at("garbage", target) == (before or 0) - WINDOW_S + DAY_S


def test_a_longer_window_or_the_same_arms_nothing(house: House) -> None:
    a_push(house, "v1")
    for window_s in (WINDOW_S, 2 * WINDOW_S):
        shorten(house, window_s)
    assert window_timer(house) is None


def test_an_organizations_window_is_walked_when_it_becomes_shorter(house: House) -> None:
    an_organization(house, "acme")
    (row,) = rows_like(house, "NAME#acme")
    target = keys.namespace_target(row["id"])

    for window_s, is_armed in ((2 * WINDOW_S, False), (DAY_S, True)):
        house.services.organizations.change(house.signed_in("admin"), "acme", OrganizationChanges(window_s=window_s))
        assert (due_at(WINDOW, target) is not None) is is_armed


def test_a_walk_goes_on_page_by_page_twice(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_changes, "PAGE", 2)
    manifests = [a_push(house, f"v{number}", labels={"n": str(number)}) for number in range(5)]
    for number in range(5):
        delete_tag(house, f"v{number}")
    shorten(house, DAY_S)
    due = Due(WINDOW, keys.namespace_target(repository_of(house).namespace_id), 0)
    turns = 0
    while True:
        allowed = iter([True, False])
        answer = house.services.windows.work(due, lambda allowed=allowed: next(allowed))  # type: ignore[misc]
        turns += 1
        if answer is None:
            break
        assert isinstance(answer, Later)
        due = Due(WINDOW, due.target, answer.at, answer.place)

    ends = [due_at("garbage", keys.manifest_target(repository_of(house).id, made.digest)) for made in manifests]
    assert all(end is not None and end <= house.clock() + DAY_S for end in ends)
    assert turns == 6


def test_what_is_no_namespace_has_no_window(house: House) -> None:
    with pytest.raises(ValueError, match="no window is over"):
        house.services.windows.work(Due(WINDOW, "UP#1", 0), lambda: True)
