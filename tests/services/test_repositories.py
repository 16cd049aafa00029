"""Repositories: made once however many push first, listed to those who may see them, granted and made public."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import Denied, NameUnknown, Unauthenticated
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, Actor, Role
from chalicelib.domain.repositories import Visibility
from chalicelib.storage import keys
from chalicelib.storage.repositories import RepositoryNameRow
from chalicelib.storage.table import get
from tests import invariants
from tests.builders import a_granted, a_repository, someone
from tests.crashes import before_calls
from tests.houses import House
from tests.rows import change, events, repository_of, rows_like

NAME = RepositoryName.parse("admin/app")


def catalog(house: House, actor: Actor, last: str = "", size: int = 1000) -> list[str]:
    return list(house.services.repositories.catalog(actor, last, size).items)


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


def test_an_owner_sees_what_is_theirs_and_what_is_public_in_order_and_once(house: House) -> None:
    house.user("bob")
    a_repository(house, "bob/secret")
    make_public(house, "bob/open", "admin/open")
    a_repository(house, "admin/app")
    a_repository(house, "admin/a/b")

    assert catalog(house, someone(house, "admin")) == ["admin/a/b", "admin/app", "admin/open", "bob/open"]


def test_somebody_sees_what_was_granted_to_them_beside_the_rest(house: House) -> None:
    house.user("bob")
    for name in ("admin/app", "admin/hidden", "bob/own"):
        a_repository(house, name)
    make_public(house, "admin/open")
    a_granted(house, "bob", Role.READ)
    a_granted(house, "bob", Role.READ, "admin/open")

    assert catalog(house, someone(house, "bob")) == ["admin/app", "admin/open", "bob/own"]


def test_the_anonymous_see_what_is_public(house: House) -> None:
    a_repository(house)
    make_public(house, "admin/open")

    assert catalog(house, ANONYMOUS) == ["admin/open"]


def test_a_repository_made_private_again_leaves_the_catalog(house: House) -> None:
    make_public(house, "admin/open")
    owner = someone(house, "admin", "admin/open")
    house.services.repositories.change_visibility(owner, RepositoryName.parse("admin/open"), Visibility.PRIVATE)

    assert catalog(house, ANONYMOUS) == []
    assert catalog(house, someone(house, "admin")) == ["admin/open"]


def test_a_deleted_repository_is_in_no_list(house: House) -> None:
    house.user("bob")
    make_public(house, "admin/open")
    repository = a_repository(house, "admin/open")
    a_granted(house, "bob", Role.READ, "admin/open")
    for row in (
        get(RepositoryNameRow, keys.repository_name(repository.namespace_id, "open")),
        house.services._repositories.get(repository.id),
    ):
        change(row, state="deleted")

    for actor in (ANONYMOUS, someone(house, "admin"), someone(house, "bob")):
        assert catalog(house, actor) == []


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_pages_of_the_catalog_join_to_the_whole_without_gap_or_repetition(house: House, size: int) -> None:
    house.user("bob")
    make_public(house, "bob/a", "bob/z", "admin/m")
    for name in ("admin/b", "admin/b-c", "admin/b/c", "admin/x"):
        a_repository(house, name)
    actor, found, last = someone(house, "admin"), [], ""

    while True:
        page = house.services.repositories.catalog(actor, last, size)
        assert len(page.items) == size or not page.more
        found += page.items
        if not page.more:
            break
        last = page.items[-1]

    assert found == sorted(["bob/a", "bob/z", "admin/m", "admin/b", "admin/b-c", "admin/b/c", "admin/x"])


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("a", ["admin/app", "admin/base"]),
        ("admin", ["admin/app", "admin/base"]),
        ("admin/app", ["admin/base"]),
        ("admin/apple", ["admin/base"]),
        ("admin-z", ["admin/app", "admin/base"]),
        ("admin0", []),
        ("admin/base", []),
        ("zzz", []),
        ("ADMIN", ["admin/app", "admin/base"]),
        ("ключ", []),
        ("a#b", ["admin/app", "admin/base"]),
    ],
)
def test_a_page_begins_past_any_text_be_it_a_name_or_not(house: House, last: str, expected: list[str]) -> None:
    house.user("bob")
    for name in ("admin/app", "admin/base"):
        a_repository(house, name)
    make_public(house, "admin/base")
    a_granted(house, "bob", Role.READ, "admin/app")

    assert catalog(house, someone(house, "admin"), last) == expected
    assert catalog(house, someone(house, "bob"), last) == expected


def test_a_page_of_nothing_is_empty_and_costs_nothing(house: House) -> None:
    a_repository(house)
    actor = someone(house, "admin")
    house.calls.take()

    assert list(house.services.repositories.catalog(actor, "", 0).items) == []
    assert house.calls.take() == []


def test_more_than_a_hundred_grants_are_all_listed(house: House) -> None:
    house.user("bob")
    for number in range(101):
        a_granted_by_hand(house, f"admin/app{number:03d}")

    assert catalog(house, someone(house, "bob")) == [f"admin/app{number:03d}" for number in range(101)]


def a_granted_by_hand(house: House, name: str) -> None:
    repository = a_repository(house, name)
    house.services._repositories.grant(repository, house.account("bob").id, Role.READ)


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
        house.services.repositories.grant(actor, NAME, actor.account_id or "", Role.ADMIN)
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
