"""Creates and changes repositories."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import Denied, FieldInvalid, NameUnknown, RepositoryTaken, Unauthenticated
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, Actor, HolderKind, Role
from chalicelib.domain.repositories import LONGEST_DESCRIPTION, Mode, Repository, Visibility
from chalicelib.domain.scopes import REPO_ADMIN, REPO_CREATE, REPO_READ, USER_ADMIN
from chalicelib.domain.teams import TeamRole
from chalicelib.services.accounts import prototypes
from chalicelib.services.registry.repositories import NewRepository
from chalicelib.storage import keys
from chalicelib.storage.registry.repositories import RepositoryNameRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import a_repository, an_actor_with_role, an_organization, token_actor
from tests.support.crashes import before_calls, just_before_commit
from tests.support.rows import change, events, repository_of, rows_like

NAME = RepositoryName.parse("admin/app")


def make_public(backend: Backend, *repositories: str) -> None:
    for repository in repositories:
        a_repository(backend, repository)
        name = RepositoryName.parse(repository)
        owner = token_actor(backend, name.namespace, repository)
        backend.services.registry.repositories.change_visibility(owner, name, Visibility.PUBLIC)


def test_the_first_push_creates_a_private_repository_and_records_it(backend: Backend) -> None:
    actor = token_actor(backend, "admin", "admin/app")

    created = backend.services.registry.repositories.for_push(actor, NAME)

    assert repository_of(backend) == created
    (name_row,) = rows_like(backend, "N#", "REPO#")
    (way_back,) = rows_like(backend, f"R#{created.id}", "META")
    assert name_row["visibility"] == way_back["visibility"] == "private"
    assert (way_back["namespace_id"], way_back["namespace"], way_back["name"]) == (created.namespace_id, "admin", "app")
    _, event = events(backend)
    assert (event["kind"], event["repository_id"], event["performer"]) == ("create_repo", created.id, "admin")


def test_the_second_push_creates_nothing(backend: Backend) -> None:
    created = a_repository(backend)
    before = rows_like(backend)

    assert a_repository(backend) == created
    assert rows_like(backend) == before


@pytest.mark.parametrize("name", ["admin/a/b/c", "admin/a__b", "admin/a.b-c", "admin/" + "a" * 249])
def test_a_repository_may_have_any_valid_name(backend: Backend, name: str) -> None:
    assert a_repository(backend, name) == repository_of(backend, name)


def test_ten_first_pushes_at_once_create_one_repository(backend: Backend) -> None:
    actor = token_actor(backend, "admin", "admin/app")

    def push(number: int) -> str:
        content = b"%d" % number
        backend.services.registry.uploads.push(actor, NAME, Digest.of(content), content)
        return backend.services.registry.repositories.for_push(actor, NAME).id

    with ThreadPoolExecutor(10) as pool:
        identifiers = set(pool.map(push, range(10)))

    assert identifiers == {repository_of(backend).id}
    assert len(rows_like(backend, "R#", "META")) == 1
    assert len(events(backend, "create_repo")) == 1
    assert len(rows_like(backend, "R#", "BLOB#")) == 10
    invariants.check(backend)


def test_the_second_of_two_first_pushes_gets_the_repository_of_the_first(backend: Backend) -> None:
    actor = token_actor(backend, "admin", "admin/app")
    created: list[object] = []

    def meanwhile(*_: object, operation_name: str = "", **__: object) -> None:
        if operation_name == "TransactWriteItems" and not created:
            created.append(None)
            created[0] = backend.services.registry.repositories.for_push(actor, NAME)

    with before_calls(backend, meanwhile):
        second = backend.services.registry.repositories.for_push(actor, NAME)

    assert second == created[0]
    assert len(rows_like(backend, "R#", "META")) == 1


@pytest.mark.parametrize("name", ["nobody/app", "bob/app"])
def test_a_push_creates_no_repository_in_a_foreign_namespace(backend: Backend, name: str) -> None:
    backend.user("bob")
    with pytest.raises((Denied, Unauthenticated)):
        backend.services.registry.repositories.for_push(token_actor(backend, "admin", name), RepositoryName.parse(name))

    assert rows_like(backend, "R#") == []


def test_a_new_role_replaces_the_previous_one(backend: Backend) -> None:
    a_repository(backend)
    backend.user("bob")
    an_actor_with_role(backend, "bob", Role.ADMIN)
    an_actor_with_role(backend, "bob", Role.READ)

    (permission,) = rows_like(backend, "R#", "PERM#")
    (role,) = rows_like(backend, "A#", "ROLE#")
    assert permission["role"] == role["role"] == "read"


@pytest.mark.parametrize("role", [Role.READ, Role.WRITE])
def test_only_an_admin_of_a_repository_gives_roles_or_makes_it_public(backend: Backend, role: Role) -> None:
    a_repository(backend)
    backend.user("bob")
    actor = an_actor_with_role(backend, "bob", role)

    with pytest.raises((Denied, Unauthenticated)):
        backend.services.accounts.permissions.put(actor, NAME, HolderKind.USER, "bob", Role.ADMIN)
    with pytest.raises((Denied, Unauthenticated)):
        backend.services.registry.repositories.change_visibility(actor, NAME, Visibility.PUBLIC)


def test_visibility_changes_in_both_rows_of_a_repository(backend: Backend) -> None:
    make_public(backend, "admin/app")

    (name_row,), (way_back,) = rows_like(backend, "N#", "REPO#"), rows_like(backend, "R#", "META")
    assert name_row["visibility"] == way_back["visibility"] == "public"
    assert (name_row["view"], name_row["view_at"]) == ("CATALOG#public", "admin/app")


def test_a_repository_that_was_deleted_meanwhile_is_not_made_public(backend: Backend) -> None:
    repository = a_repository(backend)
    actor = token_actor(backend, "admin", "admin/app")
    change(get(RepositoryNameRow, keys.repository_name(repository.namespace_id, "app")), state="deleted")

    with pytest.raises(NameUnknown):
        backend.services.registry.repositories.change_visibility(actor, NAME, Visibility.PUBLIC)


OWN = RepositoryName("admin", "new")


def make(backend: Backend, name: RepositoryName = OWN, who: str = "admin", **fields: Any) -> Repository:
    return backend.services.registry.repositories.create(backend.signed_in(who), NewRepository(name, **fields))


def test_a_repository_is_created_with_the_requested_settings(backend: Backend) -> None:
    created = make(backend, visibility=Visibility.PUBLIC, description="Of *mine*.")

    (name_row,), (way_back,) = rows_like(backend, "N#", "REPO#"), rows_like(backend, f"R#{created.id}", "META")
    for row in (name_row, way_back):
        assert (row["visibility"], row["description"], row["mode"]) == ("public", "Of *mine*.", "NORMAL")
    assert name_row["status_token"]
    assert name_row["created_at"] == pytest.approx(backend.clock(), abs=60)
    assert rows_like(backend, "R#", "PERM#") == []
    (event,) = events(backend, "create_repo")
    assert (event["repository_id"], json.loads(event["metadata"])) == (created.id, {"repository": "admin/new"})


def test_the_creator_of_an_organizations_repository_administers_it(backend: Backend) -> None:
    an_organization(backend)
    backend.user("bob")
    backend.services.accounts.teams.put(backend.signed_in("admin"), "acme", "makers", TeamRole.CREATOR, None)
    backend.services.accounts.teams.add_member(backend.signed_in("admin"), "acme", "makers", "bob")
    by_hand = make(backend, RepositoryName("acme", "hand"), "bob")
    pushed = RepositoryName("acme", "push")
    by_push = backend.services.registry.repositories.for_push(token_actor(backend, "bob", str(pushed)), pushed)

    for repository in (by_hand, by_push):
        (permission,) = rows_like(backend, f"R#{repository.id}", "PERM#")
        assert (permission["role"], permission["name"], permission["kind"]) == ("admin", "bob", "user")
        assert backend.services.security.access.require_role(backend.signed_in("bob"), repository.name, Role.ADMIN)


def test_a_name_that_exists_is_refused_with_quays_error(backend: Backend) -> None:
    make(backend)
    before = rows_like(backend)

    with pytest.raises(RepositoryTaken, match="Repository already exists"):
        make(backend)
    assert rows_like(backend) == before


def test_one_of_ten_creations_at_once_succeeds(backend: Backend) -> None:
    def attempt(_: int) -> bool:
        try:
            make(backend)
        except RepositoryTaken:
            return False
        return True

    with ThreadPoolExecutor(10) as pool:
        assert sorted(pool.map(attempt, range(10))) == [False] * 9 + [True]
    assert len(rows_like(backend, "R#", "META")) == len(events(backend, "create_repo")) == 1


def scoped(backend: Backend, *scopes: str) -> Actor:
    return replace(backend.signed_in("admin"), scopes=frozenset(scopes))


def test_only_members_and_tokens_with_the_right_create_repositories(backend: Backend) -> None:
    an_organization(backend)
    backend.user("bob")
    create = backend.services.registry.repositories.create
    backend.services.accounts.teams.put(backend.signed_in("admin"), "acme", "devs", TeamRole.MEMBER, None)
    backend.services.accounts.teams.add_member(backend.signed_in("admin"), "acme", "devs", "bob")
    for actor, namespace in (
        (backend.signed_in("bob"), "acme"),
        (backend.signed_in("bob"), "admin"),
        (backend.signed_in("admin"), "bob"),
        (backend.signed_in("admin"), "nobody"),
        (scoped(backend, REPO_ADMIN), "admin"),
    ):
        with pytest.raises(Denied):
            create(actor, NewRepository(RepositoryName(namespace, "new")))
    with pytest.raises(Unauthenticated):
        create(ANONYMOUS, NewRepository(RepositoryName("acme", "new")))

    assert create(scoped(backend, REPO_CREATE), NewRepository(OWN))


def test_no_repository_is_created_in_an_organization_that_was_deleted_meanwhile(backend: Backend) -> None:
    an_organization(backend)
    owner, name = backend.signed_in("admin"), RepositoryName("acme", "late")
    pusher = token_actor(backend, "admin", "acme/late")

    with (
        just_before_commit(backend, lambda: backend.services.accounts.organizations.delete(owner, "acme")),
        pytest.raises(Denied),
    ):
        backend.services.registry.repositories.create(owner, NewRepository(name))
    with pytest.raises((Denied, NameUnknown)):
        backend.services.registry.repositories.for_push(pusher, name)
    assert rows_like(backend, "R#") == []


def test_a_token_from_before_its_user_left_the_team_creates_nothing(backend: Backend) -> None:
    an_organization(backend)
    backend.user("bob")
    owner, name = backend.signed_in("admin"), RepositoryName("acme", "late")
    backend.services.accounts.teams.put(owner, "acme", "makers", TeamRole.CREATOR, None)
    backend.services.accounts.teams.add_member(owner, "acme", "makers", "bob")
    pusher = token_actor(backend, "bob", "acme/late")
    backend.services.accounts.teams.remove_member(owner, "acme", "makers", "bob")

    with pytest.raises(Denied):
        backend.services.registry.repositories.for_push(pusher, name)


def test_a_description_that_is_too_long_is_refused(backend: Backend) -> None:
    for text in ("x" * (LONGEST_DESCRIPTION + 1),):
        with pytest.raises(FieldInvalid, match="description"):
            make(backend, description=text)
    make(backend, description="x" * LONGEST_DESCRIPTION)
    with pytest.raises(FieldInvalid, match="description"):
        backend.services.registry.repositories.describe(
            backend.signed_in("admin"), OWN, "x" * (LONGEST_DESCRIPTION + 1)
        )


Change = Callable[[Backend, Actor], None]
CHANGES: dict[str, tuple[Change, Role, str, str, str]] = {
    "describe": (
        lambda backend, actor: backend.services.registry.repositories.describe(actor, NAME, "text"),
        Role.WRITE, "set_repo_description", "description", "text",
    ),
    "open": (
        lambda backend, actor: backend.services.registry.repositories.change_visibility(actor, NAME, Visibility.PUBLIC),
        Role.ADMIN, "change_repo_visibility", "visibility", "public",
    ),
    "close": (
        lambda backend, actor: backend.services.registry.repositories.change_mode(actor, NAME, Mode.READ_ONLY),
        Role.ADMIN, "change_repo_state", "state_changed", "READ_ONLY",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_in_both_rows_of_a_repository_and_in_the_log(backend: Backend, what: str) -> None:
    created = a_repository(backend)
    change_it, _, kind, word, value = CHANGES[what]

    change_it(backend, backend.signed_in("admin"))

    field = {"state_changed": "mode"}.get(word, word)
    (name_row,), (way_back,) = rows_like(backend, "N#", "REPO#"), rows_like(backend, f"R#{created.id}", "META")
    assert name_row[field] == way_back[field] == value
    (event,) = events(backend, kind)
    assert (event["repository_id"], json.loads(event["metadata"])) == (
        created.id,
        {"repository": "admin/app", word: value},
    )


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("role", [*Role, None])
def test_a_change_needs_a_role_and_a_scope(backend: Backend, what: str, role: Role | None) -> None:
    a_repository(backend)
    backend.user("bob")
    change_it, needed, *_ = CHANGES[what]
    if role:
        an_actor_with_role(backend, "bob", role)
    actor = backend.signed_in("bob")
    may = role is not None and role.rank >= needed.rank

    if may:
        change_it(backend, actor)
    for refused in (replace(actor, scopes=frozenset({REPO_READ, USER_ADMIN})), *([] if may else [actor])):
        with pytest.raises(Denied):
            change_it(backend, refused)
    with pytest.raises(Unauthenticated):
        change_it(backend, ANONYMOUS)


def test_a_superuser_without_full_access_changes_no_foreign_repository(backend: Backend) -> None:
    backend.user("bob")
    a_repository(backend, "bob/app")
    name = RepositoryName.parse("bob/app")

    for attempt in (
        lambda: backend.services.registry.repositories.describe(backend.signed_in("admin"), name, "mine"),
        lambda: backend.services.registry.repositories.change_visibility(
            backend.signed_in("admin"), name, Visibility.PUBLIC
        ),
        lambda: backend.services.registry.repositories.delete(backend.signed_in("admin"), name),
        lambda: backend.services.catalog.repository_details.get(backend.signed_in("admin"), name),
    ):
        with pytest.raises(Denied):
            attempt()


def test_two_changes_at_once_are_both_kept(backend: Backend) -> None:
    a_repository(backend)
    changes = [change_it for change_it, *_ in CHANGES.values()]

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda change_it: change_it(backend, backend.signed_in("admin")), changes))

    (row,) = rows_like(backend, "N#", "REPO#")
    assert (row["description"], row["visibility"], row["mode"]) == ("text", "public", "READ_ONLY")


def test_default_permissions_apply_to_repositories_created_by_the_api_and_by_a_push(backend: Backend) -> None:
    an_organization(backend)
    backend.user("bob")
    owner = backend.signed_in("admin")
    backend.services.accounts.prototypes.create(
        owner, "acme", prototypes.NewPrototype(Role.WRITE, HolderKind.USER, "bob")
    )
    pushed = RepositoryName("acme", "push")
    for created in (
        make(backend, RepositoryName("acme", "hand")),
        backend.services.registry.repositories.for_push(token_actor(backend, "admin", str(pushed)), pushed),
    ):
        given = {row["name"]: row["role"] for row in rows_like(backend, f"R#{created.id}", "PERM#")}
        assert given == {"admin": "admin", "bob": "write"}
