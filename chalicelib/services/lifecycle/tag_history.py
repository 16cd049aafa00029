"""Histories: the tags of a repository and what they named, the latest first, page by page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.domain import media_types
from chalicelib.domain.digests import Digest
from chalicelib.domain.ids import is_ulid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, Role
from chalicelib.domain.tags import TagFilter, is_alive
from chalicelib.services.security.access import Access
from chalicelib.storage.registry.tags import LifeRow, TagRow
from chalicelib.storage.stores import Stores

# What one answer looks at most: a page that is filtered may be short and still have a next one.
MOST_READ, READ_AT_ONCE = 4000, 500


@dataclass(frozen=True, slots=True)
class TagLife:
    """One life of a tag. Times are seconds since the epoch, `ended_at` None without an end; sizes are in bytes.

    `children` are the manifests of an index and whether each is kept; None for what is no index.
    """

    id: str
    name: str
    digest: Digest
    media_type: str
    layers_size: int | None
    started_at: int
    ended_at: int | None
    is_reversion: bool
    is_immutable: bool
    warning: str | None = None
    children: Mapping[Digest, bool] | None = None


@dataclass(frozen=True, slots=True)
class TagHistoryPage:
    """Some lives; `following` is where the next page begins, None where there is none."""

    lives: Sequence[TagLife]
    following: str | None = None


@dataclass(frozen=True, slots=True)
class TagHistoryQuery:
    """Which lives: how many, after how many others or after one of them; of one tag or those a filter lets through.

    `is_alive` is whether only tags that are alive are asked for.
    """

    limit: int
    skip: int = 0
    after: str = ""
    tag: str = ""
    filter: TagFilter | None = None
    is_alive: bool = False


class TagHistory:
    """Tags, read."""

    def __init__(self, access: Access, stores: Stores) -> None:
        self._access, self._tags, self._manifests, self._clock = access, stores.tags, stores.manifests, stores.clock

    def page(self, actor: Actor, name: RepositoryName, asked: TagHistoryQuery) -> TagHistoryPage:
        """Lives of tags, the latest first. Raises Unauthenticated, Denied, NameUnknown."""
        repository = self._access.require_role(actor, name, Role.READ).repository
        found, following = self._found(repository.id, asked)
        children = self._children(repository.id, [row.digest for row in found if _is_index(row)])
        return TagHistoryPage([_life(row, children.get(row.digest)) for row in found], following)

    def _found(self, repository_id: str, asked: TagHistoryQuery) -> tuple[list[TagRow | LifeRow], str | None]:
        found: list[TagRow | LifeRow] = []
        skipped, last = 0, ""
        for number, row in enumerate(self._rows(repository_id, asked)):
            if number == MOST_READ:
                return found, last
            if self._is_asked(row, asked):
                if skipped < asked.skip:
                    skipped += 1
                elif len(found) == asked.limit:
                    return found, last
                else:
                    found.append(row)
            last = row.view_at
        return found, None

    def _rows(self, repository_id: str, asked: TagHistoryQuery) -> Iterator[TagRow | LifeRow]:
        """From the table where one tag is asked for, so that whoever has just written it sees it; else by an index."""
        before = asked.after if is_ulid(asked.after) else ""
        if asked.tag:
            lives = self._tags.lives(repository_id, asked.tag)
            return (row for row in lives if not before or row.view_at < before)
        page = READ_AT_ONCE if asked.filter else min(asked.skip + asked.limit + 1, READ_AT_ONCE)
        if asked.is_alive:
            return self._tags.newest(repository_id, before, page)
        return self._tags.newest_lives(repository_id, before, page)

    def _is_asked(self, row: TagRow | LifeRow, asked: TagHistoryQuery) -> bool:
        ended_at = row.expires_at if isinstance(row, TagRow) else row.ended_at
        if asked.is_alive and not is_alive(ended_at, self._clock()):
            return False
        return asked.filter is None or asked.filter.takes(row.name)

    def _children(self, repository_id: str, indexes: Sequence[Digest]) -> dict[Digest, Mapping[Digest, bool]]:
        """For each index the manifests it names, and whether each is kept."""
        named = self._manifests.children(repository_id, list(dict.fromkeys(indexes)))
        rows = self._manifests.get_all(repository_id, {child for children in named.values() for child in children})
        kept = {digest for digest, row in rows.items() if row.is_living}
        return {index: {child: child in kept for child in children} for index, children in named.items()}


def _is_index(row: TagRow | LifeRow) -> bool:
    return row.media_type in media_types.INDEXES


def _life(row: TagRow | LifeRow, children: Mapping[Digest, bool] | None) -> TagLife:
    return TagLife(
        row.view_at,
        row.name,
        row.digest,
        row.media_type,
        row.layers_size,
        row.started_at,
        row.expires_at if isinstance(row, TagRow) else row.ended_at,
        bool(row.reversion),
        bool(row.immutable),
        row.warning,
        children,
    )
