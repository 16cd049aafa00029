"""Repositories: a name and its way back change together, and lists go on where they ended."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Role
from chalicelib.domain.repositories import Repository, Visibility
from chalicelib.storage import keys
from chalicelib.storage.repositories import RepositoryNameRow, RepositoryStore, change_size
from chalicelib.storage.table import LostRace, Transaction, get
from tests.houses import House
from tests.rows import change, rows_like

STORE = RepositoryStore()


def added(name: str, visibility: Visibility = Visibility.PRIVATE, namespace_id: str = "n") -> Repository:
    repository = Repository(ulid(), namespace_id, RepositoryName.parse(name))
    transaction = Transaction()
    STORE.add(transaction, repository, visibility)
    transaction.commit()
    return repository


def name_row(repository: Repository) -> RepositoryNameRow:
    row = get(RepositoryNameRow, keys.repository_name(repository.namespace_id, repository.name.repository))
    assert row is not None
    return row


def test_a_name_leads_to_the_repository_and_the_repository_back(house: House) -> None:
    made = added("admin/a/b")
    found, back = STORE.find("n", made.name), STORE.get(made.id)

    assert found is not None
    assert back is not None
    assert found.repository_id == made.id
    assert (back.namespace_id, back.namespace, back.name, back.visibility) == ("n", "admin", "a/b", "private")


def test_a_name_is_taken_once(house: House) -> None:
    added("admin/app")
    before = rows_like(house)

    with pytest.raises(LostRace):
        added("admin/app")
    assert rows_like(house) == before


def test_a_name_that_does_not_live_is_not_found(house: House) -> None:
    made = added("admin/app")
    change(name_row(made), state="deleted")

    assert STORE.find("n", made.name) is None


def test_visibility_changes_on_both_sides_and_in_the_catalog(house: House) -> None:
    made = added("admin/app")
    STORE.change_visibility(name_row(made), Visibility.PUBLIC)
    back = STORE.get(made.id)

    assert back is not None
    assert name_row(made).visibility == back.visibility == "public"
    assert list(STORE.public("", 10)) == ["admin/app"]


def test_visibility_that_somebody_else_changed_is_a_lost_race(house: House) -> None:
    made = added("admin/app")
    stale = name_row(made)
    STORE.change_visibility(name_row(made), Visibility.PUBLIC)

    with pytest.raises(LostRace):
        STORE.change_visibility(stale, Visibility.PRIVATE)


def test_public_names_come_in_order_past_a_name_and_without_the_private(house: House) -> None:
    for name in ("admin/c", "admin/a", "bob/b"):
        added(name, Visibility.PUBLIC, name.partition("/")[0])
    added("admin/b", namespace_id="admin")

    assert list(STORE.public("", 10)) == ["admin/a", "admin/c", "bob/b"]
    assert list(STORE.public("admin/a", 1)) == ["admin/c"]
    assert list(STORE.public("bob/b", 1)) == []


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("", ["admin/a", "admin/a/b", "admin/c"]),
        ("aaa/z", ["admin/a", "admin/a/b", "admin/c"]),
        ("admin", ["admin/a", "admin/a/b", "admin/c"]),
        ("admin/a", ["admin/a/b", "admin/c"]),
        ("admin/b", ["admin/c"]),
        ("admin/c", []),
        ("admin1/a", []),
        ("bob/a", []),
    ],
)
def test_owned_names_come_in_order_past_any_name(house: House, after: str, expected: list[str]) -> None:
    for name in ("admin/c", "admin/a/b", "admin/a"):
        added(name)
    change(name_row(added("admin/dead")), state="deleted")

    assert list(STORE.owned("n", "admin", after, 10)) == expected


def test_owned_names_are_as_many_as_asked_for_even_where_some_are_dead(house: House) -> None:
    for name in ("admin/a", "admin/b", "admin/c", "admin/d"):
        made = added(name)
        if name == "admin/b":
            change(name_row(made), state="deleted")

    assert list(STORE.owned("n", "admin", "", 3)) == ["admin/a", "admin/c", "admin/d"]


def test_a_role_is_found_by_repository_and_by_account(house: House) -> None:
    made = added("admin/app")
    for role in (Role.READ, Role.WRITE):
        STORE.grant(made, "bob", role)

    assert STORE.granted("bob") == [made.id]
    assert STORE.granted("carol") == []
    assert [row["role"] for row in rows_like(house, f"R#{made.id}", "PERM#")] == ["write"]
    assert [row["role"] for row in rows_like(house, "A#bob", "GRANT#")] == ["write"]


def test_more_repositories_than_one_batch_holds_are_found_by_id(house: House) -> None:
    made = [added(f"admin/r{number}").id for number in range(3)]
    missing = [ulid() for _ in range(120)]

    assert set(STORE.get_all(made + missing)) == set(made)
    assert STORE.get_all([]) == {}


def test_sizes_of_repository_and_namespace_move_together(house: House) -> None:
    digest = Digest.of(b"x")
    for size in (100, 50, -120):
        transaction = Transaction()
        change_size(transaction, "n", "r", digest, size)
        transaction.commit()

    assert [row["bytes"] for row in rows_like(house, "N#n", "SIZE#")] == [30]
    assert [row["bytes"] for row in rows_like(house, "R#r", "SIZE#")] == [30]
