"""Pulls manifests through a proxy cache: from here while they are fresh, and else as the other registry has them.

A tag is asked for at the other registry once in the cache's expiration time; where that fails, what is here is served.
What is not here is sent to the client as it comes from there, while a worker fetches it with its blobs.
"""

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import ManifestUnknown, OutgoingRefused, Unavailable, UpstreamManifestUnknown
from chalicelib.domain.errors.upstreams import UpstreamDenied, UpstreamFailed, UpstreamLimited, UpstreamUnknown
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor
from chalicelib.domain.proxy_caches import PATIENCE_S, STALE_S
from chalicelib.domain.repositories import Repository
from chalicelib.remote.registries import UpstreamManifest
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.mirroring.cache_repositories import CachedRepository, CacheRepositories
from chalicelib.services.mirroring.deadlines import within
from chalicelib.services.registry.manifests import Manifests, Pulled
from chalicelib.services.registry.tagged_indexes import TaggedIndexes
from chalicelib.storage.registry.tags import TagRow
from chalicelib.storage.stores import Stores
from chalicelib.telemetry import logger


class CachedManifests:
    """Manifests of proxy caches."""

    def __init__(
        self, usage_log: UsageLog, stores: Stores, manifests: Manifests, repositories: CacheRepositories
    ) -> None:
        self._usage_log, self._manifests, self._repositories = usage_log, manifests, repositories
        self._store, self._stores, self._clock = stores.proxy_caches, stores, stores.clock
        self._indexes = TaggedIndexes(stores)

    def find(self, actor: Actor, name: RepositoryName, reference: "str | Digest") -> Pulled:
        """Finds a manifest without its bytes (HEAD).

        Raises Unauthenticated, NameUnknown, ManifestUnknown, and Unavailable if the other registry does not answer.
        """
        cached, pulled = self._find(actor, name, reference, is_head=True)
        if isinstance(reference, str) and cached.repository is not None:
            self._usage_log.record_lookup(actor, cached.repository, reference, pulled.digest)
        return pulled

    def pull(self, actor: Actor, name: RepositoryName, reference: "str | Digest") -> Pulled:
        """Returns a manifest. Raises as `find` does."""
        cached, pulled = self._find(actor, name, reference, is_head=False)
        if cached.repository is not None:
            self._usage_log.record_pull(actor, cached.repository, reference, (pulled.digest, pulled.media_type))
        return pulled

    def body(self, actor: Actor, name: RepositoryName, pulled: Pulled) -> bytes:
        """Returns the bytes of a manifest that was pulled. Raises ManifestUnknown."""
        return self._manifests.body(actor, name, pulled) if pulled.content is None else pulled.content

    def _find(
        self, actor: Actor, name: RepositoryName, reference: "str | Digest", *, is_head: bool
    ) -> tuple[CachedRepository, Pulled]:
        cached = self._repositories.of_token(actor, name)
        if isinstance(reference, Digest):
            try:
                return self._by_digest(actor, cached, reference)
            except (UpstreamFailed, OutgoingRefused) as error:
                raise _refusal(cached, str(reference), error, self._clock()) from None
        try:
            return self._by_tag(actor, cached, reference, is_head=is_head)
        except (UpstreamFailed, OutgoingRefused) as error:
            return cached, self._stale(cached, reference, error)

    def _by_tag(
        self, actor: Actor, cached: CachedRepository, reference: str, *, is_head: bool
    ) -> tuple[CachedRepository, Pulled]:
        """Returns what a tag names. Raises ManifestUnknown, UpstreamFailed, OutgoingRefused."""
        checked = self._store.checked(cached.repository.id, reference) if cached.repository else None
        if checked is not None and checked.until > self._clock():
            return self._by_digest(actor, cached, checked.digest, reference)
        there = self._ask(cached, reference)
        local = self._local(cached, reference)
        cached = self._repositories.existing(actor, cached)
        self._note(cached, reference, there.digest)
        if local is None or local.digest != there.digest:
            self._repositories.fetch_manifest(cached, there.digest, reference)
        if is_head and there.size is not None:
            return cached, Pulled(there.digest, there.media_type, there.size, there.content)
        return self._by_digest(actor, cached, there.digest, reference, is_sent=True)

    def _local(self, cached: CachedRepository, tag: str) -> TagRow | None:
        row = self._stores.tags.get(cached.repository.id, tag) if cached.repository else None
        return row if row and row.is_alive(self._clock()) else None

    def _ask(self, cached: CachedRepository, tag: str) -> UpstreamManifest:
        """Returns what the other registry says of a tag. Raises ManifestUnknown, UpstreamFailed, OutgoingRefused."""

        def ask() -> UpstreamManifest | None:
            with self._repositories.opened(cached) as registry:
                return registry.head(tag)

        there = within(PATIENCE_S, ask)
        if there is None:
            raise ManifestUnknown(str(cached.name), tag)
        return there

    def _note(self, cached: CachedRepository, tag: str, digest: Digest) -> None:
        if cached.repository is not None:
            self._store.check(cached.repository.id, tag, digest, int(self._clock()) + cached.row.expiration_s)

    def _stale(self, cached: CachedRepository, tag: str, error: Exception) -> Pulled:
        """Returns what is here of a tag that the other registry does not send, and leaves that alone for a minute.

        Raises as `find` does.
        """
        local = self._local(cached, tag)
        if local is None or cached.repository is None:
            raise _refusal(cached, tag, error, self._clock()) from None
        self._store.check(cached.repository.id, tag, local.digest, int(self._clock()) + STALE_S)
        logger.warning("upstream failed: its tag is served as it is here", repository=str(cached.name), why=str(error))
        return Pulled(local.digest, local.media_type, local.size)

    def _by_digest(
        self,
        actor: Actor,
        cached: CachedRepository,
        digest: Digest,
        tag: str | None = None,
        *,
        is_sent: bool = False,
    ) -> tuple[CachedRepository, Pulled]:
        """Returns a manifest from here or from there; `is_sent` says that a worker was told to fetch it.

        Raises ManifestUnknown, UpstreamFailed, OutgoingRefused.
        """
        here = self._here(cached.repository, digest) if cached.repository else None
        if here is not None:
            return cached, here
        reference = tag or str(digest)

        def ask() -> UpstreamManifest | None:
            with self._repositories.opened(cached) as registry:
                return registry.manifest(str(digest))

        there = within(PATIENCE_S, ask)
        if there is None or there.content is None:
            raise ManifestUnknown(str(cached.name), reference)
        cached = self._repositories.existing(actor, cached)
        if not is_sent:
            self._repositories.fetch_manifest(cached, digest, tag)
        return cached, Pulled(digest, there.media_type, len(there.content), there.content)

    def _here(self, repository: Repository, digest: Digest) -> Pulled | None:
        row, body = self._stores.manifests.get_whole(repository.id, digest)
        if row is None or body is None or not self._indexes.is_pullable(repository.id, digest, row):
            return None
        return Pulled(digest, row.media_type, row.size, body)


def _refusal(cached: CachedRepository, reference: str, error: Exception, now: float) -> Exception:
    """Returns what a client is told that wants something which cannot be fetched."""
    why = error.why if isinstance(error, UpstreamFailed) else str(error)
    if isinstance(error, UpstreamLimited):
        return Unavailable(why, max(int(error.until - now), 1))
    if isinstance(error, UpstreamDenied | UpstreamUnknown | OutgoingRefused):
        return UpstreamManifestUnknown(str(cached.name), reference, why)
    return Unavailable(why)
