"""Manifests are counted against the quota of their namespace."""

import pytest

from chalicelib.domain.errors import QuotaExceeded
from chalicelib.services.registry.manifest_sizes import ManifestSizes
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.accounts.quotas import room_of
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.table import Transaction, WriteConflict, get
from tests.support.backends import Backend
from tests.support.builders import a_manifest, a_quota, a_repository, push_manifest
from tests.support.rows import linked_bytes


def namespace_of(backend: Backend) -> NamespaceRow | None:
    return get(NamespaceRow, keys.namespace(backend.account().id))


def test_a_new_manifest_takes_room_and_a_stored_one_takes_none(backend: Backend) -> None:
    manifest, repository, sizes = a_manifest(), a_repository(backend), ManifestSizes(backend.services.stores)
    a_quota(backend, manifest.size)
    for stored in (None, ManifestRow()):
        transaction = Transaction()
        sizes.add(transaction, repository, manifest, stored, namespace_of(backend))
        if not transaction.is_empty:
            transaction.commit()

    assert linked_bytes(backend, repository)[1:] == (manifest.size, manifest.size)
    assert room_of(repository.namespace_id).version == 1


def test_a_manifest_without_room_is_refused_unless_somebody_has_pushed_it_meanwhile(backend: Backend) -> None:
    manifest, repository, sizes = a_manifest(), a_repository(backend), ManifestSizes(backend.services.stores)
    push_manifest(backend, manifest)
    a_quota(backend, manifest.size)

    with pytest.raises(WriteConflict):
        sizes.add(Transaction(), repository, manifest, None, namespace_of(backend))
    with pytest.raises(QuotaExceeded):
        sizes.add(Transaction(), repository, a_manifest(), None, namespace_of(backend))
