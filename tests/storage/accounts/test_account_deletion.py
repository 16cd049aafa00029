"""Removal of the rows that a deleted account leaves."""

from chalicelib.domain.permissions import Role
from chalicelib.storage import keys
from chalicelib.storage.accounts.account_deletion import AT_ONCE, AccountDeletionStore
from chalicelib.storage.table import Row
from tests.support.backends import Backend
from tests.support.builders import a_repository, an_actor_with_role
from tests.support.rows import rows_like


def store(backend: Backend) -> AccountDeletionStore:
    return AccountDeletionStore(
        backend.services.stores.applications, backend.services.stores.teams, backend.services.stores.permissions
    )


def test_remaining_rows_are_removed_a_page_at_a_time(backend: Backend) -> None:
    row = backend.account()
    for number in range(AT_ONCE + 1):
        Row.under(keys.star(row.id, f"R{number:03}")).save()

    assert store(backend).remove_rest(row.id)
    assert len(rows_like(backend, f"A#{row.id}", "STAR#")) == 1
    assert not store(backend).remove_rest(row.id)
    assert rows_like(backend, f"A#{row.id}", "STAR#") == []


def test_a_role_is_removed_from_all_three_places(backend: Backend) -> None:
    row = backend.user("bob")
    a_repository(backend)
    an_actor_with_role(backend, "bob", Role.READ)

    store(backend).end_roles(row.id)

    assert [one for one in rows_like(backend) if "PERM#" + row.id in one["sk"] or "ROLE#" in one["sk"]] == []
    assert [one for one in rows_like(backend) if f"GIVEN#{row.id}" in one["sk"]] == []


def test_a_session_is_removed_with_its_hash(backend: Backend) -> None:
    row = backend.account()
    backend.services.identity.sessions.begin(row)

    assert not store(backend).end_tokens(row.id)

    assert rows_like(backend, f"A#{row.id}", "TOKEN#") == rows_like(backend, "TOKEN#") == []
    assert not store(backend).leave_teams(row.id)
