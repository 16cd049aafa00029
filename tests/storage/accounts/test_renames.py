"""A rename as it is kept: a name taken, another held, and both given back."""

import pytest

from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountNameRow, AccountStore, NamespaceRow
from chalicelib.storage.accounts.renames import RenameStore
from chalicelib.storage.table import Transaction, WriteConflict, get
from tests.support.backends import Backend
from tests.support.builders import an_organization

STORE, ACCOUNTS = RenameStore(), AccountStore()


def taken(identifier: str, name: str) -> None:
    namespace = get(NamespaceRow, keys.namespace(identifier))
    transaction = Transaction()
    STORE.take(transaction, namespace, name, 5)
    ACCOUNTS.put_namespace(transaction, namespace)
    transaction.commit()


def test_a_name_is_taken_and_the_one_before_is_held(backend: Backend) -> None:
    identifier = an_organization(backend)

    taken(identifier, "other")

    assert ACCOUNTS.find("other").id == identifier
    assert ACCOUNTS.find("acme") is None
    assert ACCOUNTS.holder_of("acme").deleted_at == 5
    assert STORE.former_names(identifier) == {"acme": 5}
    namespace = get(NamespaceRow, keys.namespace(identifier))
    assert (namespace.name, namespace.view_at) == ("other", "other")


def test_a_former_name_is_taken_again_by_whose_it_was_and_by_nobody_else(backend: Backend) -> None:
    identifier, foreign = an_organization(backend), an_organization(backend, "foreign")
    taken(identifier, "other")

    for name in ("acme", "other"):
        with pytest.raises(WriteConflict):
            taken(foreign, name)
    taken(identifier, "acme")

    assert ACCOUNTS.find("acme").id == identifier
    assert STORE.former_names(identifier) == {"other": 5}


def test_a_former_name_is_freed_as_often_as_one_likes_and_a_live_one_never(backend: Backend) -> None:
    identifier = an_organization(backend)
    taken(identifier, "other")

    STORE.free(identifier, "acme")
    STORE.free(identifier, "acme")

    assert get(AccountNameRow, keys.account_name("acme")) is None
    assert STORE.former_names(identifier) == {}
    with pytest.raises(WriteConflict):
        STORE.free(identifier, "other")
    assert ACCOUNTS.find("other").id == identifier
