"""Describes manifests and images, also those that only the Time Machine keeps."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from chalicelib.domain import media_types
from chalicelib.domain.digests import HEX_LENGTH, Digest
from chalicelib.domain.errors import ResourceUnknown
from chalicelib.domain.ids import is_ulid
from chalicelib.domain.images import Image, read_image
from chalicelib.domain.manifests import Manifest, parse_manifest
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, Role
from chalicelib.services.registry.expiry_labels import LARGEST_CONFIG
from chalicelib.services.security.access import Access, RepositoryAccess
from chalicelib.storage.objects import ObjectGone
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.registry.tags import TagRow
from chalicelib.storage.stores import Stores

# The tags from which one page of images is made.
PAGE = 500


@dataclass(frozen=True, slots=True)
class ManifestView:
    """A manifest, what its config says, and the actor's access to its repository.

    `tags` are the living tags that name it; only `by_id` fills them.
    """

    repository_access: RepositoryAccess
    manifest: Manifest
    row: ManifestRow
    image: Image
    tags: tuple[str, ...] = ()

    @property
    def is_index(self) -> bool:
        """Whether the manifest is an index, which lists manifests instead of layers."""
        return self.manifest.media_type in media_types.INDEXES


@dataclass(frozen=True, slots=True)
class ImageView:
    """A manifest and the tags of the page that name it; `started_at` is when the first of these was put, in seconds."""

    digest: Digest
    started_at: int
    tags: Sequence[str]


@dataclass(frozen=True, slots=True)
class ImagePage:
    """Some images, the newest first; `following` is where the next page begins, None on the last page."""

    images: Sequence[ImageView]
    following: str | None = None


class Images:
    """Describes manifests."""

    def __init__(self, access: Access, stores: Stores) -> None:
        self._access, self._manifests, self._tags = access, stores.manifests, stores.tags
        self._blobs, self._objects, self._clock = stores.blobs, stores.objects, stores.clock

    def get(self, actor: Actor, name: RepositoryName, digest: Digest, role: Role = Role.READ) -> ManifestView:
        """Returns a manifest to an actor who has the role. Raises ResourceUnknown, NameUnknown, Denied."""
        repository_access = self._access.require_role(actor, name, role)
        try:
            row, content = self._manifests.get_whole(repository_access.repository.id, digest)
        except ObjectGone:
            row, content = None, None
        if row is None or content is None or not row.is_living:
            raise ResourceUnknown("manifest", str(digest))
        manifest = parse_manifest(content, row.media_type, digest.algorithm)
        config = self._config(repository_access.repository.id, manifest)
        return ManifestView(repository_access, manifest, row, read_image(content, config))

    def _config(self, repository_id: str, manifest: Manifest) -> bytes | None:
        """Returns an image's config; None if there is none, its bytes are gone, or it is too large for a config."""
        config = manifest.config
        if config is None or config.media_type not in media_types.IMAGE_CONFIGS:
            return None
        view = self._blobs.view(repository_id, config.digest)
        if view.link is None or view.blob is None or view.blob.size > LARGEST_CONFIG:
            return None
        try:
            return self._objects.get(view.blob.s3_key)
        except ObjectGone:
            return None

    def by_id(self, actor: Actor, name: RepositoryName, image_id: str) -> ManifestView:
        """Returns an image by its digest without the algorithm, as Docker v1 ids are written. Raises as `get` does."""
        algorithm = next((name for name, length in HEX_LENGTH.items() if length == len(image_id)), "")
        try:
            view = self.get(actor, name, Digest.existing(f"{algorithm}:{image_id}"))
        except ResourceUnknown:
            raise ResourceUnknown("image", image_id) from None
        return replace(view, tags=self._tags_on(view.repository_access.repository.id, view.manifest.digest))

    def _tags_on(self, repository_id: str, digest: Digest) -> tuple[str, ...]:
        edges = self._manifests.tagged(repository_id, digest)
        return tuple(edge.tag for edge in edges if edge.until > self._clock())

    def page(self, actor: Actor, name: RepositoryName, after: str = "") -> ImagePage:
        """Returns the images that a page of tags names, the newest first. Raises NameUnknown, Denied.

        An image is on each page on which one of its tags is.
        """
        repository = self._access.require_role(actor, name, Role.READ).repository
        rows = list(islice(self._tags.newest(repository.id, after if is_ulid(after) else "", PAGE), PAGE + 1))
        page, now = rows[:PAGE], self._clock()
        tags_by_digest: dict[Digest, list[TagRow]] = defaultdict(list)
        for row in page:
            if row.is_alive(now):
                tags_by_digest[row.digest].append(row)
        images = [
            ImageView(digest, tags[0].started_at, [tag.name for tag in tags]) for digest, tags in tags_by_digest.items()
        ]
        return ImagePage(images, page[-1].view_at if len(rows) > PAGE else None)
