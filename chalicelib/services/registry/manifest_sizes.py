"""Counts the bytes of manifests, against the quota of their namespace."""

from chalicelib.domain.manifests import Manifest
from chalicelib.domain.repositories import Repository
from chalicelib.services.accounts.quotas import check_room
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.accounts.quotas import RoomRow
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.registry.sizes import add_manifest
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction


class ManifestSizes:
    """Counts manifests. A manifest is counted as long as its row exists."""

    def __init__(self, stores: Stores) -> None:
        self._store, self._clock = stores.manifests, stores.clock

    def add(
        self,
        transaction: Transaction,
        repository: Repository,
        manifest: Manifest,
        stored: ManifestRow | None,
        namespace: NamespaceRow | None,
    ) -> None:
        """Adds the size of a manifest that is pushed, unless it is stored already. Raises as `room` does."""
        room = self.room(repository, manifest, stored, namespace)
        if stored is None:
            add_manifest(transaction, (repository.namespace_id, repository.id), manifest.digest, manifest.size)
        if room is not None:
            room.take(transaction)

    def room(
        self, repository: Repository, manifest: Manifest, stored: ManifestRow | None, namespace: NamespaceRow | None
    ) -> RoomRow | None:
        """Returns the room that a manifest takes, None without a quota that rejects.

        Raises QuotaExceeded if the namespace is above its limit, or would be with the manifest.
        """

        def is_counted() -> bool:
            return self._store.get(repository.id, manifest.digest) is not None

        return check_room(namespace, 0 if stored else manifest.size, self._clock(), is_counted)
