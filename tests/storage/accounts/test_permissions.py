"""Storage of roles, found by repository, by holder and by namespace."""

from collections.abc import Callable

import pytest

from chalicelib.domain.permissions import HolderKind, Role
from chalicelib.storage.accounts.permissions import PermissionStore, RoleHolder
from chalicelib.storage.table import Transaction, WriteConflict
from tests.support.backends import Backend
from tests.support.rows import rows_like

STORE = PermissionStore()
BOB, DEVS, CI = (
    RoleHolder("a1", "bob", HolderKind.USER),
    RoleHolder("t1", "devs", HolderKind.TEAM),
    RoleHolder("a2", "acme+ci", HolderKind.ROBOT),
)
APP, WEB, OTHER = ("n1", "r1"), ("n1", "r2"), ("n2", "r3")


def commit(change: Callable[[Transaction], None]) -> None:
    transaction = Transaction()
    change(transaction)
    transaction.commit()


def give(holder: RoleHolder, where: tuple[str, str] = APP, role: Role = Role.READ, *, is_new: bool = True) -> None:
    commit(lambda transaction: STORE.put(transaction, where, holder, role, is_new=is_new))


def test_a_role_is_found_by_repository_by_holder_and_by_namespace(backend: Backend) -> None:
    give(BOB)
    give(BOB, WEB, Role.WRITE)
    give(BOB, OTHER)
    give(CI)

    rows = STORE.of_repository("r1")
    assert [(STORE.holder_id(row), row.name, row.kind, row.role) for row in rows] == [
        ("a1", "bob", "user", "read"),
        ("a2", "acme+ci", "robot", "read"),
    ]
    assert STORE.roles_of(BOB) == [("n1", "r1", "read"), ("n1", "r2", "write"), ("n2", "r3", "read")]
    assert STORE.roles_of(BOB, "n1") == [("n1", "r1", "read"), ("n1", "r2", "write")]
    assert STORE.accounts_in("n1") == {"a1": ["r1", "r2"], "a2": ["r1"]}
    assert STORE.of_holders("r1", ["a1", "a2", "nobody"]) == [Role.READ, Role.READ]
    assert STORE.of_holders("r1", []) == []


def test_a_team_s_role_is_found_by_the_team_and_does_not_list_accounts(backend: Backend) -> None:
    give(DEVS, role=Role.ADMIN)

    assert STORE.roles_of(DEVS) == [("n1", "r1", "admin")]
    assert rows_like(backend, "T#t1", "ROLE#")
    assert STORE.accounts_in("n1") == {}


def test_a_new_role_requires_that_there_is_none_and_a_change_that_there_is_one(backend: Backend) -> None:
    with pytest.raises(WriteConflict):
        give(BOB, is_new=False)
    give(BOB)
    with pytest.raises(WriteConflict):
        give(BOB)
    give(BOB, role=Role.WRITE, is_new=False)

    assert [row["role"] for row in rows_like(backend, "", "ROLE#") + rows_like(backend, "R#", "PERM#")] == ["write"] * 2


@pytest.mark.parametrize("holder", [BOB, DEVS, CI])
def test_a_role_is_removed_from_every_place_and_only_once(backend: Backend, holder: RoleHolder) -> None:
    give(holder)

    commit(lambda transaction: STORE.remove(transaction, APP, holder))

    assert rows_like(backend, "R#r1") == rows_like(backend, "N#n1") == rows_like(backend, "", "ROLE#") == []
    with pytest.raises(WriteConflict):
        commit(lambda transaction: STORE.remove(transaction, APP, holder))


@pytest.mark.parametrize("holder", [BOB, DEVS])
def test_the_role_of_a_deleted_holder_can_be_removed_repeatedly(backend: Backend, holder: RoleHolder) -> None:
    give(holder)

    STORE.end_role(APP, holder)
    STORE.end_role(APP, holder)

    assert rows_like(backend, "R#r1") == rows_like(backend, "N#n1") == rows_like(backend, "", "ROLE#") == []
