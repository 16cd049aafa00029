"""Checks the blobs and manifests that a pushed manifest names."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import ManifestBlobUnknown
from chalicelib.domain.manifests import Manifest, check_sizes
from chalicelib.domain.permissions import Actor
from chalicelib.domain.repositories import Repository
from chalicelib.domain.states import State
from chalicelib.services.registry.blobs import Blobs
from chalicelib.services.registry.tagged_indexes import TaggedIndexes
from chalicelib.storage import keys
from chalicelib.storage.registry.blobs import BlobView
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch, Read

# How many missing digests a refusal names, and how many absent foreign layers are looked for among direct uploads:
# each blob that is missed may cost a call to S3.
MOST_MISSED = 100


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


class NamedContents:
    """What manifests name, and whether it may be named."""

    def __init__(self, stores: Stores, blobs: Blobs) -> None:
        self._store, self._blobs, self._indexes = stores.manifests, blobs, TaggedIndexes(stores)
        self._lease, self._clock = stores.lease, stores.clock

    def check(
        self, actor: Actor, repository: Repository, manifest: Manifest, reads: NamedReads, *, may_be_sparse: bool
    ) -> None:
        """Adopts direct uploads and makes what is condemned live. An index that `may_be_sparse` may lack manifests.

        Raises ManifestBlobUnknown for what is missing, ManifestInvalid for a size that is not that of what is there.
        """
        manifests = self._pullable(repository, reads)
        spared = set(reads.children) if may_be_sparse else {entry.digest for entry in manifest.possible_blobs}
        sizes = {digest: row.size for digest, row in manifests.items()}
        # An entry of an index that is a manifest needs no blob, and neither does a foreign layer.
        foreign = {layer.digest for layer in manifest.foreign} - {blob.digest for blob in manifest.blobs}
        needed = [view for digest, view in reads.blobs.items() if digest not in manifests and digest not in foreign]
        absent = (str(digest) for digest in reads.children if digest not in manifests and digest not in spared)
        missing = list(islice(chain(absent, self._missing(actor, repository, needed, sizes)), MOST_MISSED))
        if missing:
            raise ManifestBlobUnknown(missing)
        spare = sorted((reads.blobs[digest] for digest in foreign), key=lambda view: view.is_gone)
        list(islice(self._missing(actor, repository, spare, sizes), MOST_MISSED))
        check_sizes(manifest, sizes)
        self._revive(repository, manifests)

    def _pullable(self, repository: Repository, reads: NamedReads) -> dict[Digest, ManifestRow]:
        """Returns the entries of an index that are manifests and can be pulled.

        It stops to look for indexes with tags once so many deleted entries have none that the push is refused.
        """
        pullable, passed, missed = dict[Digest, ManifestRow](), set[Digest](), 0
        for digest, read in reads.children.items():
            if read.row is None or (read.row.deleted_at is not None and missed == MOST_MISSED):
                continue
            if self._indexes.is_pullable(repository.id, digest, read.row, passed):
                pullable[digest] = read.row
            else:
                missed += 1
        return pullable

    def _missing(
        self, actor: Actor, repository: Repository, views: Iterable[BlobView], sizes: dict[Digest, int]
    ) -> Iterator[str]:
        """Yields the blobs that the repository does not have; holds those that it has, and fills in their sizes."""
        for view in views:
            size = self._size(actor, repository, view)
            if size is None:
                yield str(view.digest)
            else:
                sizes[view.digest] = size

    def _size(self, actor: Actor, repository: Repository, view: BlobView) -> int | None:
        """Returns the size of a blob that stays while it is pushed; None if the repository does not have it."""
        if view.link is None or view.is_gone:
            return self._blobs.adopt(actor, repository, view.digest)
        is_held = view.link.state == State.LIVE or self._blobs.hold(actor, repository, view.digest)
        return view.link.size if is_held else None

    def _revive(self, repository: Repository, manifests: dict[Digest, ManifestRow]) -> None:
        for digest, row in manifests.items():
            if row.state != State.LIVE:
                target = keys.manifest_target(repository.id, digest)
                self._store.renew(row, target, self._lease.until(self._clock()))
