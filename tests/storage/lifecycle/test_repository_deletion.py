"""Removal of a deleted repository's content, a page at a time."""

import itertools

from chalicelib.domain.permissions import Role
from chalicelib.storage.accounts.permissions import PermissionStore
from chalicelib.storage.lifecycle.repository_deletion import AT_ONCE, RepositoryDeletionStore
from tests.support.backends import Backend
from tests.support.builders import an_actor_with_role, push_image
from tests.support.rows import repository_of, rows_like


def test_a_live_repository_is_not_found_among_the_deleted_ones(backend: Backend) -> None:
    push_image(backend, "v1")
    store = RepositoryDeletionStore(PermissionStore(), backend.services.stores.objects)

    assert store.find(repository_of(backend).id) is None
    assert store.of_namespace(backend.account("admin").id) == []


def test_rows_are_removed_a_page_at_a_time_until_only_the_last_are_left(backend: Backend) -> None:
    push_image(backend, *(f"v{number}" for number in range(40)))
    repository = repository_of(backend)
    backend.services.registry.repositories.delete(backend.signed_in("admin"), repository.name)
    store = RepositoryDeletionStore(PermissionStore(), backend.services.stores.objects)
    found = store.find(repository.id)
    assert found is not None
    back, gone = found
    left = [len(rows_like(backend, f"R#{repository.id}"))]
    while store.remove_some(back, 0):
        left.append(len(rows_like(backend, f"R#{repository.id}")))

    assert all(0 < before - after <= AT_ONCE + 10 for before, after in itertools.pairwise(left))
    assert {row["sk"].partition("#")[0] for row in rows_like(backend, f"R#{repository.id}")} == {"META", "SIZE"}
    store.finish_purge(back, gone)
    assert rows_like(backend, f"R#{repository.id}") == []


def test_rows_with_counterparts_are_read_with_the_others(backend: Backend) -> None:
    backend.user("bob")
    push_image(backend, "v1", layers=3)
    an_actor_with_role(backend, "bob", Role.READ)
    backend.services.registry.repositories.delete(backend.signed_in("admin"), repository_of(backend).name)
    store = RepositoryDeletionStore(PermissionStore(), backend.services.stores.objects)
    (gone,) = store.of_namespace(backend.account("admin").id)
    found = store.find(gone.repository_id)
    assert found is not None
    backend.calls.take()

    assert store.remove_some(found[0], 0)

    calls = backend.calls.take()
    # One query, then a transaction for each of config, layers, manifest and role, and one batch for the rest. Before a
    # blob goes, the number of the namespace's repositories that have it is read.
    assert (calls[0], calls.count("Query"), calls.count("TransactWriteItems")) == ("Query", 1, 6)
    assert calls.count("GetItem") == 4
    assert set(calls) == {"Query", "GetItem", "TransactWriteItems", "BatchWriteItem"}
