"""Repositories: a name and its way back change together, and lists go on where they ended."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.repositories import Repository, Visibility
from chalicelib.storage import keys
from chalicelib.storage.registry.repositories import (
    DeletedRepositoryRow,
    RepositoryNameRow,
    RepositoryStore,
    SizeRow,
    change_size,
    pushed_row,
)
from chalicelib.storage.table import Transaction, WriteConflict, get
from tests.support.backends import Backend
from tests.support.rows import change, rows_like

STORE = RepositoryStore()


def added(name: str, visibility: Visibility = Visibility.PRIVATE, namespace_id: str = "n") -> Repository:
    repository = Repository(ulid(), namespace_id, RepositoryName.parse(name))
    transaction = Transaction()
    STORE.add(transaction, repository, visibility)
    transaction.commit()
    return repository


def change_visibility(row: RepositoryNameRow, visibility: Visibility) -> None:
    transaction = Transaction()
    STORE.change(transaction, row, visibility=visibility.value)
    transaction.commit()


def public(after: str, limit: int) -> list[str]:
    return [row.view_at for row in STORE.public(after, limit)]


def name_row(repository: Repository) -> RepositoryNameRow:
    row = get(RepositoryNameRow, keys.repository_name(repository.namespace_id, repository.name.repository))
    assert row is not None
    return row


def test_a_name_leads_to_the_repository_and_the_repository_back(backend: Backend) -> None:
    made = added("admin/a/b")
    found, back = STORE.find("n", made.name), STORE.get(made.id)

    assert found is not None
    assert back is not None
    assert found.repository_id == made.id
    assert (back.namespace_id, back.namespace, back.name, back.visibility) == ("n", "admin", "a/b", "private")


def test_a_name_is_taken_once(backend: Backend) -> None:
    added("admin/app")
    before = rows_like(backend)

    with pytest.raises(WriteConflict):
        added("admin/app")
    assert rows_like(backend) == before


def test_a_name_that_does_not_live_is_not_found(backend: Backend) -> None:
    made = added("admin/app")
    change(name_row(made), state="deleted")

    assert STORE.find("n", made.name) is None


def test_visibility_changes_on_both_sides_and_in_the_catalog(backend: Backend) -> None:
    made = added("admin/app")
    change_visibility(name_row(made), Visibility.PUBLIC)
    back = STORE.get(made.id)

    assert back is not None
    assert name_row(made).visibility == back.visibility == "public"
    assert public("", 10) == ["admin/app"]


def test_visibility_that_somebody_else_changed_is_a_lost_race(backend: Backend) -> None:
    made = added("admin/app")
    stale = name_row(made)
    change_visibility(name_row(made), Visibility.PUBLIC)

    with pytest.raises(WriteConflict):
        change_visibility(stale, Visibility.PRIVATE)


def test_public_names_come_in_order_past_a_name_and_without_the_private(backend: Backend) -> None:
    for name in ("admin/c", "admin/a", "bob/b"):
        added(name, Visibility.PUBLIC, name.partition("/")[0])
    added("admin/b", namespace_id="admin")

    assert public("", 10) == ["admin/a", "admin/c", "bob/b"]
    assert public("admin/a", 1) == ["admin/c"]
    assert public("bob/b", 1) == []


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
def test_owned_names_come_in_order_past_any_name(backend: Backend, after: str, expected: list[str]) -> None:
    for name in ("admin/c", "admin/a/b", "admin/a"):
        added(name)
    change(name_row(added("admin/dead")), state="deleted")

    assert list(STORE.owned("n", "admin", after, 10)) == expected


def test_owned_names_are_as_many_as_asked_for_even_where_some_are_dead(backend: Backend) -> None:
    for name in ("admin/a", "admin/b", "admin/c", "admin/d"):
        made = added(name)
        if name == "admin/b":
            change(name_row(made), state="deleted")

    assert list(STORE.owned("n", "admin", "", 3)) == ["admin/a", "admin/c", "admin/d"]


def test_more_repositories_than_one_batch_holds_are_found_by_id(backend: Backend) -> None:
    made = [added(f"admin/r{number}").id for number in range(3)]
    missing = [ulid() for _ in range(120)]

    assert set(STORE.get_all(made + missing)) == set(made)
    assert STORE.get_all([]) == {}


def test_sizes_of_repository_and_namespace_move_together(backend: Backend) -> None:
    digest = Digest.of(b"x")
    for size in (100, 50, -120):
        transaction = Transaction()
        change_size(transaction, "n", "r", digest, size)
        transaction.commit()

    assert [row["bytes"] for row in rows_like(backend, "N#n", "SIZE#")] == [30]
    assert [row["bytes"] for row in rows_like(backend, "R#r", "SIZE#")] == [30]


def test_what_changes_does_so_on_both_sides_over_the_version_that_was_read(backend: Backend) -> None:
    made = added("admin/app")
    stale = name_row(made)
    for text in ("one", "two"):
        transaction = Transaction()
        STORE.change(transaction, name_row(made), description=text, mode="READ_ONLY")
        transaction.commit()
    back = STORE.get(made.id)

    assert back is not None
    assert name_row(made).description == back.description == "two"
    assert not name_row(made).is_normal
    transaction = Transaction()
    STORE.change(transaction, stale, description="three")
    with pytest.raises(WriteConflict):
        transaction.commit()


def mark_deleted(row: RepositoryNameRow, identifier: str = "u") -> None:
    transaction = Transaction()
    STORE.mark_deleted(transaction, "n", row, identifier, (10, 20))
    transaction.commit()


def test_a_buried_name_is_free_and_keeps_what_it_said(backend: Backend) -> None:
    made = added("admin/app", Visibility.PUBLIC)
    row = name_row(made)
    mark_deleted(row)
    gone, back = get(DeletedRepositoryRow, keys.gone("n", "app", "u")), STORE.get(made.id)

    assert gone is not None
    assert back is not None
    assert STORE.find("n", made.name) is None
    assert (gone.repository_id, gone.visibility, gone.status_token) == (made.id, "public", row.status_token)
    assert (gone.deleted_at, gone.purge_at, gone.state) == (10, 20, "deleted")
    assert (back.state, back.gone) == ("deleted", "u")
    assert STORE.get_all([made.id]) == {}
    assert added("admin/app").id != made.id


def test_a_name_that_leads_elsewhere_now_is_not_buried(backend: Backend) -> None:
    first = name_row(added("admin/app"))
    mark_deleted(first)
    second = added("admin/app")

    with pytest.raises(WriteConflict):
        mark_deleted(first, "v")
    assert name_row(second).repository_id == second.id


def test_pushes_and_sizes_of_many_are_found_at_once(backend: Backend) -> None:
    transaction = Transaction()
    transaction.put(pushed_row("r1", 7))
    for content, repository_id in ((b"a", "r1"), (b"b", "r1"), (b"c", "r2")):
        change_size(transaction, f"n{content!r}", repository_id, Digest.of(content), 10)
    transaction.commit()

    assert STORE.pushed(["r1", "r2"]) == {"r1": 7}
    assert STORE.sizes(["r1", "r2", "r3"]) == {"r1": 20, "r2": 10, "r3": 0}


def test_repositories_come_with_their_namespaces_in_one_batch(backend: Backend) -> None:
    made, dead = added("admin/app"), added("admin/dead")
    mark_deleted(name_row(dead))
    backend.calls.take()

    rows, namespaces = STORE.with_namespaces([dead.id, made.id, "none"], [backend.account().id, "none"])

    assert backend.calls.take().count("BatchGetItem") == 1
    assert list(rows) == [made.id]
    assert [row.name for row in namespaces.values()] == ["admin"]


def test_a_namespace_s_repositories_are_walked_in_order_from_any(backend: Backend) -> None:
    for name in ("b", "a", "c"):
        added(f"admin/{name}")
    added("other/d", namespace_id="another")

    assert [row.name for row in STORE.in_namespace("n", "", 2)] == ["a", "b", "c"]
    assert [row.name for row in STORE.in_namespace("n", "a", 2)] == ["b", "c"]


@pytest.mark.parametrize("change_to", [{"mode": "READ_ONLY"}, {"state": "deleted"}, {"repository_id": "another"}])
def test_a_transaction_fails_where_tags_do_not_change_now(backend: Backend, change_to: dict[str, str]) -> None:
    repository = added("admin/app")

    def write() -> None:
        transaction = Transaction()
        STORE.still_normal(transaction, repository)
        transaction.put(SizeRow.under(("other", "row"), bytes=1))
        transaction.commit()

    write()
    change(name_row(repository), **change_to)
    with pytest.raises(WriteConflict):
        write()
