"""Storage of repositories: the rows by name and by id change together, and lists continue after a name."""

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
    pushed_row,
)
from chalicelib.storage.registry.sizes import SizeRow, add_link
from chalicelib.storage.table import Transaction, WriteConflict, get
from tests.support.backends import Backend
from tests.support.rows import change, rows_like

STORE = RepositoryStore()


def add(name: str, visibility: Visibility = Visibility.PRIVATE, namespace_id: str = "n") -> Repository:
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


def test_a_repository_is_found_by_name_and_by_id(backend: Backend) -> None:
    repository = add("admin/a/b")
    by_name, by_id = STORE.find("n", repository.name), STORE.get(repository.id)

    assert by_name is not None
    assert by_id is not None
    assert by_name.repository_id == repository.id
    assert (by_id.namespace_id, by_id.namespace, by_id.name, by_id.visibility) == ("n", "admin", "a/b", "private")


def test_a_name_is_taken_once(backend: Backend) -> None:
    add("admin/app")
    before = rows_like(backend)

    with pytest.raises(WriteConflict):
        add("admin/app")
    assert rows_like(backend) == before


def test_a_deleted_name_is_not_found(backend: Backend) -> None:
    repository = add("admin/app")
    change(name_row(repository), state="deleted")

    assert STORE.find("n", repository.name) is None


def test_visibility_changes_in_both_rows_and_in_the_catalog(backend: Backend) -> None:
    repository = add("admin/app")
    change_visibility(name_row(repository), Visibility.PUBLIC)
    by_id = STORE.get(repository.id)

    assert by_id is not None
    assert name_row(repository).visibility == by_id.visibility == "public"
    assert public("", 10) == ["admin/app"]


def test_a_concurrent_change_of_visibility_is_a_write_conflict(backend: Backend) -> None:
    repository = add("admin/app")
    stale = name_row(repository)
    change_visibility(name_row(repository), Visibility.PUBLIC)

    with pytest.raises(WriteConflict):
        change_visibility(stale, Visibility.PRIVATE)


def test_public_repositories_are_listed_in_order_after_a_name(backend: Backend) -> None:
    for name in ("admin/c", "admin/a", "bob/b"):
        add(name, Visibility.PUBLIC, name.partition("/")[0])
    add("admin/b", namespace_id="admin")

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
def test_a_namespace_s_full_names_are_listed_in_order_after_any_name(
    backend: Backend, after: str, expected: list[str]
) -> None:
    for name in ("admin/c", "admin/a/b", "admin/a"):
        add(name)
    change(name_row(add("admin/dead")), state="deleted")

    assert list(STORE.owned("n", "admin", after, 10)) == expected


def test_a_list_of_full_names_reaches_its_limit_despite_deleted_ones(backend: Backend) -> None:
    for name in ("admin/a", "admin/b", "admin/c", "admin/d"):
        repository = add(name)
        if name == "admin/b":
            change(name_row(repository), state="deleted")

    assert list(STORE.owned("n", "admin", "", 3)) == ["admin/a", "admin/c", "admin/d"]


def test_more_repositories_than_one_batch_holds_are_found_by_id(backend: Backend) -> None:
    existing = [add(f"admin/r{number}").id for number in range(3)]
    missing = [ulid() for _ in range(120)]

    assert set(STORE.get_all(existing + missing)) == set(existing)
    assert STORE.get_all([]) == {}


def test_attributes_change_in_both_rows_and_only_in_the_version_that_was_read(backend: Backend) -> None:
    repository = add("admin/app")
    stale = name_row(repository)
    for text in ("one", "two"):
        transaction = Transaction()
        STORE.change(transaction, name_row(repository), description=text, mode="READ_ONLY")
        transaction.commit()
    by_id = STORE.get(repository.id)

    assert by_id is not None
    assert name_row(repository).description == by_id.description == "two"
    assert not name_row(repository).is_normal
    transaction = Transaction()
    STORE.change(transaction, stale, description="three")
    with pytest.raises(WriteConflict):
        transaction.commit()


def mark_deleted(row: RepositoryNameRow, identifier: str = "u") -> None:
    transaction = Transaction()
    STORE.mark_deleted(transaction, "n", row, identifier, (10, 20))
    transaction.commit()


def test_a_deleted_repository_keeps_its_attributes_and_frees_its_name(backend: Backend) -> None:
    repository = add("admin/app", Visibility.PUBLIC)
    row = name_row(repository)
    mark_deleted(row)
    gone, by_id = get(DeletedRepositoryRow, keys.gone("n", "app", "u")), STORE.get(repository.id)

    assert gone is not None
    assert by_id is not None
    assert STORE.find("n", repository.name) is None
    assert (gone.repository_id, gone.visibility, gone.status_token) == (repository.id, "public", row.status_token)
    assert (gone.deleted_at, gone.purge_at, gone.state) == (10, 20, "deleted")
    assert (by_id.state, by_id.gone) == ("deleted", "u")
    assert STORE.get_all([repository.id]) == {}
    assert add("admin/app").id != repository.id


def test_a_name_that_belongs_to_another_repository_is_not_deleted(backend: Backend) -> None:
    first = name_row(add("admin/app"))
    mark_deleted(first)
    second = add("admin/app")

    with pytest.raises(WriteConflict):
        mark_deleted(first, "v")
    assert name_row(second).repository_id == second.id


def test_last_pushes_and_sizes_of_many_repositories_are_read_together(backend: Backend) -> None:
    transaction = Transaction()
    transaction.put(pushed_row("r1", 7))
    for content, repository_id in ((b"a", "r1"), (b"b", "r1"), (b"c", "r2")):
        add_link(transaction, (f"n{content!r}", repository_id), Digest.of(content), 10, None)
    transaction.commit()

    assert STORE.pushed(["r1", "r2"]) == {"r1": 7}
    assert STORE.sizes(["r1", "r2", "r3"]) == {"r1": 20, "r2": 10, "r3": 0}


def test_repositories_are_read_with_their_namespaces_in_one_batch(backend: Backend) -> None:
    live, dead = add("admin/app"), add("admin/dead")
    mark_deleted(name_row(dead))
    backend.calls.take()

    rows, namespaces = STORE.with_namespaces([dead.id, live.id, "none"], [backend.account().id, "none"])

    assert backend.calls.take().count("BatchGetItem") == 1
    assert list(rows) == [live.id]
    assert [row.name for row in namespaces.values()] == ["admin"]


def test_a_namespace_s_live_repositories_are_listed_in_order_after_a_name(backend: Backend) -> None:
    for name in ("b", "a", "c"):
        add(f"admin/{name}")
    add("other/d", namespace_id="another")

    assert [row.name for row in STORE.in_namespace("n", "", 2)] == ["a", "b", "c"]
    assert [row.name for row in STORE.in_namespace("n", "a", 2)] == ["b", "c"]


@pytest.mark.parametrize("change_to", [{"mode": "READ_ONLY"}, {"state": "deleted"}, {"repository_id": "another"}])
def test_a_transaction_fails_if_the_repository_does_not_accept_pushes(
    backend: Backend, change_to: dict[str, str]
) -> None:
    repository = add("admin/app")

    def write() -> None:
        transaction = Transaction()
        STORE.require_normal(transaction, repository)
        transaction.put(SizeRow.under(("other", "row"), bytes=1))
        transaction.commit()

    write()
    change(name_row(repository), **change_to)
    with pytest.raises(WriteConflict):
        write()
