"""Deleted repositories: the name is free at once, and the content is kept until the purge."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import Denied, ManifestUnknown, NameUnknown, Unauthenticated
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import ANONYMOUS, Actor, Role
from chalicelib.domain.repositories import Mode, Repository
from chalicelib.domain.scopes import REPO_ADMIN, REPO_WRITE
from chalicelib.domain.timers import PURGE_REPOSITORY
from chalicelib.services.registry.repositories import NewRepository
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import (
    a_blob,
    a_config,
    a_manifest,
    a_repository,
    an_actor_with_role,
    an_organization,
    push_image,
    token_actor,
)
from tests.support.crashes import crash_everywhere, just_before_commit
from tests.support.rows import change, due_at, events, repository_of, rows_like

NAME = RepositoryName.parse("admin/app")
WEEKS_S = 14 * 86400


def delete(backend: Backend, who: str = "admin", name: RepositoryName = NAME) -> None:
    backend.services.registry.repositories.delete(backend.signed_in(who), name)


def test_a_deletion_moves_the_name_row_and_the_id_leads_to_it(backend: Backend) -> None:
    repository = a_repository(backend)
    backend.services.registry.repositories.describe(backend.signed_in("admin"), NAME, "text")
    delete(backend)

    now = int(backend.clock())
    (gone,), (way_back,) = rows_like(backend, "N#", "GONE#"), rows_like(backend, f"R#{repository.id}", "META")
    assert rows_like(backend, "N#", "REPO#") == []
    assert gone["sk"] == f"GONE#app#{way_back['gone']}"
    assert (gone["repository_id"], gone["description"], gone["state"]) == (repository.id, "text", "deleted")
    assert way_back["state"] == "deleted"
    assert gone["deleted_at"] == pytest.approx(now, abs=5)
    assert gone["purge_at"] == gone["deleted_at"] + WEEKS_S == due_at(PURGE_REPOSITORY, repository.id)
    (event,) = events(backend, "delete_repo")
    assert (event["repository_id"], json.loads(event["metadata"])) == (repository.id, {"repository": "admin/app"})


def test_with_a_short_window_the_purge_waits_until_tokens_and_leases_end(backend: Backend) -> None:
    repository = a_repository(backend)
    change(get(NamespaceRow, keys.namespace(repository.namespace_id)), window_s=0)
    delete(backend)

    (gone,) = rows_like(backend, "N#", "GONE#")
    assert gone["purge_at"] - gone["deleted_at"] == backend.settings.token_s + backend.settings.lease_s


def test_a_second_deletion_changes_nothing(backend: Backend) -> None:
    a_repository(backend)
    delete(backend)
    before = rows_like(backend)

    delete(backend)
    delete(backend, name=RepositoryName("admin", "never"))

    assert rows_like(backend) == before


def test_a_repository_of_the_same_name_inherits_nothing(backend: Backend) -> None:
    backend.user("bob")
    manifest = push_image(backend, "v1")
    an_actor_with_role(backend, "bob", Role.ADMIN)
    backend.services.registry.repositories.change_mode(backend.signed_in("admin"), NAME, Mode.READ_ONLY)
    old = repository_of(backend)
    delete(backend)
    new = backend.services.registry.repositories.create(backend.signed_in("admin"), NewRepository(NAME))

    assert new.id != old.id
    assert (
        backend.services.catalog.repository_details.get(backend.signed_in("admin"), NAME).repository_access.row.mode
        == "NORMAL"
    )
    with pytest.raises(Denied):
        backend.services.catalog.repository_details.get(backend.signed_in("bob"), NAME)
    reader = token_actor(backend, "admin", "admin/app")
    for reference in (Tag("v1"), manifest.digest):
        with pytest.raises(ManifestUnknown):
            backend.services.registry.manifests.pull(reader, NAME, reference)
    assert rows_like(backend, f"R#{old.id}", "TAG#")
    invariants.check(backend)


def test_the_same_name_may_be_deleted_many_times(backend: Backend) -> None:
    ids = set()
    for _ in range(3):
        ids.add(a_repository(backend).id)
        delete(backend)

    assert {row["repository_id"] for row in rows_like(backend, "N#", "GONE#")} == ids


@pytest.mark.parametrize("role", [Role.READ, Role.WRITE, None])
def test_only_an_admin_deletes_a_repository(backend: Backend, role: Role | None) -> None:
    a_repository(backend)
    backend.user("bob")
    if role:
        an_actor_with_role(backend, "bob", role)
    owner = backend.signed_in("admin")

    writer = replace(owner, scopes=frozenset({REPO_WRITE}))
    for actor, refused in ((backend.signed_in("bob"), Denied), (ANONYMOUS, Unauthenticated), (writer, Denied)):
        for name in (NAME, RepositoryName("admin", "never")):
            with pytest.raises(refused):
                backend.services.registry.repositories.delete(actor, name)
    backend.services.registry.repositories.delete(replace(owner, scopes=frozenset({REPO_ADMIN})), NAME)


def test_without_a_role_nobody_learns_whether_a_repository_exists(backend: Backend) -> None:
    an_organization(backend)
    backend.user("bob")

    delete(backend, name=RepositoryName("acme", "never"))
    with pytest.raises(Denied):
        delete(backend, "bob", RepositoryName("acme", "never"))


def recreate(backend: Backend) -> Repository:
    delete(backend)
    return backend.services.registry.repositories.create(backend.signed_in("admin"), NewRepository(NAME))


@pytest.mark.parametrize("again", [False, True])
def test_a_push_during_a_deletion_never_writes_into_the_new_repository(backend: Backend, again: bool) -> None:
    a_repository(backend)
    old, pusher = repository_of(backend), token_actor(backend, "admin", "admin/app")
    manifest = a_manifest([a_blob(backend)], a_blob(backend, a_config()))

    with just_before_commit(backend, lambda: recreate(backend) if again else delete(backend)):
        backend.services.registry.manifests.push(pusher, NAME, manifest, [Tag("v1")])

    (tag,) = rows_like(backend, "R#", "TAG#")
    assert tag["pk"] == f"R#{old.id}"
    with pytest.raises(NameUnknown):
        backend.services.registry.manifests.push(pusher, NAME, manifest, [Tag("v2")])
    with pytest.raises(NameUnknown):
        a_late_blob(backend, pusher)
    invariants.check(backend)


def a_late_blob(backend: Backend, pusher: Actor) -> None:
    backend.services.registry.uploads.push(pusher, NAME, Digest.of(b"late"), b"late")


def test_a_deletion_that_lost_a_race_deletes_the_current_repository(backend: Backend) -> None:
    a_repository(backend)

    with just_before_commit(
        backend, lambda: backend.services.registry.repositories.describe(backend.signed_in("admin"), NAME, "changed")
    ):
        delete(backend)

    (gone,) = rows_like(backend, "N#", "GONE#")
    assert gone["description"] == "changed"


@pytest.mark.parametrize("what", ["create", "describe", "delete"])
def test_a_crash_before_any_call_leaves_all_or_nothing(backend: Backend, what: str) -> None:
    owner = backend.signed_in("admin")

    def prepare(number: int) -> Callable[[], object]:
        name = RepositoryName("admin", f"r{number}")
        repositories = backend.services.registry.repositories
        if what == "create":
            return lambda: repositories.create(owner, NewRepository(name))
        repositories.create(owner, NewRepository(name))
        if what == "describe":
            return lambda: repositories.describe(owner, name, "text")
        return lambda: repositories.delete(owner, name)

    states = crash_everywhere(backend, prepare)

    kind = {"create": "create_repo", "describe": "set_repo_description", "delete": "delete_repo"}[what]
    assert len(events(backend, kind)) == states + 1
