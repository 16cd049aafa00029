"""Policies make existing tags and later pushes immutable."""

import json
from collections.abc import Callable
from functools import partial

import pytest

from chalicelib.domain.errors import TagImmutable
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.policies import PolicyKind
from chalicelib.domain.timers import SETTLED_S, Due, Later
from chalicelib.services.lifecycle import immutability
from chalicelib.services.lifecycle.immutability import ImmutabilityCursor
from chalicelib.services.lifecycle.policies import PolicyHolder, PolicyRequest
from chalicelib.storage import keys
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import (
    a_manifest,
    a_repository,
    an_organization,
    an_organization_repository,
    push_image,
    push_manifest,
    token_actor,
)
from tests.support.crashes import crash_everywhere, meanwhile
from tests.support.rows import due_at, events, repository_of, rows_like
from tests.support.sweeping import advance_clock, sweep
from tests.support.tag_actions import TagActions

NAME = RepositoryName.parse("admin/app")
APP = PolicyHolder(repository=NAME)
RELEASES = PolicyRequest("v")


def rule(backend: Backend, holder: PolicyHolder = APP, fields: PolicyRequest = RELEASES) -> str:
    return backend.services.lifecycle.policies.create(backend.signed_in("admin"), holder, fields).uuid


def fixed(backend: Backend) -> list[str]:
    """Returns the immutable tags of all repositories, after a check that their lives are immutable too."""
    lives = {row["view_at"]: row.get("immutable") for row in rows_like(backend, "R#", "LIFE#")}
    tags = rows_like(backend, "R#", "TAG#")
    assert all(lives[row["life"]] == row["immutable"] for row in tags)
    return sorted(row["name"] for row in tags if row["immutable"])


def records_of(backend: Backend, kind: str) -> list[dict[str, object]]:
    return [json.loads(record["metadata"]) for record in events(backend, kind)]


def test_a_tag_that_is_pushed_under_a_policy_is_immutable(backend: Backend) -> None:
    a_repository(backend)
    rule(backend)
    manifest = push_manifest(backend, a_manifest(), "v1", "latest")

    assert fixed(backend) == ["v1"]
    (record,) = records_of(backend, "tag_made_immutable_by_policy")
    assert (record["tag"], record["manifest_digest"]) == ("v1", str(manifest.digest))
    push_manifest(backend, a_manifest(), "latest")
    with pytest.raises(TagImmutable):
        push_manifest(backend, a_manifest(), "v1")
    push_manifest(backend, manifest, "v1")
    assert len(events(backend, "tag_made_immutable_by_policy")) == 1


def test_a_push_under_a_policy_costs_no_more_calls(backend: Backend) -> None:
    push_manifest(backend, a_manifest(), "v0")
    manifests = [a_manifest(), a_manifest()]
    backend.calls.take()
    push_manifest(backend, manifests[0], "w1")
    before = backend.calls.take()
    rule(backend)
    backend.calls.take()
    push_manifest(backend, manifests[1], "v1")

    assert backend.calls.take() == before
    assert fixed(backend) == ["v1"]


def test_a_tag_that_expires_does_not_become_immutable(backend: Backend) -> None:
    push_image(backend, "v1", labels={"quay.expires-after": "2h"})
    rule(backend)
    push_image(backend, "v2", labels={"quay.expires-after": "2h"})
    sweep(backend)

    assert fixed(backend) == []


def test_a_tag_that_the_api_makes_or_restores_is_immutable_too(backend: Backend) -> None:
    digest = str(push_manifest(backend, a_manifest(), "w1").digest)
    rule(backend)
    TagActions(backend).point("v1", digest)
    TagActions(backend).restore("v2", digest)

    assert fixed(backend) == ["v1", "v2"]
    assert [record["tag"] for record in records_of(backend, "tag_made_immutable_by_policy")] == ["v1", "v2"]


def test_the_policy_of_an_organization_applies_to_all_its_repositories(backend: Backend) -> None:
    an_organization(backend)
    admin = backend.signed_in("admin")
    for name in ("acme/app", "acme/web"):
        an_organization_repository(backend, name)
        pusher = token_actor(backend, "admin", name)
        backend.services.registry.manifests.push(
            pusher, RepositoryName.parse(name), a_manifest(), [Tag(f"v-{name[-3:]}")]
        )
    push_manifest(backend, a_manifest(), "v0")
    backend.services.lifecycle.policies.create(admin, PolicyHolder(organization="acme"), RELEASES)
    sweep(backend)
    pusher = token_actor(backend, "admin", "acme/app")
    backend.services.registry.manifests.push(pusher, RepositoryName.parse("acme/app"), a_manifest(), [Tag("v-new")])

    assert fixed(backend) == ["v-app", "v-new", "v-web"]


