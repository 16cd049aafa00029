"""Removals by the collector: conditional, many per transaction, and one by one after a conflict."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.states import State
from chalicelib.storage import keys
from chalicelib.storage.lifecycle.garbage import EDGES_AT_ONCE, Freed, GarbageStore
from chalicelib.storage.registry.blobs import UsesRow
from chalicelib.storage.table import WriteConflict, get, put_all
from tests.support.backends import Backend
from tests.support.builders import a_blob, a_manifest, push_image, push_manifest
from tests.support.rows import repository_of, rows_like

STORE = GarbageStore()
BLOB = Digest.of(b"blob")


def an_edge(number: int, ulid: str = "old") -> UsesRow:
    manifest = Digest.of(str(number).encode())
    return UsesRow.under(keys.uses("r", BLOB, manifest), manifest=str(manifest), ulid=ulid)


def test_edges_are_read_a_page_at_a_time(backend: Backend) -> None:
    put_all(an_edge(number) for number in range(EDGES_AT_ONCE + 3))
    backend.calls.take()
    pages = STORE.users("r", BLOB)

    assert len(next(pages)) == EDGES_AT_ONCE
    assert backend.calls.take() == ["Query"]
    assert len(next(pages)) == 3
    assert list(STORE.users("r", Digest.of(b"other"))) == []


def test_an_edge_of_a_newer_push_is_kept_and_the_others_are_removed(backend: Backend) -> None:
    read = [an_edge(number) for number in range(60)]
    put_all(an_edge(number, "new" if number == 7 else "old") for number in range(60))
    STORE.remove_edges(read)

    assert [row["ulid"] for row in rows_like(backend, "R#r", "USES#")] == ["new"]
    STORE.remove_edges(read)


def test_the_state_of_a_manifest_changes_only_if_it_is_as_it_was_read(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    repository = repository_of(backend).id
    first = backend.services.stores.manifests.get_all(repository, [manifest.digest])[manifest.digest]
    second = backend.services.stores.manifests.get_all(repository, [manifest.digest, BLOB])[manifest.digest]
    STORE.move_manifest(first, State.CONDEMNED)

    assert first.state == "condemned"
    with pytest.raises(WriteConflict):
        STORE.move_manifest(second, State.CONDEMNED)


def test_a_link_is_removed_from_both_sides_with_its_size(backend: Backend) -> None:
    digest = a_blob(backend)
    repository = repository_of(backend)
    row, found = STORE.link(repository.id, digest)
    assert row is not None
    assert found is not None
    assert found.namespace_id == repository.namespace_id
    STORE.move_link(row, State.DELETING)
    STORE.remove_link((repository.namespace_id, repository.id), row, digest, 7)

    assert STORE.link(repository.id, digest)[0] is None
    assert not STORE.is_linked(digest)
    assert {entry["bytes"] for entry in rows_like(backend, "", "SIZE#")} == {0}
    assert [entry["due_at"] for entry in rows_like(backend, f"TIMER#garbage#BLOB#{digest}")] == [7]
    with pytest.raises(WriteConflict):
        STORE.remove_link((repository.namespace_id, repository.id), row, digest, 7)


def test_a_manifest_is_removed_with_its_bytes_and_its_size(backend: Backend) -> None:
    manifest = push_manifest(backend, a_manifest())
    repository = repository_of(backend)
    row = backend.services.stores.manifests.get(repository.id, manifest.digest)
    body, found = STORE.body(repository.id, manifest.digest)
    assert row is not None
    assert body is not None
    assert found is not None
    assert {entry["bytes"] for entry in rows_like(backend, "", "SIZE#")} == {manifest.size}
    STORE.remove_manifest((found.namespace_id, repository.id), row)

    assert STORE.body(repository.id, manifest.digest)[0] is None
    assert {entry["bytes"] for entry in rows_like(backend, "", "SIZE#")} == {0}
    with pytest.raises(WriteConflict):
        STORE.remove_manifest((found.namespace_id, repository.id), row)


def test_the_total_of_removed_content_adds_up(backend: Backend) -> None:
    STORE.count(Freed(1, 0, 10), 5)
    STORE.count(Freed(0, 2, 30), 6)

    total = STORE.total()
    assert (total.manifests, total.blobs, total.bytes, total.last_at) == (1, 2, 40, 6)
    assert get(type(total), keys.garbage()) is not None
