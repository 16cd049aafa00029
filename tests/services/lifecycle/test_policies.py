"""Administrators create, change and delete policies, and each change arms the timer that applies the policy."""

import json
from collections.abc import Callable
from functools import partial

import pytest

from chalicelib.domain.errors import AlreadyThere, Denied, FieldInvalid, NameUnknown, ResourceUnknown
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Role
from chalicelib.domain.policies import MOST, PolicyKind
from chalicelib.services.lifecycle.policies import PolicyHolder, PolicyRequest
from chalicelib.storage import keys
from tests.support.backends import Backend
from tests.support.builders import a_repository, an_actor_with_role, an_organization, an_organization_repository
from tests.support.crashes import crash_everywhere, meanwhile
from tests.support.rows import due_at, events, repository_of, rows_like

FIVE = PolicyRequest("v.*", True, "number_of_tags", 5)
RELEASES = PolicyRequest("release-.*")
APP = PolicyHolder(repository=RepositoryName.parse("admin/app"))
ACME, MINE = PolicyHolder(organization="acme"), PolicyHolder()


@pytest.fixture(autouse=True)
def _places(backend: Backend) -> None:
    an_organization(backend)
    a_repository(backend)


@pytest.mark.parametrize("holder", [APP, ACME, MINE], ids=["repository", "organization", "user"])
@pytest.mark.parametrize("fields", [FIVE, RELEASES], ids=["prune", "immutability"])
def test_a_policy_is_created_found_changed_and_deleted(
    backend: Backend, holder: PolicyHolder, fields: PolicyRequest
) -> None:
    admin, policies = backend.signed_in("admin"), backend.services.lifecycle.policies
    policy = policies.create(admin, holder, fields)
    assert policies.list(admin, holder, fields.kind) == [policy]
    assert policies.get(admin, holder, fields.kind, policy.uuid) == policy

    changed = policies.change(admin, holder, policy.uuid, PolicyRequest("w.*", False, fields.method, fields.value))
    assert (changed.uuid, changed.names.pattern, changed.names.matches) == (policy.uuid, "w.*", False)
    assert policies.list(admin, holder, fields.kind) == [changed]

    policies.delete(admin, holder, fields.kind, policy.uuid)
    assert policies.list(admin, holder, fields.kind) == []
    with pytest.raises(ResourceUnknown):
        policies.delete(admin, holder, fields.kind, policy.uuid)


def test_the_two_kinds_of_policies_are_separate(backend: Backend) -> None:
    admin, policies = backend.signed_in("admin"), backend.services.lifecycle.policies
    policy = policies.create(admin, APP, FIVE)

    assert policies.list(admin, APP, PolicyKind.IMMUTABILITY) == []
    with pytest.raises(ResourceUnknown):
        policies.change(admin, APP, policy.uuid, RELEASES)
    with pytest.raises(ResourceUnknown):
        policies.delete(admin, APP, PolicyKind.IMMUTABILITY, policy.uuid)


def test_several_policies_are_listed_oldest_first(backend: Backend) -> None:
    admin, policies = backend.signed_in("admin"), backend.services.lifecycle.policies
    created = []
    for value in ("7d", "1w", "2w"):
        backend.clock.ahead_s += 1
        created.append(policies.create(admin, ACME, PolicyRequest(None, True, "creation_date", value)))

    assert policies.list(admin, ACME, PolicyKind.PRUNE) == created


def test_a_duplicate_policy_is_refused_in_quays_words(backend: Backend) -> None:
    admin, policies = backend.signed_in("admin"), backend.services.lifecycle.policies
    for holder, place in ((APP, "repository"), (ACME, "namespace"), (MINE, "namespace")):
        policies.create(admin, holder, FIVE)
        with pytest.raises(AlreadyThere, match=f"^Existing policy with same values for this {place}, duplicate"):
            policies.create(admin, holder, FIVE)
    policies.create(admin, APP, RELEASES)
    with pytest.raises(AlreadyThere, match=r"^A policy with the same tag_pattern already exists$"):
        policies.create(admin, APP, PolicyRequest("release-.*", False))


def test_a_change_to_the_same_fields_is_not_a_duplicate(backend: Backend) -> None:
    admin, policies = backend.signed_in("admin"), backend.services.lifecycle.policies
    policy = policies.create(admin, APP, FIVE)
    other = policies.create(admin, APP, PolicyRequest(None, True, "number_of_tags", 6))

    policies.change(admin, APP, policy.uuid, FIVE)
    with pytest.raises(AlreadyThere):
        policies.change(admin, APP, other.uuid, FIVE)


