"""Expiration labels: finds how long a manifest that is pushed lets its tags live."""

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
    """Reads expiration labels; the setting `tag_expiration_from` says whether they count from the push or the build."""

    def __init__(self, stores: Stores) -> None:
        self._blobs, self._objects, self._source = stores.blobs, stores.objects, stores.settings.tag_expiration_from

    def find(
        self,
        repository: Repository,
        manifest: Manifest,
        blobs: Mapping[Digest, BlobView],
        children: Iterable[ManifestRow | None],
    ) -> Lifetime:
        """Returns the label of a manifest, from the blobs and manifests that it names."""
        if manifest.media_type in media_types.INDEXES:
            lifetimes = (Lifetime(row.expires_after, row.built_at) for row in children if row)
            return of_index(manifest.annotations, lifetimes)
        return of_image(manifest.annotations, self._config(repository, manifest, blobs))

    def _config(self, repository: Repository, manifest: Manifest, blobs: Mapping[Digest, BlobView]) -> Lifetime:
        """Returns the label in an image's config: stored with its push, or read from S3 after a direct upload."""
        config = manifest.config
        if config is None or config.media_type not in media_types.IMAGE_CONFIGS:
            return Lifetime()
        link = blobs[config.digest].link
        if link is not None and link.seen:
            return link.seen
        blob = self._blobs.view(repository.id, config.digest).blob
        return of_config(self._objects.get(blob.s3_key)) if blob and blob.size <= LARGEST_CONFIG else Lifetime()

    def expiration(self, lifetime: Lifetime, stored: ManifestRow | None, now: int) -> Expiration:
        """Returns the end of a tag that is pushed now, with the warning for its pusher.

        A label that was added to the stored manifest counts before the image's, and from the push.
        """
        added = stored.added_expires_after if stored and stored.is_living else None
        return expiration(Lifetime(added) if added else lifetime, now, self._source)
