"""Renews the leases of manifests that pushers look for, so that a push need not repeat what exists."""

from contextlib import suppress

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import Denied, ManifestUnknown
from chalicelib.domain.permissions import PUSH, Actor
from chalicelib.domain.repositories import Repository
from chalicelib.domain.states import State
from chalicelib.services.security.access import Access
from chalicelib.storage import keys
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch, retry_on_conflict


class ManifestLeases:
    """The leases of manifests, which keep them before a tag does."""

    def __init__(self, access: Access, stores: Stores) -> None:
        self._access, self._store, self._lease, self._clock = access, stores.manifests, stores.lease, stores.clock

    def renew(self, actor: Actor, repository: Repository, digest: Digest, row: ManifestRow) -> None:
        """Renews a short lease. For an actor who may no longer push it does nothing. Raises ManifestUnknown.

        A deleted manifest gets no lease: an index keeps it for as long as it can be pulled.
        """
        now = self._clock()
        if row.deleted_at is not None:
            return
        is_held = row.live_until is not None and row.live_until > now + self._lease.seconds
        if row.state == State.LIVE and (is_held or not self._lease.is_short(row.leased_until or 0, now)):
            return
        with suppress(Denied):
            retry_on_conflict(lambda: self._renew(actor, repository, digest))

    def _renew(self, actor: Actor, repository: Repository, digest: Digest) -> None:
        batch = Batch()
        rights = self._access.recheck(batch, actor, repository)
        read = batch.add(ManifestRow, keys.manifest(repository.id, digest))
        batch.read()
        rights.check(PUSH)
        if read.row is None or not read.row.is_pullable:
            raise ManifestUnknown(str(repository.name), str(digest))
        self._store.renew(read.row, keys.manifest_target(repository.id, digest), self._lease.until(self._clock()))
