"""Every hour the tags that policies select are pruned, and no others."""

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
from tests.support.backends import Backend
from tests.support.builders import a_manifest, a_repository, push_image, push_manifest
from tests.support.crashes import crash_everywhere
from tests.support.rows import change, due_at, events, repository_of, rows_like
from tests.support.sweeping import advance_clock, sweep
from tests.support.tag_actions import TagActions

HOUR_S, DAY_S = 3600, 86400
MINE = PolicyHolder()
TWO = PolicyRequest(None, True, "number_of_tags", 2)
WEEK = PolicyRequest(None, True, "creation_date", "1w")


def app(repository: str = "admin/app") -> PolicyHolder:
    return PolicyHolder(repository=RepositoryName.parse(repository))


def pushed(backend: Backend, *tags: str, repository: str = "admin/app") -> None:
    """Pushes tags one after the other."""
    for tag in tags:
        push_manifest(backend, a_manifest(), tag, repository=repository)


def follow(backend: Backend, fields: PolicyRequest, holder: PolicyHolder = MINE) -> str:
    """Creates a policy, applies it once, and returns its uuid."""
    uuid = backend.services.lifecycle.policies.create(backend.signed_in("admin"), holder, fields).uuid
    sweep(backend)
    return uuid


def tags(backend: Backend, repository: str = "admin/app") -> list[str]:
    identifier = repository_of(backend, repository).id
    return [row["name"] for row in rows_like(backend, f"R#{identifier}", "TAG#")]


@pytest.mark.parametrize("holder", [MINE, app()], ids=["namespace", "repository"])
def test_all_but_the_newest_tags_are_pruned_like_deleted_ones(backend: Backend, holder: PolicyHolder) -> None:
    pushed(backend, "v1", "v2", "v3", "v4")
    uuid = follow(backend, TWO, holder)

    assert tags(backend) == ["v3", "v4"]
    metadata = [json.loads(record["metadata"]) for record in events(backend, "autoprune_tag_delete")]
    assert sorted(one["tag"] for one in metadata) == ["v1", "v2"]
    assert {(one["performer"], one["repo"], one["policy_uuid"]) for one in metadata} == {
        ("autoprune worker", "app", uuid)
    }
    invariants.check(backend)


def test_a_pruned_tag_can_be_restored(backend: Backend) -> None:
    manifest = push_manifest(backend, a_manifest(), "v1")
    pushed(backend, "v2", "v3")
    follow(backend, TWO)
    name = RepositoryName.parse("admin/app")
    TagActions(backend, repository=str(name)).restore("v1", str(manifest.digest))

    assert tags(backend) == ["v1", "v2", "v3"]


def test_tags_are_pruned_when_they_are_old_enough(backend: Backend) -> None:
    pushed(backend, "v1")
    follow(backend, WEEK)
    advance_clock(backend, 6 * DAY_S)
    pushed(backend, "v2")
    sweep(backend)
    assert tags(backend) == ["v1", "v2"]
    advance_clock(backend, DAY_S + HOUR_S)
    sweep(backend)

    assert tags(backend) == ["v2"]


def test_a_pattern_selects_the_tags(backend: Backend) -> None:
    pushed(backend, "v1", "latest", "v2", "v3", "nightly")
    follow(backend, PolicyRequest("v[0-9]", True, "number_of_tags", 1))
    assert tags(backend) == ["latest", "nightly", "v3"]
    follow(backend, PolicyRequest("v.*", False, "number_of_tags", 1))

    assert tags(backend) == ["nightly", "v3"]


def test_several_policies_apply_independently(backend: Backend) -> None:
    pushed(backend, "a1", "a2", "b1", "b2")
    follow(backend, PolicyRequest("a", True, "number_of_tags", 1), app())
    follow(backend, PolicyRequest("b", True, "number_of_tags", 1), app())

    assert tags(backend) == ["a2", "b2"]


@pytest.mark.parametrize("ending", [".sig", ""])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_immutable_tags_and_signatures_stay_and_are_not_counted(backend: Backend, algorithm: str, ending: str) -> None:
    signature = f"{algorithm}-{'0' * 64}{ending}"
    pushed(backend, "v1", "v2", signature, "v3", "v4")
    TagActions(backend).set_immutable("v4", immutable=True)
    follow(backend, PolicyRequest(None, True, "number_of_tags", 1))

    assert tags(backend) == [signature, "v3", "v4"]


def test_a_tag_that_repeats_the_digest_of_its_own_image_is_pruned_like_any_other(backend: Backend) -> None:
    image = push_image(backend)
    tag = f"sha256-{image.digest.hex}"
    push_manifest(backend, image, tag)
    pushed(backend, "v1")
    follow(backend, PolicyRequest(None, True, "number_of_tags", 1))

    assert tags(backend) == ["v1"]


@pytest.mark.parametrize("mode", ["READ_ONLY", "MIRROR"])
@pytest.mark.parametrize("holder", [MINE, app()], ids=["namespace", "repository"])
def test_a_repository_that_accepts_no_pushes_is_not_pruned(backend: Backend, holder: PolicyHolder, mode: str) -> None:
    pushed(backend, "v1", "v2", "v3")
    repository = repository_of(backend)
    row = backend.services.stores.repositories.find(repository.namespace_id, repository.name)
    change(row, mode=mode)
    follow(backend, TWO, holder)

    assert tags(backend) == ["v1", "v2", "v3"]