def test_the_second_of_two_concurrent_changes_sees_the_first(backend: Backend) -> None:
    admin, policies = backend.signed_in("admin"), backend.services.lifecycle.policies
    for holder in (APP, ACME):
        backend.calls.take()
        policies.create(admin, holder, RELEASES)
        last = len(backend.calls.take())
        other = partial(policies.create, admin, holder, FIVE)
        with meanwhile(backend, last, other) as done, pytest.raises(AlreadyThere):
            policies.create(admin, holder, FIVE)
        assert done
        assert len(policies.list(admin, holder, PolicyKind.PRUNE)) == 1


def test_the_number_of_policies_is_limited(backend: Backend) -> None:
    admin, policies = backend.signed_in("admin"), backend.services.lifecycle.policies
    for number in range(MOST):
        policies.create(admin, APP, PolicyRequest(f"v{number}"))
    with pytest.raises(FieldInvalid, match="20 policies of this kind already"):
        policies.create(admin, APP, RELEASES)


@pytest.mark.parametrize("pattern", [None, "", "("])
def test_an_immutability_policy_needs_a_valid_pattern(backend: Backend, pattern: str | None) -> None:
    with pytest.raises(FieldInvalid):
        backend.services.lifecycle.policies.create(backend.signed_in("admin"), APP, PolicyRequest(pattern))


def test_the_rows_that_a_push_reads_contain_the_immutability_policies(backend: Backend) -> None:
    admin, policies = backend.signed_in("admin"), backend.services.lifecycle.policies
    policies.create(admin, APP, FIVE)
    policy = policies.create(admin, APP, RELEASES)
    policies.create(admin, ACME, PolicyRequest("v[0-9]+", False))

    (name,) = rows_like(backend, "N#", "REPO#app")
    assert json.loads(name["immutability"]) == [["release-.*", True]]
    (acme,) = [row for row in rows_like(backend, "N#", "META") if row["name"] == "acme"]
    assert json.loads(acme["immutability"]) == [["v[0-9]+", False]]
    policies.delete(admin, APP, PolicyKind.IMMUTABILITY, policy.uuid)
    (name,) = rows_like(backend, "N#", "REPO#app")
    assert "immutability" not in name


def test_a_new_policy_arms_its_timer(backend: Backend) -> None:
    admin, policies = backend.signed_in("admin"), backend.services.lifecycle.policies
    target = keys.repository_target(repository_of(backend).id)
    policies.create(admin, APP, FIVE)
    policies.create(admin, APP, RELEASES)

    assert due_at("prune", target) is not None
    assert due_at("immutability", target) is not None
    policies.create(admin, MINE, FIVE)
    assert due_at("prune", keys.namespace_target(backend.account().id)) is not None


def test_each_change_is_recorded(backend: Backend) -> None:
    admin, policies = backend.signed_in("admin"), backend.services.lifecycle.policies
    for holder, fields, word in (
        (APP, FIVE, "repository_autoprune_policy"),
        (ACME, FIVE, "namespace_autoprune_policy"),
        (APP, RELEASES, "immutability_policy"),
    ):
        policy = policies.create(admin, holder, fields)
        policies.change(admin, holder, policy.uuid, fields)
        policies.delete(admin, holder, fields.kind, policy.uuid)
        for action in ("create", "update", "delete"):
            (record,) = events(backend, f"{action}_{word}")
            metadata = json.loads(record["metadata"])
            assert (metadata["policy_uuid"], metadata["tag_pattern"]) == (policy.uuid, fields.pattern)
            assert metadata["namespace"] == ("acme" if holder is ACME else "admin")


def test_a_crash_at_any_call_leaves_one_policy_or_none(backend: Backend) -> None:
    def prepare(number: int) -> Callable[[], object]:
        name = f"acme/round{number}"
        an_organization_repository(backend, name)
        holder, admin = PolicyHolder(repository=RepositoryName.parse(name)), backend.signed_in("admin")
        return lambda: backend.services.lifecycle.policies.create(admin, holder, RELEASES)

    assert crash_everywhere(backend, prepare) >= 1
    assert all('"release-.*"' in row["immutability"] for row in rows_like(backend, "N#", "REPO#round"))


def test_only_administrators_see_policies(backend: Backend) -> None:
    backend.user("bob")
    writer = an_actor_with_role(backend, "bob", Role.WRITE)
    assert writer
    bob, policies = backend.signed_in("bob"), backend.services.lifecycle.policies
    for holder in (APP, ACME):
        for fields in (FIVE, PolicyRequest("(", True, "nonsense", 0)):
            with pytest.raises(Denied):
                policies.create(bob, holder, fields)
        with pytest.raises(Denied):
            policies.list(bob, holder, PolicyKind.PRUNE)
    with pytest.raises(ResourceUnknown):
        policies.list(bob, PolicyHolder(organization="nowhere"), PolicyKind.PRUNE)
    with pytest.raises(NameUnknown):
        policies.list(
            backend.signed_in("admin"), PolicyHolder(repository=RepositoryName.parse("admin/no")), PolicyKind.PRUNE
        )
