"""Losses: what goes with tags, and what stays because something else keeps it. It reads, as the collector will."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chalicelib.domain.digests import Digest
from chalicelib.domain.manifests import Manifest, parse_manifest
from chalicelib.storage import keys
from chalicelib.storage.registry.blobs import BlobLinkRow
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch

# What one look goes through at most: each takes some calls.
MOST_MANIFESTS, MOST_LOOKS, MOST_BLOBS = 100, 300, 200


@dataclass(frozen=True, slots=True)
class ReclaimableManifest:
    """A manifest or a blob that goes; `is_shared` is for a blob whose bytes another repository keeps."""

    digest: Digest
    size: int
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class ReclaimableManifests:
    """What goes, or, with `is_whole` off, where manifests were too many to be looked at, at least that.

    `following` is the blob past which the next page goes on.
    """

    manifests: tuple[ReclaimableManifest, ...] = ()
    blobs: tuple[ReclaimableManifest, ...] = ()
    following: str | None = None
    is_whole: bool = True

    @property
    def bytes(self) -> int:
        """Bytes that nobody needs any more."""
        return sum(lost.size for lost in (*self.manifests, *self.blobs) if not lost.is_shared)


class _Walk:
    """The manifests of a repository that go with tags, found one after the other."""

    def __init__(self, names: Mapping[Digest, Iterable[str]], at: float) -> None:
        self.at = at
        self.tags = {digest: set(tags) for digest, tags in names.items()}
        self.queue = deque(self.tags)
        self.rows: dict[Digest, ManifestRow] = {}
        self.manifests: dict[Digest, Manifest] = {}

    def name(self, digest: Digest, tag: str) -> None:
        """Says that a tag on a manifest goes too."""
        self.tags.setdefault(digest, set()).add(tag)
        self.queue.append(digest)


class Reclaimable:
    """What tags take with them."""

    def __init__(self, stores: Stores) -> None:
        self._manifests, self._blobs, self._tags = stores.manifests, stores.blobs, stores.tags
        self._garbage = stores.garbage

    def of(
        self, repository_id: str, names: Mapping[Digest, Iterable[str]], at: float, after: str = ""
    ) -> ReclaimableManifests:
        """What goes, once the window has passed, when tags end at a second; `names` are they by what they name.

        With `after` only blobs past one are told, and no manifests.
        """
        going = _Walk(names, at)
        for _ in range(MOST_LOOKS):
            if not going.queue or len(going.rows) == MOST_MANIFESTS:
                break
            self._look(repository_id, going, going.queue.popleft())
        blobs, following = self._lost_blobs(repository_id, going, after)
        lost = tuple(ReclaimableManifest(digest, row.size) for digest, row in going.rows.items())
        return ReclaimableManifests(() if after else lost, blobs, following, not going.queue)

    def _look(self, repository_id: str, going: _Walk, digest: Digest) -> None:
        """Adds a manifest that nothing else keeps, and looks at what it kept next."""
        row, content = (None, None) if digest in going.rows else self._manifests.get_whole(repository_id, digest)
        if row is None or content is None or not row.is_living or self._is_kept(repository_id, going, digest, row):
            return
        manifest = parse_manifest(content, row.media_type, digest.algorithm)
        going.rows[digest], going.manifests[digest] = row, manifest
        going.queue.extend(child.digest for child in manifest.children)
        referrers = self._manifests.referrers(repository_id, digest, None, MOST_MANIFESTS)
        going.queue.extend(Digest.parse(referrer.digest) for referrer in referrers)
        for life in self._tags.signature_lives(repository_id, digest):
            going.name(life.digest, life.name)

    def _is_kept(self, repository_id: str, going: _Walk, digest: Digest, row: ManifestRow) -> bool:
        """Whether another tag, a living subject or a living parent keeps a manifest."""
        named = going.tags.get(digest, set())
        edges = self._manifests.tagged(repository_id, digest)
        if any(edge.tag not in named and edge.until > going.at for edge in edges):
            return True
        if row.subject and row.deleted_at is None and row.subject not in going.rows:
            subject = self._manifests.get(repository_id, row.subject)
            if subject is not None and subject.is_living:
                return True
        pages = self._garbage.parents(repository_id, digest)
        return any(self._lives(repository_id, going, (edge.manifest for edge in page)) for page in pages)

    def _lives(self, repository_id: str, going: _Walk, digests: Iterable[Digest]) -> bool:
        """Whether any of these manifests stays."""
        others = {digest for digest in digests if digest not in going.rows}
        return any(row.is_living for row in self._manifests.get_all(repository_id, others).values())

    def _lost_blobs(
        self, repository_id: str, going: _Walk, after: str
    ) -> tuple[tuple[ReclaimableManifest, ...], str | None]:
        named = {blob.digest for manifest in going.manifests.values() for blob in manifest.blobs}
        past = sorted((digest for digest in named if str(digest) > after), key=str)
        batch = Batch()
        reads = [
            (digest, batch.add(BlobLinkRow, keys.blob_link(repository_id, digest))) for digest in past[:MOST_BLOBS]
        ]
        if reads:
            batch.read()
        lost = [
            ReclaimableManifest(digest, read.row.size, self._is_shared(repository_id, digest))
            for digest, read in reads
            if read.row is not None and not self._is_used(repository_id, going, digest)
        ]
        return tuple(lost), str(past[MOST_BLOBS - 1]) if len(past) > MOST_BLOBS else None

    def _is_used(self, repository_id: str, going: _Walk, digest: Digest) -> bool:
        pages = self._garbage.users(repository_id, digest)
        return any(self._lives(repository_id, going, (edge.manifest for edge in page)) for page in pages)

    def _is_shared(self, repository_id: str, digest: Digest) -> bool:
        return any(other != repository_id for other in self._blobs.linked_from(digest, 2))