def test_a_policy_can_apply_to_the_tags_that_do_not_match(backend: Backend) -> None:
    push_manifest(backend, a_manifest(), "dev-1", "v1")
    rule(backend, fields=PolicyRequest("dev-", matches=False))
    sweep(backend)

    assert fixed(backend) == ["v1"]


def test_existing_tags_become_immutable_with_one_record(backend: Backend) -> None:
    tags = [f"v{number:02d}" for number in range(60)]
    for start in range(0, 60, 10):
        push_manifest(backend, a_manifest(), *tags[start : start + 10])
    push_manifest(backend, a_manifest(), "latest")
    rule(backend)
    sweep(backend)

    assert fixed(backend) == tags
    records = records_of(backend, "tags_made_immutable_by_policy")
    assert sum(int(str(record["count"])) for record in records) == 60
    assert len(records) == 3
    invariants.check(backend)
    advance_clock(backend, SETTLED_S + 1)
    sweep(backend)
    assert len(records_of(backend, "tags_made_immutable_by_policy")) == 3
    assert due_at("immutability", keys.repository_target(repository_of(backend).id)) is None


def test_a_push_that_began_before_the_policy_and_ended_after_the_walk_is_found(backend: Backend) -> None:
    push_manifest(backend, a_manifest(), "w1")
    manifest = a_manifest()

    def create_policy() -> None:
        rule(backend)
        sweep(backend)

    backend.calls.take()
    push_manifest(backend, a_manifest(), "w2")
    last = len(backend.calls.take())
    with meanwhile(backend, last, create_policy) as done:
        push_manifest(backend, manifest, "v1")
    assert done
    assert fixed(backend) == []
    advance_clock(backend, SETTLED_S + 1)
    sweep(backend)

    assert fixed(backend) == ["v1"]


def test_a_deleted_policy_changes_no_tags(backend: Backend) -> None:
    push_manifest(backend, a_manifest(), "v1")
    uuid = rule(backend)
    sweep(backend)
    backend.services.lifecycle.policies.delete(backend.signed_in("admin"), APP, PolicyKind.IMMUTABILITY, uuid)
    push_manifest(backend, a_manifest(), "v2")
    advance_clock(backend, SETTLED_S + 1)
    sweep(backend)

    assert fixed(backend) == ["v1"]


@pytest.mark.parametrize("page", [1, 2])
def test_an_interrupted_walk_continues_where_it_stopped(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(immutability, "PAGE", page)
    for repository in ("admin/a", "admin/b"):
        push_manifest(backend, a_manifest(), "v1", "v2", "v3", repository=repository)
    account = backend.account().id
    namespace = backend.services.stores.accounts.namespace(account)
    assert namespace is not None
    namespace.immutability = '[["v", true]]'
    namespace.save()
    place, turns = "", 0
    while not place or not ImmutabilityCursor.read(place).is_second:
        turns += 1
        answers = iter([True])
        due = Due("immutability", keys.namespace_target(account), 0, place)
        found = backend.services.lifecycle.immutability.work(due, partial(next, answers, False))
        assert isinstance(found, Later)
        place = found.place

    assert turns >= 3
    assert fixed(backend) == ["v1", "v1", "v2", "v2", "v3", "v3"]


def test_ten_tags_that_change_at_once_fit_into_one_transaction(backend: Backend) -> None:
    tags = [f"v{number}" for number in range(10)]
    for tag in tags:
        push_manifest(backend, a_manifest(), tag)
    rule(backend)
    push_manifest(backend, a_manifest(), *tags)

    assert fixed(backend) == tags
    invariants.check(backend)


def test_a_deleted_target_needs_no_work(backend: Backend) -> None:
    for target in (keys.namespace_target("nobody"), keys.repository_target("nothing")):
        place = str(ImmutabilityCursor(is_second=True))
        assert backend.services.lifecycle.immutability.work(Due("immutability", target, 0, place), lambda: True) is None
    with pytest.raises(ValueError, match="cannot have policies"):
        backend.services.lifecycle.immutability.work(Due("immutability", "UP#x", 0), lambda: True)


def test_a_walk_recovers_from_a_crash_at_any_call(backend: Backend) -> None:
    def prepare(number: int) -> Callable[[], object]:
        name = f"admin/round{number}"
        push_manifest(backend, a_manifest(), "v1", "v2", repository=name)
        rule(backend, PolicyHolder(repository=RepositoryName.parse(name)))
        due = Due("immutability", keys.repository_target(repository_of(backend, name).id), 0)
        return lambda: backend.services.lifecycle.immutability.work(due, lambda: True)

    rounds = crash_everywhere(backend, prepare)
    assert rounds >= 1
    assert len(fixed(backend)) == 2 * (rounds + 1)
    assert len(events(backend, "tags_made_immutable_by_policy")) == rounds + 1
