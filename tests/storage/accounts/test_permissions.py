"""Roles as they are kept: found by repository, by holder and by namespace, all or none."""

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


def done(change: Callable[[Transaction], None]) -> None:
    transaction = Transaction()
    change(transaction)
    transaction.commit()


def given(holder: RoleHolder, where: tuple[str, str] = APP, role: Role = Role.READ, *, is_new: bool = True) -> None:
    done(lambda transaction: STORE.put(transaction, where, holder, role, is_new=is_new))


def test_a_role_is_found_from_every_side(backend: Backend) -> None:
    given(BOB)
    given(BOB, WEB, Role.WRITE)
    given(BOB, OTHER)
    given(CI)

    rows = STORE.of_repository("r1")
    assert [(STORE.holder_id(row), row.name, row.kind, row.role) for row in rows] == [
        ("a1", "bob", "user", "read"),
        ("a2", "acme+ci", "robot", "read"),
    ]
    assert STORE.held(BOB) == [("n1", "r1", "read"), ("n1", "r2", "write"), ("n2", "r3", "read")]
    assert STORE.held(BOB, "n1") == [("n1", "r1", "read"), ("n1", "r2", "write")]
    assert STORE.accounts_in("n1") == {"a1": ["r1", "r2"], "a2": ["r1"]}
    assert STORE.of_holders("r1", ["a1", "a2", "nobody"]) == [Role.READ, Role.READ]
    assert STORE.of_holders("r1", []) == []


def test_a_team_s_role_is_found_by_the_team_and_makes_nobody_a_collaborator(backend: Backend) -> None:
    given(DEVS, role=Role.ADMIN)

    assert STORE.held(DEVS) == [("n1", "r1", "admin")]
    assert rows_like(backend, "T#t1", "ROLE#")
    assert STORE.accounts_in("n1") == {}


def test_a_new_role_needs_that_there_was_none_and_another_that_there_was_one(backend: Backend) -> None:
    with pytest.raises(WriteConflict):
        given(BOB, is_new=False)
    given(BOB)
    with pytest.raises(WriteConflict):
        given(BOB)
    given(BOB, role=Role.WRITE, is_new=False)

    assert [row["role"] for row in rows_like(backend, "", "ROLE#") + rows_like(backend, "R#", "PERM#")] == ["write"] * 2


@pytest.mark.parametrize("holder", [BOB, DEVS, CI])
def test_a_role_is_taken_back_from_every_side_and_once(backend: Backend, holder: RoleHolder) -> None:
    given(holder)

    done(lambda transaction: STORE.remove(transaction, APP, holder))

    assert rows_like(backend, "R#r1") == rows_like(backend, "N#n1") == rows_like(backend, "", "ROLE#") == []
    with pytest.raises(WriteConflict):
        done(lambda transaction: STORE.remove(transaction, APP, holder))


@pytest.mark.parametrize("holder", [BOB, DEVS])
def test_what_a_holder_leaves_is_forgotten_as_often_as_one_likes(backend: Backend, holder: RoleHolder) -> None:
    given(holder)

    STORE.forget(APP, holder)
    STORE.forget(APP, holder)

    assert rows_like(backend, "R#r1") == rows_like(backend, "N#n1") == rows_like(backend, "", "ROLE#") == []
