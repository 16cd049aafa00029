"""Storage of a rename: the new name, the reserved former one, and how it is freed."""

import pytest

from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountNameRow, AccountStore, NamespaceRow
from chalicelib.storage.accounts.renames import RenameStore
from chalicelib.storage.table import Transaction, WriteConflict, get
from tests.support.backends import Backend
from tests.support.builders import an_organization

STORE, ACCOUNTS = RenameStore(), AccountStore()


def rename(identifier: str, name: str) -> None:
    namespace = get(NamespaceRow, keys.namespace(identifier))
    transaction = Transaction()
    STORE.rename_namespace(transaction, namespace, name, 5)
    ACCOUNTS.put_namespace(transaction, namespace)
    transaction.commit()


def test_a_new_name_is_taken_and_the_former_one_is_reserved(backend: Backend) -> None:
    identifier = an_organization(backend)

    rename(identifier, "other")

    assert ACCOUNTS.find("other").id == identifier
    assert ACCOUNTS.find("acme") is None
    assert ACCOUNTS.holder_of("acme").deleted_at == 5
    assert STORE.former_names(identifier) == {"acme": 5}
    namespace = get(NamespaceRow, keys.namespace(identifier))
    assert (namespace.name, namespace.view_at) == ("other", "other")


def test_only_its_former_owner_can_take_a_former_name(backend: Backend) -> None:
    identifier, foreign = an_organization(backend), an_organization(backend, "foreign")
    rename(identifier, "other")

    for name in ("acme", "other"):
        with pytest.raises(WriteConflict):
            rename(foreign, name)
    rename(identifier, "acme")

    assert ACCOUNTS.find("acme").id == identifier
    assert STORE.former_names(identifier) == {"other": 5}


def test_a_former_name_can_be_freed_repeatedly_and_a_current_name_never(backend: Backend) -> None:
    identifier = an_organization(backend)
    rename(identifier, "other")

    STORE.free_former_name(identifier, "acme")
    STORE.free_former_name(identifier, "acme")

    assert get(AccountNameRow, keys.account_name("acme")) is None
    assert STORE.former_names(identifier) == {}
    with pytest.raises(WriteConflict):
        STORE.free_former_name(identifier, "other")
    assert ACCOUNTS.find("other").id == identifier
