"""Storage of an organization's default permissions."""

import pytest

from chalicelib.domain.permissions import Role
from chalicelib.storage import keys
from chalicelib.storage.accounts.prototypes import PrototypeRow, PrototypeStore
from chalicelib.storage.table import Transaction, WriteConflict
from tests.support.backends import Backend

STORE = PrototypeStore()


def add(uuid: str, namespace_id: str = "n1") -> PrototypeRow:
    row = PrototypeRow.under(
        keys.prototype(namespace_id, uuid),
        uuid=uuid, namespace_id=namespace_id, role="read", delegate_id="a1", delegate_kind="user",
    )  # fmt: skip
    transaction = Transaction()
    STORE.add(transaction, row)
    transaction.commit()
    return row


def test_an_organization_has_its_own_default_permissions(backend: Backend) -> None:
    add("2")
    add("1")
    add("3", "n2")

    assert [row.uuid for row in STORE.of_namespace("n1")] == ["1", "2"]
    found = STORE.get("n1", "1")
    assert (found.delegate_id, found.role, found.maker_id) == ("a1", "read", None)
    assert STORE.get("n1", "3") is STORE.get("n1", "") is None


def test_of_two_concurrent_changes_one_is_a_write_conflict(backend: Backend) -> None:
    add("1")
    first, second = STORE.get("n1", "1"), STORE.get("n1", "1")
    for number, row in enumerate((first, second)):
        row.role = Role.WRITE
        transaction = Transaction()
        STORE.change(transaction, row)
        if number == 0:
            transaction.commit()
        else:
            with pytest.raises(WriteConflict):
                transaction.commit()
    assert STORE.get("n1", "1").role == "write"


def test_a_default_permission_is_removed_once_and_cannot_be_changed_afterwards(backend: Backend) -> None:
    row = add("1")
    transaction = Transaction()
    STORE.remove(transaction, row)
    transaction.commit()

    for change in (STORE.remove, STORE.change):
        transaction = Transaction()
        change(transaction, row)
        with pytest.raises(WriteConflict):
            transaction.commit()
    assert STORE.of_namespace("n1") == []
