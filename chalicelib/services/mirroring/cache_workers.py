"""Fetches what was pulled through a proxy cache, so that the next pull finds it here.

A message that is lost costs no more than another pull from the other registry, which sends it again.
"""

from collections.abc import Callable, Mapping, Sequence

from chalicelib.domain import media_types
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import NameUnknown, OutgoingRefused, RegistryError, Unavailable
from chalicelib.domain.ids import ulid
from chalicelib.domain.manifests import Descriptor, Manifest
from chalicelib.domain.mirror_runs import MOST_TRIES
from chalicelib.domain.names import Tag
from chalicelib.domain.queues import QueueName
from chalicelib.domain.repositories import Repository
from chalicelib.services.mirroring.blob_copies import BlobCopies, CopyJob
from chalicelib.services.mirroring.cache_repositories import CachedRepository, CacheRepositories
from chalicelib.services.mirroring.pulse import OutOfTime, Pulse, PulseRules
from chalicelib.services.mirroring.runs import repository_of
from chalicelib.services.mirroring.tag_copies import parsed
from chalicelib.services.registry.manifests import Manifests
from chalicelib.storage.stores import Stores
from chalicelib.telemetry import logger, note


class CacheWorkers:
    """Fetches manifests and blobs of proxy caches."""

    def __init__(
        self, stores: Stores, repositories: CacheRepositories, manifests: Manifests, blob_copies: BlobCopies
    ) -> None:
        self._stores, self._repositories = stores, repositories
        self._manifests, self._blob_copies, self._clock = manifests, blob_copies, stores.clock

    def work(self, message: Mapping[str, str], left_s: Callable[[], float]) -> None:
        """Fetches what a message names, unless it is here. What cannot be fetched or stored is logged and left.

        Raises KeyError for a message that names nothing, Unavailable if the work has to be done again.
        """
        what = {name: message[name] for name in ("manifest", "blob", "tag") if name in message}
        note(repository_id=message["cached"], **what)
        cached = self._find(message["cached"])
        if cached is None or cached.repository is None:
            return
        try:
            self._fetch(cached, cached.repository, what, left_s)
        except OutOfTime:
            self._send_again(message)
        except Unavailable:
            raise
        except (RegistryError, OutgoingRefused) as error:
            logger.warning("not cached", repository=str(cached.name), what=what, why=str(error))

    def _send_again(self, message: Mapping[str, str]) -> None:
        """Leaves the rest to another worker, so often at most: what comes too slowly must not hold workers for ever."""
        tries = int(message.get("tries", "1"))
        if tries >= MOST_TRIES:
            logger.warning("not cached", repository_id=message["cached"], why=f"{tries} workers ran out of time")
            return
        self._stores.queues.send(QueueName.MIRRORS, [{**message, "tries": str(tries + 1)}])

    def _find(self, repository_id: str) -> CachedRepository | None:
        row = self._stores.repositories.get(repository_id)
        if row is None or not row.is_live:
            return None
        repository = repository_of(repository_id, row)
        try:
            return self._repositories.find(row.namespace_id, repository.name, repository)
        except NameUnknown:
            return None

    def _fetch(
        self, cached: CachedRepository, repository: Repository, what: Mapping[str, str], left_s: Callable[[], float]
    ) -> None:
        pulse = Pulse(PulseRules(left_s, lambda: self._find(repository.id) is not None, lambda _: True, self._clock))
        if "manifest" in what and not self._is_missing(repository, what):
            return
        with self._repositories.opened(cached) as registry:
            # There are no runs here: workers of one repository fetch each blob once.
            job = CopyJob(registry, repository, cached.keeper, repository.id, ulid(self._clock()), pulse)
            if "blob" in what:
                self._blob_copies.copy(job, [Descriptor("", Digest.parse(what["blob"]), None)])
                return
            found = registry.manifest(what["manifest"])
            if found is not None:
                self._copy(job, parsed(found), self._tags(repository, what))

    def _is_missing(self, repository: Repository, what: Mapping[str, str]) -> bool:
        """Whether a manifest is not here, or its tag names another one."""
        digest = Digest.parse(what["manifest"])
        row = self._stores.manifests.get(repository.id, digest)
        return row is None or not row.is_living or bool(self._tags(repository, what))

    def _tags(self, repository: Repository, what: Mapping[str, str]) -> Sequence[Tag]:
        """Returns the tag of a message if upstream says last that it names the manifest, and it does not here."""
        if "tag" not in what:
            return []
        tag, digest = Tag.parse(what["tag"]), Digest.parse(what["manifest"])
        checked, row = self._stores.proxy_caches.checked(repository.id, tag), self._stores.tags.get(repository.id, tag)
        is_named = row is not None and row.is_alive(self._clock()) and row.digest == digest
        return [] if is_named or checked is None or checked.digest != digest else [tag]

    def _copy(self, job: CopyJob, manifest: Manifest, tags: Sequence[Tag]) -> None:
        """Copies a manifest with its blobs; the manifests of an index come when they are pulled."""
        is_index = manifest.media_type in media_types.INDEXES
        entries = [child for child in manifest.children if not child.is_manifest] if is_index else []
        self._blob_copies.copy(job, [*manifest.blobs, *entries])
        self._manifests.push(job.actor, job.repository.name, manifest, tags, may_be_sparse=True)
