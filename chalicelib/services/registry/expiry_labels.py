"""Expirations: what a manifest that is being pushed says of how long its tags live, found where it stands."""

from collections.abc import Iterable, Mapping

from chalicelib.domain import media_types
from chalicelib.domain.digests import Digest
from chalicelib.domain.expiry_labels import Expiration, Lifetime, expiration, of_config, of_image, of_index
from chalicelib.domain.manifests import Manifest
from chalicelib.domain.repositories import Repository
from chalicelib.storage.registry.blobs import BlobView
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.stores import Stores

LARGEST_CONFIG = 4 * 1024 * 1024


class ExpiryLabels:
    """Ends by label. `source` is from when a label counts: `push` or `build`."""

    def __init__(self, stores: Stores) -> None:
        self._blobs, self._objects, self._source = stores.blobs, stores.objects, stores.settings.tag_expiration_from

    def said(
        self,
        repository: Repository,
        manifest: Manifest,
        blobs: Mapping[Digest, BlobView],
        children: Iterable[ManifestRow | None],
    ) -> Lifetime:
        """What a manifest says, given what was read of the blobs and manifests that it names."""
        if manifest.media_type in media_types.INDEXES:
            found = (Lifetime(row.expires_after, row.built_at) for row in children if row)
            return of_index(manifest.annotations, found)
        return of_image(manifest.annotations, self._config(repository, manifest, blobs))

    def _config(self, repository: Repository, manifest: Manifest, blobs: Mapping[Digest, BlobView]) -> Lifetime:
        """What an image's config says: noted when it was pushed, read from S3 when it came past us."""
        config = manifest.config
        if config is None or config.media_type not in media_types.IMAGE_CONFIGS:
            return Lifetime()
        link = blobs[config.digest].link
        if link is not None and link.seen:
            return link.seen
        blob = self._blobs.view(repository.id, config.digest).blob
        return of_config(self._objects.get(blob.s3_key)) if blob and blob.size <= LARGEST_CONFIG else Lifetime()

    def at(self, said: Lifetime, now: int) -> Expiration:
        """The end of a tag that is pushed at a second, and what its pusher is to be told."""
        return expiration(said, now, self._source)