def test_rounds_repeat_every_hour_until_there_is_no_policy(backend: Backend) -> None:
    pushed(backend, "v1", "v2")
    uuid = follow(backend, TWO)
    pushed(backend, "v3")
    target = keys.namespace_target(backend.account().id)
    again = due_at("prune", target)
    assert again is not None
    assert 0 < again - backend.clock() <= HOUR_S
    sweep(backend)
    assert tags(backend) == ["v1", "v2", "v3"]
    advance_clock(backend, HOUR_S)
    sweep(backend)
    assert tags(backend) == ["v2", "v3"]
    backend.services.lifecycle.policies.delete(backend.signed_in("admin"), MINE, PolicyKind.PRUNE, uuid)
    advance_clock(backend, HOUR_S)
    sweep(backend)

    assert due_at("prune", target) is None


def test_the_policy_of_a_namespace_applies_to_all_its_repositories_and_no_others(backend: Backend) -> None:
    backend.user("bob")
    for repository in ("admin/app", "admin/web/site", "bob/app"):
        pushed(backend, "v1", "v2", "v3", repository=repository)
    follow(backend, TWO)

    assert tags(backend) == tags(backend, "admin/web/site") == ["v2", "v3"]
    assert rows_like(backend, f"R#{repository_of(backend, 'bob/app').id}", "TAG#v1")


@pytest.mark.parametrize("page", [1, 2, 100])
def test_an_interrupted_round_continues_where_it_stopped(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(pruning, "PAGE", page)
    for repository in ("admin/a", "admin/b"):
        pushed(backend, *(f"v{number}" for number in range(5)), repository=repository)
    for value in (3, 2):
        backend.services.lifecycle.policies.create(
            backend.signed_in("admin"), MINE, PolicyRequest(None, True, "number_of_tags", value)
        )
    place, turns = "", 0
    while True:
        turns += 1
        answers = iter([True])
        due = Due("prune", keys.namespace_target(backend.account().id), 0, place)
        found = backend.services.lifecycle.pruning.work(due, partial(next, answers, False))
        assert isinstance(found, Later)
        place = found.place
        if not place:
            break

    assert turns >= 4
    assert tags(backend, "admin/a") == tags(backend, "admin/b") == ["v3", "v4"]


def test_tags_are_counted_for_each_repository(backend: Backend) -> None:
    pushed(backend, "v1", "v2", "v3")
    backend.services.lifecycle.policies.create(backend.signed_in("admin"), MINE, TWO)
    place = str(pruning.PruneCursor("", "another", "", 100, ""))
    backend.services.lifecycle.pruning.work(
        Due("prune", keys.namespace_target(backend.account().id), 0, place), lambda: True
    )

    assert tags(backend) == ["v2", "v3"]


def test_a_deleted_policy_prunes_nothing_more(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    pushed(backend, "v1", "v2", "v3")
    admin, policies = backend.signed_in("admin"), backend.services.lifecycle.policies
    policies.create(admin, MINE, TWO)

    def has_time() -> bool:
        for policy in policies.list(admin, MINE, PolicyKind.PRUNE):
            policies.delete(admin, MINE, PolicyKind.PRUNE, policy.uuid)
        return True

    backend.services.lifecycle.pruning.work(Due("prune", keys.namespace_target(backend.account().id), 0), has_time)
    assert tags(backend) == ["v1", "v2", "v3"]


def test_a_tag_that_was_pushed_again_meanwhile_counts_as_new(backend: Backend) -> None:
    pushed(backend, "v1", "v2", "v3")
    pushed(backend, "v1")
    follow(backend, TWO)

    assert tags(backend) == ["v1", "v3"]


def test_a_deleted_target_needs_no_work(backend: Backend) -> None:
    for target in (keys.namespace_target("nobody"), keys.repository_target("nothing")):
        assert backend.services.lifecycle.pruning.work(Due("prune", target, 0), lambda: True) is None
    with pytest.raises(ValueError, match="cannot have policies"):
        backend.services.lifecycle.pruning.work(Due("prune", "UP#x", 0), lambda: True)


def test_a_round_recovers_from_a_crash_at_any_call(backend: Backend) -> None:
    def prepare(number: int) -> Callable[[], object]:
        name = f"admin/round{number}"
        pushed(backend, "v1", "v2", "v3", "v4", repository=name)
        backend.services.lifecycle.policies.create(backend.signed_in("admin"), app(name), TWO)
        due = Due("prune", keys.repository_target(repository_of(backend, name).id), 0)
        return lambda: backend.services.lifecycle.pruning.work(due, lambda: True)

    rounds = crash_everywhere(backend, prepare)
    assert rounds >= 1
    for number in range(1, rounds + 2):
        assert tags(backend, f"admin/round{number}") == ["v3", "v4"]
    assert len(events(backend, "autoprune_tag_delete")) == 2 * (rounds + 1)


def test_a_round_that_prunes_nothing_writes_nothing(backend: Backend) -> None:
    pushed(backend, "v1", "v2")
    a_repository(backend, "admin/empty")
    backend.services.lifecycle.policies.create(backend.signed_in("admin"), MINE, TWO)
    backend.calls.take()
    backend.services.lifecycle.pruning.work(Due("prune", keys.namespace_target(backend.account().id), 0), lambda: True)

    assert set(backend.calls.take()) <= {"GetItem", "Query", "BatchGetItem"}


def test_an_image_that_was_pushed_again_a_second_ago_is_not_old(backend: Backend) -> None:
    nightly = push_manifest(backend, a_manifest(), "nightly")
    pushed(backend, "v1")
    advance_clock(backend, 8 * DAY_S)
    push_manifest(backend, nightly, "nightly")

    follow(backend, WEEK)

    assert tags(backend) == ["nightly"]
