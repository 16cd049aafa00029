"""Pruning: every hour the tags go that policies name, and no others."""

import json
from collections.abc import Callable
from functools import partial

import pytest

from chalicelib.domain.names import RepositoryName
from chalicelib.domain.policies import PolicyKind
from chalicelib.domain.timers import Due, Later
from chalicelib.services.lifecycle import pruning
from chalicelib.services.lifecycle.policies import PolicyHolder, PolicyRequest
from chalicelib.storage import keys
from tests.support import invariants
from tests.support.backends import House
from tests.support.builders import a_bare_push, a_manifest, a_repository
from tests.support.crashes import crash_everywhere
from tests.support.rows import change, due_at, events, repository_of, rows_like
from tests.support.sweeping import later, sweep

HOUR_S, DAY_S = 3600, 86400
MINE = PolicyHolder()
TWO = PolicyRequest(None, True, "number_of_tags", 2)
WEEK = PolicyRequest(None, True, "creation_date", "1w")


def app(repository: str = "admin/app") -> PolicyHolder:
    return PolicyHolder(repository=RepositoryName.parse(repository))


def pushed(house: House, *tags: str, repository: str = "admin/app") -> None:
    """Tags that were pushed one after the other."""
    for tag in tags:
        a_bare_push(house, a_manifest(), tag, repository=repository)


def follow(house: House, asked: PolicyRequest, holder: PolicyHolder = MINE) -> str:
    """A policy, followed once; gives its uuid."""
    uuid = house.services.policies.create(house.signed_in("admin"), holder, asked).uuid
    sweep(house)
    return uuid


def tags(house: House, repository: str = "admin/app") -> list[str]:
    identifier = repository_of(house, repository).id
    return [row["name"] for row in rows_like(house, f"R#{identifier}", "TAG#")]


@pytest.mark.parametrize("holder", [MINE, app()], ids=["namespace", "repository"])
def test_all_but_the_latest_go_as_if_they_had_been_deleted(house: House, holder: PolicyHolder) -> None:
    pushed(house, "v1", "v2", "v3", "v4")
    uuid = follow(house, TWO, holder)

    assert tags(house) == ["v3", "v4"]
    told = [json.loads(record["metadata"]) for record in events(house, "autoprune_tag_delete")]
    assert sorted(one["tag"] for one in told) == ["v1", "v2"]
    assert {(one["performer"], one["repo"], one["policy_uuid"]) for one in told} == {("autoprune worker", "app", uuid)}
    invariants.check(house)


def test_what_was_pruned_can_be_restored(house: House) -> None:
    manifest = a_bare_push(house, a_manifest(), "v1")
    pushed(house, "v2", "v3")
    follow(house, TWO)
    name = RepositoryName.parse("admin/app")
    house.services.time_machine.restore(house.signed_in("admin"), name, "v1", str(manifest.digest))

    assert tags(house) == ["v1", "v2", "v3"]


def test_what_is_old_goes_when_its_time_has_come(house: House) -> None:
    pushed(house, "v1")
    follow(house, WEEK)
    later(house, 6 * DAY_S)
    pushed(house, "v2")
    sweep(house)
    assert tags(house) == ["v1", "v2"]
    later(house, DAY_S + HOUR_S)
    sweep(house)

    assert tags(house) == ["v2"]


def test_a_pattern_says_which(house: House) -> None:
    pushed(house, "v1", "latest", "v2", "v3", "nightly")
    follow(house, PolicyRequest("v[0-9]", True, "number_of_tags", 1))
    assert tags(house) == ["latest", "nightly", "v3"]
    follow(house, PolicyRequest("v.*", False, "number_of_tags", 1))

    assert tags(house) == ["nightly", "v3"]


def test_several_policies_are_followed_each_by_itself(house: House) -> None:
    pushed(house, "a1", "a2", "b1", "b2")
    follow(house, PolicyRequest("a", True, "number_of_tags", 1), app())
    follow(house, PolicyRequest("b", True, "number_of_tags", 1), app())

    assert tags(house) == ["a2", "b2"]


def test_what_may_not_change_and_signatures_stay_and_do_not_count(house: House) -> None:
    signature = f"sha256-{'0' * 64}.sig"
    pushed(house, "v1", "v2", signature, "v3", "v4")
    name, admin = RepositoryName.parse("admin/app"), house.signed_in("admin")
    house.services.time_machine.set_immutable(admin, name, "v4", immutable=True)
    follow(house, PolicyRequest(None, True, "number_of_tags", 1))

    assert tags(house) == [signature, "v3", "v4"]


@pytest.mark.parametrize("mode", ["READ_ONLY", "MIRROR"])
@pytest.mark.parametrize("holder", [MINE, app()], ids=["namespace", "repository"])
def test_a_repository_that_takes_no_pushes_is_left_as_it_is(house: House, holder: PolicyHolder, mode: str) -> None:
    pushed(house, "v1", "v2", "v3")
    repository = repository_of(house)
    row = house.services._repositories.find(repository.namespace_id, repository.name)
    change(row, mode=mode)
    follow(house, TWO, holder)

    assert tags(house) == ["v1", "v2", "v3"]


