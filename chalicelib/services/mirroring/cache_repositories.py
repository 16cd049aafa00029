"""The repositories of proxy caches: opens what they are fetched from, and creates those that are pulled first."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import NameUnknown
from chalicelib.domain.mirrors import MirrorSource
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import PULL, PUSH, TO_PULL, Actor, Grant, Source
from chalicelib.domain.queues import QueueName
from chalicelib.domain.repositories import Repository
from chalicelib.remote.registries import RegistryClient
from chalicelib.services.mirroring.proxy_caches import keeper_name
from chalicelib.services.mirroring.upstreams import Upstreams
from chalicelib.services.registry.repositories import Repositories
from chalicelib.services.security.access import Access
from chalicelib.services.security.sealing import Envelope
from chalicelib.storage.mirroring.proxy_caches import ProxyCacheRow
from chalicelib.storage.stores import Stores


@dataclass(frozen=True, slots=True)
class CachedRepository:
    """A repository of a proxy cache; `repository` is None until something of it was pulled."""

    name: RepositoryName
    row: ProxyCacheRow
    source: MirrorSource
    repository: Repository | None

    @property
    def keeper(self) -> Actor:
        """The actor that writes what is fetched into the repository, which exists, and into no other."""
        identifier = self.repository.id if self.repository else None
        actions, namespace_id = frozenset({PULL, PUSH}), self.row.namespace_id
        grant = Grant(str(self.name), actions, identifier, namespace_id, Source.PERMISSION)
        name = keeper_name(self.name.namespace)
        return Actor(self.row.keeper_id, name, AccountKind.ROBOT, grants={str(self.name): grant}, has_token=True)


class CacheRepositories:
    """Repositories of proxy caches."""

    def __init__(
        self,
        access: Access,
        stores: Stores,
        envelope: Callable[[], Envelope],
        upstreams: Upstreams,
        repositories: Repositories,
    ) -> None:
        self._access, self._envelope, self._upstreams, self._repositories = access, envelope, upstreams, repositories
        self._store, self._queues, self._clock = stores.proxy_caches, stores.queues, stores.clock

    def of_token(self, actor: Actor, name: RepositoryName) -> CachedRepository:
        """Returns a repository that the actor's token may pull. Raises Unauthenticated, NameUnknown."""
        grant = self._access.granted(actor, name, TO_PULL)
        return self.find(grant.namespace_id or "", name, self._access.known(grant, name))

    def find(self, namespace_id: str, name: RepositoryName, repository: Repository | None) -> CachedRepository:
        """Returns a repository of a proxy cache. Raises NameUnknown if its organization is none any more."""
        row = self._store.get(namespace_id)
        if row is None:
            raise NameUnknown(str(name))
        source = row.settings(self._envelope().open).source_of(name.repository)
        return CachedRepository(name, row, source, repository)

    def opened(self, cached: CachedRepository) -> AbstractContextManager[RegistryClient]:
        """Yields a client of the repository at the other registry. Raises UpstreamFailed, OutgoingRefused."""
        return self._upstreams.opened(cached.source)

    def existing(self, actor: Actor, cached: CachedRepository) -> CachedRepository:
        """Returns the repository, which is created if it does not exist. Raises NameUnknown."""
        if cached.repository is not None:
            return cached
        repository = self._repositories.add_cached(actor, cached.row, cached.keeper, cached.name)
        return CachedRepository(cached.name, cached.row, cached.source, repository)

    def fetch_manifest(self, cached: CachedRepository, digest: Digest, tag: str | None) -> None:
        """Has a worker fetch a manifest with its blobs, and point a tag to it."""
        self._send(cached, {"manifest": str(digest), **({"tag": tag} if tag else {})})

    def fetch_blob(self, cached: CachedRepository, digest: Digest) -> None:
        """Has a worker fetch a blob."""
        self._send(cached, {"blob": str(digest)})

    def _send(self, cached: CachedRepository, what: dict[str, str]) -> None:
        if cached.repository is not None:
            self._queues.send(QueueName.MIRRORS, [{"cached": cached.repository.id, **what}])
