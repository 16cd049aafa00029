"""A deleted repository can be restored completely within the window, and is purged completely after it."""

from collections.abc import Callable

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import Denied, ResourceUnknown, RestoreTaken, RestoreTooLate, Unauthenticated
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import ANONYMOUS, Role
from chalicelib.domain.timers import PURGE_REPOSITORY, Due, Later
from chalicelib.services.lifecycle.policies import PolicyHolder, PolicyRequest
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import (
    a_blob,
    a_manifest,
    an_actor_with_role,
    an_index,
    push_image,
    push_manifest,
    token_actor,
)
from tests.support.crashes import crash_everywhere
from tests.support.rows import change, due_at, events, object_keys, repository_of, rows_like
from tests.support.sweeping import WINDOW_S, advance_clock, sweep

NAME = RepositoryName.parse("admin/app")


def delete(backend: Backend, name: RepositoryName = NAME) -> str:
    """Deletes a repository and returns its id."""
    identifier = repository_of(backend, str(name)).id
    backend.services.registry.repositories.delete(backend.signed_in("admin"), name)
    return identifier


def purge(backend: Backend, identifier: str, *, has_time: bool = True) -> Later | None:
    return backend.services.lifecycle.repository_deletion.work(Due(PURGE_REPOSITORY, identifier, 0), lambda: has_time)


def restore(backend: Backend, identifier: str, name: str | None = None) -> RepositoryName:
    return backend.services.lifecycle.repository_deletion.restore(backend.signed_in("admin"), identifier, name)