def test_it_comes_again_every_hour_until_there_is_no_policy(house: House) -> None:
    pushed(house, "v1", "v2")
    uuid = follow(house, TWO)
    pushed(house, "v3")
    target = keys.namespace_target(house.account().id)
    again = due_at("prune", target)
    assert again is not None
    assert 0 < again - house.clock() <= HOUR_S
    sweep(house)
    assert tags(house) == ["v1", "v2", "v3"]
    later(house, HOUR_S)
    sweep(house)
    assert tags(house) == ["v2", "v3"]
    house.services.policies.delete(house.signed_in("admin"), MINE, PolicyKind.PRUNE, uuid)
    later(house, HOUR_S)
    sweep(house)

    assert due_at("prune", target) is None


def test_one_namespace_s_policy_is_for_all_its_repositories_and_no_other(house: House) -> None:
    house.user("bob")
    for repository in ("admin/app", "admin/web/site", "bob/app"):
        pushed(house, "v1", "v2", "v3", repository=repository)
    follow(house, TWO)

    assert tags(house) == tags(house, "admin/web/site") == ["v2", "v3"]
    assert rows_like(house, f"R#{repository_of(house, 'bob/app').id}", "TAG#v1")


@pytest.mark.parametrize("page", [1, 2, 100])
def test_a_round_that_is_cut_off_goes_on_where_it_was(house: House, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    monkeypatch.setattr(pruning, "PAGE", page)
    for repository in ("admin/a", "admin/b"):
        pushed(house, *(f"v{number}" for number in range(5)), repository=repository)
    for value in (3, 2):
        house.services.policies.create(
            house.signed_in("admin"), MINE, PolicyRequest(None, True, "number_of_tags", value)
        )
    place, turns = "", 0
    while True:
        turns += 1
        answers = iter([True])
        due = Due("prune", keys.namespace_target(house.account().id), 0, place)
        found = house.services.pruning.work(due, partial(next, answers, False))
        assert isinstance(found, Later)
        place = found.place
        if not place:
            break

    assert turns >= 4
    assert tags(house, "admin/a") == tags(house, "admin/b") == ["v3", "v4"]


def test_a_count_is_not_carried_into_another_repository_of_the_place(house: House) -> None:
    pushed(house, "v1", "v2", "v3")
    house.services.policies.create(house.signed_in("admin"), MINE, TWO)
    place = str(pruning.PruneCursor("", "another", "", 100, ""))
    house.services.pruning.work(Due("prune", keys.namespace_target(house.account().id), 0, place), lambda: True)

    assert tags(house) == ["v2", "v3"]


def test_a_policy_that_is_gone_prunes_nothing_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    pushed(house, "v1", "v2", "v3")
    admin, policies = house.signed_in("admin"), house.services.policies
    policies.create(admin, MINE, TWO)

    def has_time() -> bool:
        for policy in policies.list(admin, MINE, PolicyKind.PRUNE):
            policies.delete(admin, MINE, PolicyKind.PRUNE, policy.uuid)
        return True

    house.services.pruning.work(Due("prune", keys.namespace_target(house.account().id), 0), has_time)
    assert tags(house) == ["v1", "v2", "v3"]


def test_a_tag_that_was_pushed_again_meanwhile_is_one_of_the_latest(house: House) -> None:
    pushed(house, "v1", "v2", "v3")
    pushed(house, "v1")
    follow(house, TWO)

    assert tags(house) == ["v1", "v3"]


def test_without_a_place_there_is_nothing_to_do(house: House) -> None:
    for target in (keys.namespace_target("nobody"), keys.repository_target("nothing")):
        assert house.services.pruning.work(Due("prune", target, 0), lambda: True) is None
    with pytest.raises(ValueError, match="no policy is for"):
        house.services.pruning.work(Due("prune", "UP#x", 0), lambda: True)


def test_a_crash_anywhere_is_made_good(house: House) -> None:
    def prepare(number: int) -> Callable[[], object]:
        name = f"admin/round{number}"
        pushed(house, "v1", "v2", "v3", "v4", repository=name)
        house.services.policies.create(house.signed_in("admin"), app(name), TWO)
        due = Due("prune", keys.repository_target(repository_of(house, name).id), 0)
        return lambda: house.services.pruning.work(due, lambda: True)

    rounds = crash_everywhere(house, prepare)
    assert rounds >= 1
    for number in range(1, rounds + 2):
        assert tags(house, f"admin/round{number}") == ["v3", "v4"]
    assert len(events(house, "autoprune_tag_delete")) == 2 * (rounds + 1)


def test_a_look_at_what_stays_writes_nothing(house: House) -> None:
    pushed(house, "v1", "v2")
    a_repository(house, "admin/empty")
    house.services.policies.create(house.signed_in("admin"), MINE, TWO)
    house.calls.take()
    house.services.pruning.work(Due("prune", keys.namespace_target(house.account().id), 0), lambda: True)

    assert set(house.calls.take()) <= {"GetItem", "Query", "BatchGetItem"}
