"""Predicts which manifests and blobs the collector will remove when tags end, without removing anything."""

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

# What one prediction reads at most, since each manifest and blob takes some calls.
MOST_MANIFESTS, MOST_LOOKS, MOST_BLOBS = 100, 300, 200


@dataclass(frozen=True, slots=True)
class ReclaimableManifest:
    """A manifest or blob that is removed, with its size in bytes; another repository keeps the bytes if `is_shared`."""

    digest: Digest
    size: int
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class ReclaimableManifests:
    """What is removed; if `is_whole` is False, there were too many manifests to read, and more may be removed.

    `following` is the blob after which the next page begins, None on the last page.
    """

    manifests: tuple[ReclaimableManifest, ...] = ()
    blobs: tuple[ReclaimableManifest, ...] = ()
    following: str | None = None
    is_whole: bool = True

    @property
    def bytes(self) -> int:
        """How many bytes are freed: those that no other repository keeps."""
        return sum(one.size for one in (*self.manifests, *self.blobs) if not one.is_shared)


class _Walk:
    """The manifests that are removed with tags, as far as they are found; `at` is when the tags end, in seconds."""

    def __init__(self, names: Mapping[Digest, Iterable[str]], at: float) -> None:
        self.at = at
        self.tags = {digest: set(tags) for digest, tags in names.items()}
        self.queue = deque(self.tags)
        self.rows: dict[Digest, ManifestRow] = {}
        self.manifests: dict[Digest, Manifest] = {}
        self.has_unread_referrers = False

    def name(self, digest: Digest, tag: str) -> None:
        """Adds a tag on a manifest to those that end."""
        self.tags.setdefault(digest, set()).add(tag)
        self.queue.append(digest)


class Reclaimable:
    """Predicts what is removed with tags."""

    def __init__(self, stores: Stores) -> None:
        self._manifests, self._blobs, self._tags = stores.manifests, stores.blobs, stores.tags
        self._garbage = stores.garbage

    def of(
        self, repository_id: str, names: Mapping[Digest, Iterable[str]], at: float, after: str = ""
    ) -> ReclaimableManifests:
        """Returns what is removed after the window if tags end at the second `at`; `names` has the tags by digest.

        With `after`, the blobs after that digest are returned, and no manifests.
        """
        walk = _Walk(names, at)
        for _ in range(MOST_LOOKS):
            if not walk.queue or len(walk.rows) == MOST_MANIFESTS:
                break
            self._look(repository_id, walk, walk.queue.popleft())
        blobs, following = self._blobs_of(repository_id, walk, after)
        manifests = tuple(ReclaimableManifest(digest, row.size) for digest, row in walk.rows.items())
        is_whole = not walk.queue and not walk.has_unread_referrers
        return ReclaimableManifests(() if after else manifests, blobs, following, is_whole)

    def _look(self, repository_id: str, walk: _Walk, digest: Digest) -> None:
        """Adds a manifest that nothing else keeps, and queues the manifests that it kept."""
        row, content = (None, None) if digest in walk.rows else self._manifests.get_whole(repository_id, digest)
        if row is None or content is None or not row.is_living or self._is_kept(repository_id, walk, digest, row):
            return
        manifest = parse_manifest(content, row.media_type, digest.algorithm)
        walk.rows[digest], walk.manifests[digest] = row, manifest
        walk.queue.extend(child.digest for child in manifest.children)
        referrers = list(self._manifests.referrers(repository_id, digest, None, MOST_MANIFESTS + 1))
        walk.has_unread_referrers |= len(referrers) > MOST_MANIFESTS
        walk.queue.extend(Digest.parse(referrer.digest) for referrer in referrers[:MOST_MANIFESTS])
        for life in self._tags.signature_lives(repository_id, digest):
            walk.name(life.digest, life.name)

    def _is_kept(self, repository_id: str, walk: _Walk, digest: Digest, row: ManifestRow) -> bool:
        """Whether another tag, a living subject or a living parent keeps a manifest."""
        named = walk.tags.get(digest, set())
        edges = self._manifests.tagged(repository_id, digest)
        if any(edge.tag not in named and edge.until > walk.at for edge in edges):
            return True
        if row.subject and row.deleted_at is None and row.subject not in walk.rows:
            subject = self._manifests.get(repository_id, row.subject)
            if subject is not None and subject.is_living:
                return True
        pages = self._garbage.parents(repository_id, digest)
        return any(self._any_stays(repository_id, walk, (edge.manifest for edge in page)) for page in pages)

    def _any_stays(self, repository_id: str, walk: _Walk, digests: Iterable[Digest]) -> bool:
        """Whether any of these manifests lives and is not removed."""
        others = {digest for digest in digests if digest not in walk.rows}
        return any(row.is_living for row in self._manifests.get_all(repository_id, others).values())

    def _blobs_of(
        self, repository_id: str, walk: _Walk, after: str
    ) -> tuple[tuple[ReclaimableManifest, ...], str | None]:
        named = {blob.digest for manifest in walk.manifests.values() for blob in manifest.kept_blobs}
        past = sorted((digest for digest in named if str(digest) > after), key=str)
        batch = Batch()
        reads = [
            (digest, batch.add(BlobLinkRow, keys.blob_link(repository_id, digest))) for digest in past[:MOST_BLOBS]
        ]
        if reads:
            batch.read()
        blobs = [
            ReclaimableManifest(digest, read.row.size, self._is_shared(repository_id, digest))
            for digest, read in reads
            if read.row is not None and not self._is_used(repository_id, walk, digest)
        ]
        return tuple(blobs), str(past[MOST_BLOBS - 1]) if len(past) > MOST_BLOBS else None

    def _is_used(self, repository_id: str, walk: _Walk, digest: Digest) -> bool:
        pages = self._garbage.users(repository_id, digest)
        return any(self._any_stays(repository_id, walk, (edge.manifest for edge in page)) for page in pages)

    def _is_shared(self, repository_id: str, digest: Digest) -> bool:
        return any(other != repository_id for other in self._blobs.linked_from(digest, 2))