def test_a_deleted_repository_is_listed_and_restored_with_all_its_content(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    backend.user("bob")
    an_actor_with_role(backend, "bob", Role.READ)
    identifier = delete(backend)
    (listed,) = backend.services.lifecycle.repository_deletion.of_namespace(backend.signed_in("admin"), "admin")
    assert (listed.id, listed.name) == (identifier, "app")
    assert listed.restorable_until == listed.deleted_at + WINDOW_S

    advance_clock(backend, WINDOW_S - 60)
    sweep(backend)
    assert str(restore(backend, identifier)) == "admin/app"
    assert repository_of(backend).id == identifier
    pulled = backend.services.registry.manifests.find(token_actor(backend, "bob", "admin/app"), NAME, Tag("v1"))
    assert pulled.digest == manifest.digest
    assert backend.services.lifecycle.repository_deletion.of_namespace(backend.signed_in("admin"), "admin") == []
    assert due_at(PURGE_REPOSITORY, identifier) is None
    assert len(events(backend, "restore_repo")) == 1
    invariants.check(backend)


def test_another_repository_may_take_the_name(backend: Backend) -> None:
    push_image(backend, "old")
    identifier = delete(backend)
    push_image(backend, "new")

    with pytest.raises(RestoreTaken):
        restore(backend, identifier)
    assert str(restore(backend, identifier, "app-as-it-was")) == "admin/app-as-it-was"
    assert repository_of(backend).id != identifier == repository_of(backend, "admin/app-as-it-was").id


def test_a_live_an_unknown_or_a_restored_repository_cannot_be_restored(backend: Backend) -> None:
    push_image(backend, "v1")
    live = repository_of(backend).id
    for identifier in (live, "nowhere"):
        with pytest.raises(ResourceUnknown):
            restore(backend, identifier)
    delete(backend)
    restore(backend, live)
    with pytest.raises(ResourceUnknown):
        restore(backend, live)


def test_only_administrators_of_the_namespace_list_and_restore(backend: Backend) -> None:
    push_image(backend, "v1")
    backend.user("bob")
    identifier = delete(backend)
    for actor, refused in ((backend.signed_in("bob"), Denied), (ANONYMOUS, Unauthenticated)):
        with pytest.raises(refused):
            backend.services.lifecycle.repository_deletion.of_namespace(actor, "admin")
        with pytest.raises(refused):
            backend.services.lifecycle.repository_deletion.restore(actor, identifier)


def test_after_the_window_everything_is_purged_with_its_bytes(backend: Backend) -> None:
    child = push_image(backend, "v1", layers=2)
    push_manifest(backend, an_index([child.digest], annotations={"padding": "x" * 40_000}), "multi")
    backend.user("bob")
    an_actor_with_role(backend, "bob", Role.READ)
    identifier = delete(backend)
    advance_clock(backend, WINDOW_S - 60)
    assert purge(backend, identifier) is not None
    advance_clock(backend, 61)

    with pytest.raises(RestoreTooLate):
        restore(backend, identifier)
    assert purge(backend, identifier) is None
    assert rows_like(backend, f"R#{identifier}") == []
    assert rows_like(backend, "N#", "GONE#") == []
    assert rows_like(backend, "A#", "ROLE#") == []
    assert {row["bytes"] for row in rows_like(backend, "N#", "SIZE#")} <= {0}
    advance_clock(backend, backend.settings.grace_s + 10)
    sweep(backend)
    advance_clock(backend, backend.settings.grace_s + 10)
    sweep(backend)
    assert rows_like(backend, "BLOB#") == []
    for place in ("in", "bodies"):
        assert object_keys(backend, f"{place}/{identifier}/") == []
    assert purge(backend, identifier) is None


def test_its_policies_are_purged_too(backend: Backend) -> None:
    push_image(backend, "v1")
    admin, holder = backend.signed_in("admin"), PolicyHolder(repository=NAME)
    backend.services.lifecycle.policies.create(admin, holder, PolicyRequest("v.*", True, "number_of_tags", 3))
    backend.services.lifecycle.policies.create(admin, holder, PolicyRequest("v.*"))
    assert len(rows_like(backend, "R#", "POLICY#")) == 2
    identifier = delete(backend)
    advance_clock(backend, WINDOW_S + 1)

    assert purge(backend, identifier) is None
    assert rows_like(backend, "", "POLICY#") == []
    for _ in range(2):
        sweep(backend)
        advance_clock(backend, backend.settings.lease_s)
    assert [row for row in rows_like(backend, "TIMER#") if identifier in str(row)] == []


def test_without_a_window_the_purge_waits_for_pushes_from_before_the_delete(backend: Backend) -> None:
    push_image(backend, "v1")
    change(get(NamespaceRow, keys.namespace(backend.account("admin").id)), window_s=0)
    identifier = delete(backend)
    again = purge(backend, identifier)
    assert again is not None
    assert again.at >= backend.clock() + backend.settings.token_s

    advance_clock(backend, backend.settings.token_s + backend.settings.lease_s + 1)
    assert purge(backend, identifier) is None


def test_blobs_of_another_repository_stay(backend: Backend) -> None:
    content = b"shared"
    push_manifest(backend, a_manifest([a_blob(backend, content, "admin/two")]), "v1", repository="admin/two")
    push_manifest(backend, a_manifest([a_blob(backend, content)]), "v1")
    identifier = delete(backend)
    advance_clock(backend, WINDOW_S + 1)
    purge(backend, identifier)
    for _ in range(2):
        advance_clock(backend, backend.settings.grace_s + backend.settings.lease_s)
        sweep(backend)

    assert [row["sk"] for row in rows_like(backend, f"BLOB#{Digest.of(content)}", "META")] == ["META"]
    invariants.check(backend)


def test_an_interrupted_purge_continues(backend: Backend) -> None:
    for number in range(30):
        push_image(backend, f"v{number}", layers=0)
    identifier = delete(backend)
    advance_clock(backend, WINDOW_S + 1)
    turns = 0
    while purge(backend, identifier, has_time=False) is not None:
        turns += 1
        assert turns < 60

    assert turns > 3
    assert rows_like(backend, f"R#{identifier}") == []


def test_a_purge_recovers_from_a_crash_at_any_call(backend: Backend) -> None:
    deleted: list[str] = []

    def prepare(number: int) -> Callable[[], object]:
        name = RepositoryName.parse(f"admin/round{number}")
        push_image(backend, "v1", repository=str(name))
        deleted.append(delete(backend, name))
        advance_clock(backend, WINDOW_S + 1)
        return lambda: purge(backend, deleted[-1])

    assert crash_everywhere(backend, prepare) >= 6
    for identifier in deleted:
        assert rows_like(backend, f"R#{identifier}") == []


def test_a_crash_in_a_restore_restores_all_or_nothing(backend: Backend) -> None:
    def prepare(number: int) -> Callable[[], object]:
        name = RepositoryName.parse(f"admin/round{number}")
        push_image(backend, "v1", repository=str(name))
        identifier = delete(backend, name)

        def again() -> None:
            try:
                restore(backend, identifier)
            except ResourceUnknown:
                assert repository_of(backend, str(name)).id == identifier

        return again

    assert crash_everywhere(backend, prepare) >= 1
