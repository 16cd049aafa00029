"""Copies what tags name from another registry, byte for byte: manifests, all that they name, and their referrers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from chalicelib.domain import media_types
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import ManifestInvalid, MirrorInvalid
from chalicelib.domain.errors.upstreams import UpstreamDenied, UpstreamUnreachable
from chalicelib.domain.manifests import Descriptor, Manifest, parse_pushed
from chalicelib.domain.mirror_runs import TagChange, TagOutcome
from chalicelib.domain.names import Tag
from chalicelib.domain.platforms import architecture_in, children_for, has_image
from chalicelib.domain.signature_tags import stem
from chalicelib.remote.registries import UpstreamManifest
from chalicelib.services.mirroring.blob_copies import BlobCopies, CopyJob
from chalicelib.services.registry.manifests import Manifests
from chalicelib.storage.stores import Stores

# How deep referrers of referrers are followed, such as the signature of an SBOM.
DEEPEST = 3
LARGEST_CONFIG = 4 * 1024 * 1024
# The endings of cosign's tags, and the tag that stands for a list of referrers.
ENDINGS = ("", ".sig", ".att", ".sbom")


@dataclass(frozen=True, slots=True)
class TagJob:
    """One tag to copy, and the only architectures of which images are taken, all if there are none."""

    copying: CopyJob
    tag: Tag
    change: TagChange
    architectures: Sequence[str] = ()


class TagCopies:
    """Copies tags."""

    def __init__(self, stores: Stores, manifests: Manifests, blob_copies: BlobCopies) -> None:
        self._stores, self._manifests, self._blob_copies = stores, manifests, blob_copies

    def copy(self, job: TagJob) -> TagOutcome:
        """Copies a tag, or completes one that did not change.

        Raises UpstreamFailed, and whatever a push by the mirror's robot raises; what was copied before stays.
        """
        found = job.copying.registry.manifest(job.tag)
        if found is None:
            raise UpstreamUnreachable(f"upstream does not have the tag {job.tag} any more")
        manifest = parsed(found)
        if self._is_left_out(job, manifest):
            return TagOutcome.SKIPPED
        _Copy(self._stores, self._manifests, self._blob_copies, job).run(manifest)
        return TagOutcome.DONE

    def _is_left_out(self, job: TagJob, manifest: Manifest) -> bool:
        """Whether a tag names one image, and that of another architecture."""
        config = manifest.config
        if not job.architectures or config is None or config.media_type not in media_types.IMAGE_CONFIGS:
            return False
        content = bytearray()
        with job.copying.registry.blob(config.digest) as blob:
            for chunk in blob.chunks():
                content += chunk
                if len(content) > LARGEST_CONFIG:
                    return False
        architecture = architecture_in(bytes(content))
        return architecture is not None and architecture not in job.architectures


class _Copy:
    """The copy of one tag; `seen` are the manifests that it has been at."""

    def __init__(self, stores: Stores, manifests: Manifests, blob_copies: BlobCopies, job: TagJob) -> None:
        self._stores, self._manifests, self._blob_copies, self._job = stores, manifests, blob_copies, job
        self._registry, self._repository = job.copying.registry, job.copying.repository
        self._seen = set[Digest]()

    def run(self, manifest: Manifest) -> None:
        """Copies the manifest that the tag names, and then its referrers."""
        is_known = self._job.change is TagChange.COMPLETE
        self._copy(manifest, [] if is_known else [self._job.tag])
        for digest in [*self._seen]:
            self._copy_companions(digest, DEEPEST)

    def _copy(self, manifest: Manifest, tags: Sequence[Tag]) -> None:
        """Copies a manifest after all that it names."""
        self._job.copying.pulse()
        self._seen.add(manifest.digest)
        is_index = manifest.media_type in media_types.INDEXES
        blobs = [*manifest.blobs, *(self._copy_children(manifest) if is_index else ())]
        self._blob_copies.copy(self._job.copying, blobs)
        if not tags and not self._missing([manifest.digest]):
            return
        actor, may_be_sparse = self._job.copying.actor, bool(self._job.architectures)
        self._manifests.push(actor, self._repository.name, manifest, tags, may_be_sparse=may_be_sparse)

    def _copy_children(self, index: Manifest) -> list[Descriptor]:
        """Copies the manifests of an index; returns its entries that are blobs, as in BuildKit's cache."""
        wanted = children_for(index, self._job.architectures)
        if not has_image(index, wanted):
            names = ", ".join(self._job.architectures)
            raise MirrorInvalid("architecture_filter", f"{self._job.tag} has no image for {names}")
        children = [child for child in index.children if child.digest in wanted]
        here = self._stores.manifests.get_all(self._repository.id, [child.digest for child in children])
        blobs = []
        for child in children:
            row = here.get(child.digest)
            if row is not None and row.is_living:
                self._seen.add(child.digest)
            elif not self._copy_by_digest(child.digest):
                if child.is_manifest:
                    raise UpstreamUnreachable(f"upstream does not have {child.digest}, which {index.digest} lists")
                blobs.append(child)
        return blobs

    def _copy_by_digest(self, digest: Digest, tags: Sequence[Tag] = ()) -> bool:
        """Copies a manifest; returns False if upstream does not have it."""
        found = self._registry.manifest(str(digest))
        if found is None:
            return False
        self._copy(parsed(found), tags)
        return True

    def _copy_companions(self, subject: Digest, depth: int) -> None:
        """Copies what is about a manifest: its referrers, and the tags that are named after it."""
        known = set(self._seen)
        for digest in self._missing(_if_allowed(lambda: self._registry.referrers(subject))):
            self._copy_by_digest(digest)
        for tag, digest in self._signature_tags(subject):
            self._copy_by_digest(digest, [tag])
        for digest in self._seen - known if depth > 1 else ():
            self._copy_companions(digest, depth - 1)

    def _missing(self, digests: Sequence[Digest]) -> list[Digest]:
        rows = self._stores.manifests.get_all(self._repository.id, digests)
        return [digest for digest in digests if digest not in rows or not rows[digest].is_pullable]

    def _signature_tags(self, subject: Digest) -> Iterator[tuple[Tag, Digest]]:
        """Yields the tags that upstream has for a manifest, and that name something else here or nothing."""
        names = [Tag(stem(subject) + ending) for ending in ENDINGS]
        heads = {name: self._registry.head(name) for name in names}
        found = {name: head.digest for name, head in heads.items() if head is not None}
        rows = self._stores.tags.get_all(self._repository.id, found)
        for name, digest in found.items():
            if name not in rows or rows[name].digest != digest:
                yield name, digest


def parsed(found: UpstreamManifest) -> Manifest:
    """Parses a manifest; some registries send it with another type than its own, which counts then."""
    content, algorithm = found.content or b"", found.digest.algorithm
    try:
        return parse_pushed(content, found.media_type, algorithm)
    except ManifestInvalid:
        return parse_pushed(content, "", algorithm)


def _if_allowed(ask: Callable[[], list[Digest]]) -> list[Digest]:
    """Returns an empty list where the registry lets nobody ask: an image without its referrers is still an image."""
    try:
        return ask()
    except UpstreamDenied:
        return []
