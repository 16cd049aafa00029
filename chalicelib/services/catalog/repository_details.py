"""One repository as its page shows it: its settings, the actor's rights, its tags and its activity."""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.digests import Digest
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, Role
from chalicelib.domain.quotas import Quota
from chalicelib.domain.repositories import Repository
from chalicelib.services.activity.usage_log_reader import UsageLogReader
from chalicelib.services.security.access import Access, RepositoryAccess
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.accounts.quotas import quota_of
from chalicelib.storage.catalog.stars import StarRow
from chalicelib.storage.registry.repositories import RepositoryRow
from chalicelib.storage.registry.sizes import SizeRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch

# Quay's limits: how many tags the page has, and how many days of activity, with today.
MOST_TAGS, DAYS = 500, 91


@dataclass(frozen=True, slots=True)
class TagView:
    """A tag that is alive. `size` is that of its image's layers, in bytes; None for an index."""

    name: str
    digest: Digest
    size: int | None
    started_at: int
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class RepositoryView:
    """A repository for an actor. `tags` and `activity` (day and number of events) are None unless requested.

    `bytes` is the size of its blobs, `window_s` the Time Machine's window, `quota` its namespace's.
    """

    repository_access: RepositoryAccess
    description: str
    is_starred: bool
    window_s: int
    quota: Quota | None
    bytes: int
    tags: Sequence[TagView] | None = None
    activity: Sequence[tuple[str, int]] | None = None

    @property
    def can_write(self) -> bool:
        """Whether the actor may push now."""
        return self.repository_access.has(Role.WRITE) and self.repository_access.row.is_normal

    @property
    def can_admin(self) -> bool:
        """Whether the actor may administer it."""
        return self.repository_access.has(Role.ADMIN)


class RepositoryDetails:
    """Details of repositories."""

    def __init__(self, access: Access, stores: Stores, logs: UsageLogReader) -> None:
        self._access, self._logs, self._tags, self._clock = access, logs, stores.tags, stores.clock

    def get(
        self, actor: Actor, name: RepositoryName, *, with_tags: bool = True, with_activity: bool = False
    ) -> RepositoryView:
        """Returns a repository that the actor may read. Raises Unauthenticated, NameUnknown, Denied."""
        repository_access = self._access.require_role(actor, name, Role.READ)
        repository = repository_access.repository
        batch = Batch()
        namespace = batch.add(NamespaceRow, keys.namespace(repository.namespace_id))
        star = batch.add(StarRow, keys.star(actor.account_id or "", repository.id))
        by_id = batch.add(RepositoryRow, keys.repository(repository.id))
        sizes = [batch.add(SizeRow, key) for key in keys.repository_sizes(repository.id)]
        batch.read()
        return RepositoryView(
            repository_access,
            by_id.row.description if by_id.row else "",
            star.row is not None,
            namespace.row.window_s if namespace.row else 0,
            quota_of(namespace.row),
            sum(read.row.bytes for read in sizes if read.row),
            self._alive(repository) if with_tags else None,
            self._logs.activity(actor, name, DAYS) if with_activity else None,
        )

    def _alive(self, repository: Repository) -> list[TagView]:
        rows = self._tags.alive(repository.id, MOST_TAGS, self._clock())
        return [TagView(row.name, row.digest, row.layers_size, row.started_at, row.expires_at) for row in rows]
