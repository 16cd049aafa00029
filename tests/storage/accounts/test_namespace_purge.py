"""What a deleted namespace leaves, step by step: in pages, each done again without harm."""

from chalicelib.domain.states import NamespaceState
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.accounts.namespace_purge import AT_ONCE, NamespacePurgeStore
from chalicelib.storage.registry.repositories import SizeRow
from chalicelib.storage.table import Row, get, put_all
from tests.support.backends import Backend
from tests.support.builders import an_organization
from tests.support.rows import rows_like


def store_of(backend: Backend) -> NamespacePurgeStore:
    store: NamespacePurgeStore = backend.services.accounts.namespace_purge._store
    return store


def rest(identifier: str, *names: str) -> list[Row]:
    """Rows of kinds that this store has not heard of."""
    return [Row.under((keys.namespace(identifier)[0], name)) for name in names]


def test_whatever_else_lies_with_a_namespace_is_dropped_page_by_page(backend: Backend) -> None:
    identifier = an_organization(backend)
    put_all(rest(identifier, *(f"{letter}{number}" for letter in "AHNTZ" for number in range(AT_ONCE + 1))))
    put_all(SizeRow.under(key, bytes=1) for key in keys.namespace_sizes(identifier))
    put_all(rest(identifier, "GONE#app#1", "REPO#app"))

    store = store_of(backend)
    turns = 1
    while store.drop_rest(identifier):
        turns += 1
    assert turns == 3
    assert {row["sk"].partition("#")[0] for row in rows_like(backend, f"N#{identifier}")} == {
        "GONE",
        "META",
        "REPO",
        "SIZE",
    }
    assert not store.drop_rest(identifier)


def test_a_name_is_freed_for_others_and_a_successor_keeps_it(backend: Backend) -> None:
    identifier = an_organization(backend)
    namespace = get(NamespaceRow, keys.namespace(identifier))

    store_of(backend).free_name(namespace)
    assert get(NamespaceRow, keys.namespace(identifier)).state == NamespaceState.PURGED
    assert backend.services.stores.accounts.holder_of("acme") is None


def test_a_namespace_goes_with_its_counters(backend: Backend) -> None:
    identifier = an_organization(backend)
    put_all(SizeRow.under(key, bytes=1) for key in keys.namespace_sizes(identifier))

    for _ in range(2):
        store_of(backend).forget(identifier)
    assert {row["sk"].partition("#")[0] for row in rows_like(backend, f"N#{identifier}")} == {"TEAM"}
