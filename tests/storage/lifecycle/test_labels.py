"""Storage of labels, which belong to one push of a manifest."""

import pytest

from chalicelib.domain.labels import API, PLAIN, Label
from chalicelib.storage.lifecycle.labels import LabelStore
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.table import Transaction, WriteConflict
from tests.support.backends import Backend
from tests.support.builders import push_image
from tests.support.rows import repository_of

STORE = LabelStore()


def label(identifier: str, key: str = "a") -> Label:
    return Label(identifier, key, "value", API, PLAIN)


def pushed_at(row: ManifestRow, second: int) -> ManifestRow:
    """Returns the row of the same manifest, as pushed at a second."""
    return ManifestRow.under(row.key, pushed_at=second, labeled=1)


def test_labels_belong_to_one_push_of_a_manifest(backend: Backend) -> None:
    digest = push_image(backend, "v1").digest
    repository_id = repository_of(backend).id
    row = backend.services.stores.manifests.get(repository_id, digest)
    assert row is not None
    transaction = Transaction()
    STORE.add(transaction, repository_id, digest, row, label("2", "b"))
    STORE.add(transaction, repository_id, digest, row, label("1"))
    STORE.add(transaction, repository_id, digest, pushed_at(row, row.pushed_at + 1), label("3"))
    transaction.commit()

    assert STORE.of_manifest(repository_id, digest, row) == [label("1"), label("2", "b")]
    STORE.remove_all(repository_id, digest, row)
    assert STORE.of_manifest(repository_id, digest, row) == []
    assert STORE.of_manifest(repository_id, digest, pushed_at(row, row.pushed_at + 1)) == [label("3")]
    transaction = Transaction()
    STORE.remove(transaction, repository_id, digest, label("1"))
    with pytest.raises(WriteConflict):
        transaction.commit()
