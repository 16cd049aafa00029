"""Removal of the rows that a deleted namespace leaves, in repeatable steps."""

from chalicelib.domain.states import NamespaceState
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.accounts.namespace_purge import AT_ONCE, NamespacePurgeStore
from chalicelib.storage.registry.sizes import SizeRow
from chalicelib.storage.table import Row, get, put_all
from tests.support.backends import Backend
from tests.support.builders import an_organization
from tests.support.rows import rows_like


def store_of(backend: Backend) -> NamespacePurgeStore:
    return backend.services.stores.namespace_purge


def rest(identifier: str, *names: str) -> list[Row]:
    """Creates rows of kinds that the store does not know."""
    return [Row.under((keys.namespace(identifier)[0], name)) for name in names]


def test_other_rows_of_a_namespace_are_removed_page_by_page(backend: Backend) -> None:
    identifier = an_organization(backend)
    put_all(rest(identifier, *(f"{letter}{number}" for letter in "AHNTZ" for number in range(AT_ONCE + 1))))
    put_all(SizeRow.under(key, bytes=1) for key in keys.namespace_sizes(identifier))
    put_all(rest(identifier, "GONE#app#1", "REPO#app"))

    store = store_of(backend)
    steps = 1
    while store.remove_rest(identifier):
        steps += 1
    assert steps == 3
    assert {row["sk"].partition("#")[0] for row in rows_like(backend, f"N#{identifier}")} == {
        "GONE",
        "META",
        "REPO",
        "SIZE",
    }
    assert not store.remove_rest(identifier)


def test_the_name_of_a_purged_namespace_is_freed(backend: Backend) -> None:
    identifier = an_organization(backend)
    namespace = get(NamespaceRow, keys.namespace(identifier))

    store_of(backend).free_name(namespace)
    assert get(NamespaceRow, keys.namespace(identifier)).state == NamespaceState.PURGED
    assert backend.services.stores.accounts.holder_of("acme") is None


def test_a_namespace_is_removed_with_its_counters(backend: Backend) -> None:
    identifier = an_organization(backend)
    put_all(SizeRow.under(key, bytes=1) for key in keys.namespace_sizes(identifier))

    for _ in range(2):
        store_of(backend).remove_namespace(identifier)
    assert {row["sk"].partition("#")[0] for row in rows_like(backend, f"N#{identifier}")} == {"TEAM"}
