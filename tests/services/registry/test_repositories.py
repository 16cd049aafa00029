"""Repositories: made once however many come first, granted, described, opened and closed, deleted for good."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import Denied, FieldInvalid, NameUnknown, RepositoryTaken, Unauthenticated
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, Actor, Role
from chalicelib.domain.repositories import LONGEST_DESCRIPTION, Mode, Repository, Visibility
from chalicelib.domain.scopes import REPO_ADMIN, REPO_CREATE, REPO_READ, USER_ADMIN
from chalicelib.domain.teams import TeamRole
from chalicelib.services.accounts.accounts import prototypes
from chalicelib.services.accounts.permissions import USER
from chalicelib.services.registry.repositories import NewRepository
from chalicelib.storage import keys
from chalicelib.storage.registry.repositories import RepositoryNameRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import House
from tests.support.builders import a_granted, a_repository, an_organization, someone
from tests.support.crashes import before_calls, just_before_commit
from tests.support.rows import change, events, repository_of, rows_like

NAME = RepositoryName.parse("admin/app")


def make_public(house: House, *repositories: str) -> None:
    for repository in repositories:
        a_repository(house, repository)
        name = RepositoryName.parse(repository)
        owner = someone(house, name.namespace, repository)
        house.services.repositories.change_visibility(owner, name, Visibility.PUBLIC)


def test_the_first_push_makes_a_private_repository_and_writes_it_down(house: House) -> None:
    actor = someone(house, "admin", "admin/app")

    made = house.services.repositories.for_push(actor, NAME)

    assert repository_of(house) == made
    (name_row,) = rows_like(house, "N#", "REPO#")
    (way_back,) = rows_like(house, f"R#{made.id}", "META")
    assert name_row["visibility"] == way_back["visibility"] == "private"
    assert (way_back["namespace_id"], way_back["namespace"], way_back["name"]) == (made.namespace_id, "admin", "app")
    _, event = events(house)
    assert (event["kind"], event["repository_id"], event["performer"]) == ("create_repo", made.id, "admin")


def test_the_second_push_makes_nothing(house: House) -> None:
    made = a_repository(house)
    before = rows_like(house)

    assert a_repository(house) == made
    assert rows_like(house) == before


@pytest.mark.parametrize("name", ["admin/a/b/c", "admin/a__b", "admin/a.b-c", "admin/" + "a" * 249])
def test_a_repository_may_have_any_name_of_the_grammar(house: House, name: str) -> None:
    assert a_repository(house, name) == repository_of(house, name)


def test_a_repository_is_made_once_when_ten_push_first(house: House) -> None:
    actor = someone(house, "admin", "admin/app")

    def push(number: int) -> str:
        content = b"%d" % number
        house.services.uploads.push(actor, NAME, Digest.of(content), content)
        return house.services.repositories.for_push(actor, NAME).id

    with ThreadPoolExecutor(10) as pool:
        identifiers = set(pool.map(push, range(10)))

    assert identifiers == {repository_of(house).id}
    assert len(rows_like(house, "R#", "META")) == 1
    assert len(events(house, "create_repo")) == 1
    assert len(rows_like(house, "R#", "BLOB#")) == 10
    invariants.check(house)


def test_who_comes_second_gets_the_repository_that_the_first_made_meanwhile(house: House) -> None:
    actor, made = someone(house, "admin", "admin/app"), []

    def meanwhile(*_: object, operation_name: str = "", **__: object) -> None:
        if operation_name == "TransactWriteItems" and not made:
            made.append(None)
            made[0] = house.services.repositories.for_push(actor, NAME)

    with before_calls(house, meanwhile):
        second = house.services.repositories.for_push(actor, NAME)

    assert second == made[0]
    assert len(rows_like(house, "R#", "META")) == 1


@pytest.mark.parametrize("name", ["nobody/app", "bob/app"])
def test_nobody_makes_a_repository_in_a_namespace_that_is_not_theirs(house: House, name: str) -> None:
    house.user("bob")
    with pytest.raises((Denied, Unauthenticated)):
        house.services.repositories.for_push(someone(house, "admin", name), RepositoryName.parse(name))

    assert rows_like(house, "R#") == []


def test_a_grant_replaces_the_one_before(house: House) -> None:
    a_repository(house)
    house.user("bob")
    a_granted(house, "bob", Role.ADMIN)
    a_granted(house, "bob", Role.READ)

    (permission,) = rows_like(house, "R#", "PERM#")
    (grant,) = rows_like(house, "A#", "GRANT#")
    assert permission["role"] == grant["role"] == "read"


@pytest.mark.parametrize("role", [Role.READ, Role.WRITE])
def test_only_an_admin_of_a_repository_grants_or_makes_it_public(house: House, role: Role) -> None:
    a_repository(house)
    house.user("bob")
    actor = a_granted(house, "bob", role)

    with pytest.raises((Denied, Unauthenticated)):
        house.services.permissions.put(actor, NAME, USER, "bob", Role.ADMIN)
    with pytest.raises((Denied, Unauthenticated)):
        house.services.repositories.change_visibility(actor, NAME, Visibility.PUBLIC)


def test_visibility_changes_on_both_sides_of_the_name(house: House) -> None:
    make_public(house, "admin/app")

    (name_row,), (way_back,) = rows_like(house, "N#", "REPO#"), rows_like(house, "R#", "META")
    assert name_row["visibility"] == way_back["visibility"] == "public"
    assert (name_row["view"], name_row["view_at"]) == ("CATALOG#public", "admin/app")


def test_a_repository_that_was_deleted_meanwhile_is_not_made_public(house: House) -> None:
    repository = a_repository(house)
    actor = someone(house, "admin", "admin/app")
    change(get(RepositoryNameRow, keys.repository_name(repository.namespace_id, "app")), state="deleted")

    with pytest.raises(NameUnknown):
        house.services.repositories.change_visibility(actor, NAME, Visibility.PUBLIC)


OWN = RepositoryName("admin", "new")


def make(house: House, name: RepositoryName = OWN, who: str = "admin", **wish: Any) -> Repository:
    return house.services.repositories.create(house.signed_in(who), NewRepository(name, **wish))


def test_a_repository_is_made_by_hand_as_it_is_wished(house: House) -> None:
    made = make(house, visibility=Visibility.PUBLIC, description="Of *mine*.")

    (name_row,), (way_back,) = rows_like(house, "N#", "REPO#"), rows_like(house, f"R#{made.id}", "META")
    for row in (name_row, way_back):
        assert (row["visibility"], row["description"], row["mode"]) == ("public", "Of *mine*.", "NORMAL")
    assert name_row["status_token"]
    assert name_row["created_at"] == pytest.approx(house.clock(), abs=60)
    assert rows_like(house, "R#", "PERM#") == []
    (event,) = events(house, "create_repo")
    assert (event["repository_id"], json.loads(event["metadata"])) == (made.id, {"repository": "admin/new"})


def test_whoever_makes_one_in_an_organization_administers_it(house: House) -> None:
    an_organization(house)
    house.user("bob")
    house.services.teams.put(house.signed_in("admin"), "acme", "makers", TeamRole.CREATOR, None)
    house.services.teams.add_member(house.signed_in("admin"), "acme", "makers", "bob")
    by_hand = make(house, RepositoryName("acme", "hand"), "bob")
    pushed = RepositoryName("acme", "push")
    by_push = house.services.repositories.for_push(someone(house, "bob", str(pushed)), pushed)

    for repository in (by_hand, by_push):
        (permission,) = rows_like(house, f"R#{repository.id}", "PERM#")
        assert (permission["role"], permission["name"], permission["kind"]) == ("admin", "bob", "user")
        assert house.services.access.require_role(house.signed_in("bob"), repository.name, Role.ADMIN)


def test_a_name_is_made_once_and_the_second_is_told_in_quay_s_words(house: House) -> None:
    make(house)
    before = rows_like(house)

    with pytest.raises(RepositoryTaken, match="Repository already exists"):
        make(house)
    assert rows_like(house) == before


def test_one_of_ten_makers_at_once_makes_it(house: House) -> None:
    def attempt(_: int) -> bool:
        try:
            make(house)
        except RepositoryTaken:
            return False
        return True

    with ThreadPoolExecutor(10) as pool:
        assert sorted(pool.map(attempt, range(10))) == [False] * 9 + [True]
    assert len(rows_like(house, "R#", "META")) == len(events(house, "create_repo")) == 1


def scoped(house: House, *scopes: str) -> Actor:
    return replace(house.signed_in("admin"), scopes=frozenset(scopes))


def test_only_members_who_may_make_one_and_tokens_that_may(house: House) -> None:
    an_organization(house)
    house.user("bob")
    create = house.services.repositories.create
    house.services.teams.put(house.signed_in("admin"), "acme", "devs", TeamRole.MEMBER, None)
    house.services.teams.add_member(house.signed_in("admin"), "acme", "devs", "bob")
    for actor, namespace in (
        (ANONYMOUS, "acme"),
        (house.signed_in("bob"), "acme"),
        (house.signed_in("bob"), "admin"),
        (house.signed_in("admin"), "bob"),
        (house.signed_in("admin"), "nobody"),
        (scoped(house, REPO_ADMIN), "admin"),
    ):
        with pytest.raises(Denied):
            create(actor, NewRepository(RepositoryName(namespace, "new")))

    assert create(scoped(house, REPO_CREATE), NewRepository(OWN))


def test_nobody_makes_anything_where_the_organization_ended_meanwhile(house: House) -> None:
    an_organization(house)
    owner, name = house.signed_in("admin"), RepositoryName("acme", "late")
    pusher = someone(house, "admin", "acme/late")

    with just_before_commit(house, lambda: house.services.organizations.delete(owner, "acme")), pytest.raises(Denied):
        house.services.repositories.create(owner, NewRepository(name))
    with pytest.raises((Denied, NameUnknown)):
        house.services.repositories.for_push(pusher, name)
    assert rows_like(house, "R#") == []


def test_a_token_from_before_one_left_the_team_makes_nothing(house: House) -> None:
    an_organization(house)
    house.user("bob")
    owner, name = house.signed_in("admin"), RepositoryName("acme", "late")
    house.services.teams.put(owner, "acme", "makers", TeamRole.CREATOR, None)
    house.services.teams.add_member(owner, "acme", "makers", "bob")
    pusher = someone(house, "bob", "acme/late")
    house.services.teams.remove_member(owner, "acme", "makers", "bob")

    with pytest.raises(Denied):
        house.services.repositories.for_push(pusher, name)


def test_a_description_has_an_end(house: House) -> None:
    for text in ("x" * (LONGEST_DESCRIPTION + 1),):
        with pytest.raises(FieldInvalid, match="description"):
            make(house, description=text)
    make(house, description="x" * LONGEST_DESCRIPTION)
    with pytest.raises(FieldInvalid, match="description"):
        house.services.repositories.describe(house.signed_in("admin"), OWN, "x" * (LONGEST_DESCRIPTION + 1))


Change = Callable[[House, Actor], None]
CHANGES: dict[str, tuple[Change, Role, str, str, str]] = {
    "describe": (
        lambda house, actor: house.services.repositories.describe(actor, NAME, "text"),
        Role.WRITE, "set_repo_description", "description", "text",
    ),
    "open": (
        lambda house, actor: house.services.repositories.change_visibility(actor, NAME, Visibility.PUBLIC),
        Role.ADMIN, "change_repo_visibility", "visibility", "public",
    ),
    "close": (
        lambda house, actor: house.services.repositories.change_mode(actor, NAME, Mode.READ_ONLY),
        Role.ADMIN, "change_repo_state", "state_changed", "READ_ONLY",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_on_both_sides_of_the_name_and_in_the_log(house: House, what: str) -> None:
    made = a_repository(house)
    change_it, _, kind, word, value = CHANGES[what]

    change_it(house, house.signed_in("admin"))

    field = {"state_changed": "mode"}.get(word, word)
    (name_row,), (way_back,) = rows_like(house, "N#", "REPO#"), rows_like(house, f"R#{made.id}", "META")
    assert name_row[field] == way_back[field] == value
    (event,) = events(house, kind)
    assert (event["repository_id"], json.loads(event["metadata"])) == (
        made.id,
        {"repository": "admin/app", word: value},
    )


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("role", [*Role, None])
def test_a_change_needs_its_role_and_scope(house: House, what: str, role: Role | None) -> None:
    a_repository(house)
    house.user("bob")
    change_it, needed, *_ = CHANGES[what]
    if role:
        a_granted(house, "bob", role)
    actor = house.signed_in("bob")
    may = role is not None and role.rank >= needed.rank

    if may:
        change_it(house, actor)
    for refused in (replace(actor, scopes=frozenset({REPO_READ, USER_ADMIN})), *([] if may else [actor]), ANONYMOUS):
        with pytest.raises(Denied):
            change_it(house, refused)


def test_a_superuser_changes_nothing_of_others_without_full_access(house: House) -> None:
    house.user("bob")
    a_repository(house, "bob/app")
    name = RepositoryName.parse("bob/app")

    for attempt in (
        lambda: house.services.repositories.describe(house.signed_in("admin"), name, "mine"),
        lambda: house.services.repositories.change_visibility(house.signed_in("admin"), name, Visibility.PUBLIC),
        lambda: house.services.repositories.delete(house.signed_in("admin"), name),
        lambda: house.services.overviews.get(house.signed_in("admin"), name),
    ):
        with pytest.raises(Denied):
            attempt()


def test_two_changes_at_once_are_both_kept(house: House) -> None:
    a_repository(house)
    changes = [change_it for change_it, *_ in CHANGES.values()]

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda change_it: change_it(house, house.signed_in("admin")), changes))

    (row,) = rows_like(house, "N#", "REPO#")
    assert (row["description"], row["visibility"], row["mode"]) == ("text", "public", "READ_ONLY")


def test_default_permissions_come_with_what_is_made_by_hand_or_by_a_push(house: House) -> None:
    an_organization(house)
    house.user("bob")
    owner = house.signed_in("admin")
    house.services.prototypes.create(owner, "acme", prototypes.NewRepository(Role.WRITE, "user", "bob"))
    pushed = RepositoryName("acme", "push")
    for made in (
        make(house, RepositoryName("acme", "hand")),
        house.services.repositories.for_push(someone(house, "admin", str(pushed)), pushed),
    ):
        given = {row["name"]: row["role"] for row in rows_like(house, f"R#{made.id}", "PERM#")}
        assert given == {"admin": "admin", "bob": "write"}
