"""Checks the blobs and manifests that a pushed manifest names."""

from dataclasses import dataclass

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import ManifestBlobUnknown
from chalicelib.domain.manifests import Manifest
from chalicelib.domain.permissions import Actor
from chalicelib.domain.repositories import Repository
from chalicelib.domain.states import State
from chalicelib.services.registry.blobs import Blobs
from chalicelib.storage import keys
from chalicelib.storage.registry.blobs import BlobView
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch, Read


@dataclass(frozen=True, slots=True)
class NamedReads:
    """The rows of the blobs and manifests that a manifest names. What may be either is in both."""

    blobs: dict[Digest, BlobView]
    children: dict[Digest, Read[ManifestRow]]

    @classmethod
    def add(cls, batch: Batch, repository_id: str, manifest: Manifest) -> "NamedReads":
        """Adds the reads to a batch."""
        return cls(
            {blob.digest: BlobView(batch, repository_id, blob.digest) for blob in manifest.kept_blobs},
            {
                child.digest: batch.add(ManifestRow, keys.manifest(repository_id, child.digest))
                for child in manifest.children
            },
        )

    @property
    def manifests(self) -> dict[Digest, ManifestRow]:
        """The entries of an index that are manifests and can be pulled."""
        return {digest: read.row for digest, read in self.children.items() if read.row and read.row.is_pullable}


class NamedContents:
    """What manifests name, and whether it may be named."""

    def __init__(self, stores: Stores, blobs: Blobs) -> None:
        self._store, self._blobs = stores.manifests, blobs
        self._lease, self._clock = stores.lease, stores.clock

    def check(self, actor: Actor, repository: Repository, manifest: Manifest, reads: NamedReads) -> None:
        """Adopts direct uploads and makes what is condemned live. Raises ManifestBlobUnknown for what is missing."""
        manifests, maybe_blobs = reads.manifests, {entry.digest for entry in manifest.possible_blobs}
        # An entry of an index that is a manifest needs no blob.
        views = [view for digest, view in reads.blobs.items() if digest not in manifests]
        missing = [str(view.digest) for view in views if not self._has_blob(actor, repository, view)]
        missing += [str(digest) for digest in reads.children if digest not in manifests and digest not in maybe_blobs]
        if missing:
            raise ManifestBlobUnknown(missing)
        self._revive(repository, manifests)

    def _has_blob(self, actor: Actor, repository: Repository, view: BlobView) -> bool:
        if view.link is None or view.link.deleted_at is not None:
            return self._blobs.adopt(actor, repository, view.digest)
        return view.link.state == State.LIVE or self._blobs.hold(actor, repository, view.digest)

    def _revive(self, repository: Repository, manifests: dict[Digest, ManifestRow]) -> None:
        for digest, row in manifests.items():
            if row.state != State.LIVE:
                target = keys.manifest_target(repository.id, digest)
                self._store.renew(row, target, self._lease.until(self._clock()))
