"""Lists the tags of a repository and their history, the newest first, page by page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from chalicelib.domain import media_types
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.ids import is_ulid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, Role
from chalicelib.domain.tags import TagFilter, is_alive
from chalicelib.services.registry.tagged_indexes import TaggedIndexes
from chalicelib.services.security.access import Access
from chalicelib.storage.registry.tags import LifeRow, TagRow
from chalicelib.storage.stores import Stores

# How many rows one response and one query read at most; a filtered page may therefore be short and not be the last.
MOST_READ, READ_AT_ONCE = 4000, 500


@dataclass(frozen=True, slots=True)
class TagLife:
    """One life of a tag. Times are seconds since the epoch, `ended_at` is None without an end; sizes are in bytes.

    `children` has the manifests of an index and whether each can be pulled; None if the tag names no index.
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
    """Some lives; `following` is where the next page begins, None on the last page."""

    lives: Sequence[TagLife]
    following: str | None = None


@dataclass(frozen=True, slots=True)
class TagHistoryQuery:
    """Selects at most `limit` lives, after the life `after` or else after `skip` others, of one tag or by a filter.

    `is_alive` selects only tags that are alive.
    """

    limit: int
    skip: int = 0
    after: str = ""
    tag: str = ""
    filter: TagFilter | None = None
    is_alive: bool = False


class TagHistory:
    """Reads the history of tags."""

    def __init__(self, access: Access, stores: Stores) -> None:
        self._access, self._tags, self._clock = access, stores.tags, stores.clock
        self._manifests, self._blobs, self._indexes = stores.manifests, stores.blobs, TaggedIndexes(stores)

    def page(self, actor: Actor, name: RepositoryName, query: TagHistoryQuery) -> TagHistoryPage:
        """Returns lives of tags, the newest first; a filter by a whole name reads that tag alone.

        Raises Unauthenticated, Denied, NameUnknown; FieldInvalid if the lives to skip lie beyond what is read.
        """
        repository = self._access.require_role(actor, name, Role.READ).repository
        if query.filter is not None and query.filter.is_whole and not query.tag:
            query = replace(query, tag=query.filter.text)
        rows, following = self._selected(repository.id, query)
        children = self._children(repository.id, [row.digest for row in rows if _is_index(row)])
        return TagHistoryPage([_life(row, children.get(row.digest)) for row in rows], following)

    def _selected(self, repository_id: str, query: TagHistoryQuery) -> tuple[list[TagRow | LifeRow], str | None]:
        rows: list[TagRow | LifeRow] = []
        skipped, last = 0, ""
        if query.skip >= MOST_READ:
            raise _page_too_far()
        for number, row in enumerate(self._rows(repository_id, query)):
            if number == MOST_READ:
                if query.skip and not rows:
                    raise _page_too_far()
                return rows, last
            if self._is_selected(row, query):
                if skipped < query.skip:
                    skipped += 1
                elif len(rows) == query.limit:
                    return rows, last
                else:
                    rows.append(row)
            last = row.view_at
        return rows, None

    def _rows(self, repository_id: str, query: TagHistoryQuery) -> Iterator[TagRow | LifeRow]:
        """Yields one tag's rows from the table, so that a client sees its own write; other rows from an index."""
        before = query.after if is_ulid(query.after) else ""
        if query.tag:
            return self._rows_of_tag(repository_id, query, before)
        page = READ_AT_ONCE if query.filter else min(query.skip + query.limit + 1, READ_AT_ONCE)
        if query.is_alive:
            return self._tags.newest(repository_id, before, page)
        return self._tags.newest_lives(repository_id, before, page)

    def _rows_of_tag(self, repository_id: str, query: TagHistoryQuery, before: str) -> Iterator[TagRow | LifeRow]:
        """Yields the tag itself if only a live one is wanted, else its lives; what began before `before`, if given."""
        if not query.is_alive:
            yield from self._tags.lives(repository_id, query.tag, before)
            return
        row = self._tags.get(repository_id, query.tag)
        if row is not None and (not before or row.view_at < before):
            yield row

    def _is_selected(self, row: TagRow | LifeRow, query: TagHistoryQuery) -> bool:
        ended_at = row.expires_at if isinstance(row, TagRow) else row.ended_at
        if query.is_alive and not is_alive(ended_at, self._clock()):
            return False
        return query.filter is None or query.filter.takes(row.name)

    def _children(self, repository_id: str, indexes: Sequence[Digest]) -> dict[Digest, Mapping[Digest, bool]]:
        """Returns for each index its manifests, and whether each can be pulled. Blobs are not among them."""
        named = self._manifests.children(repository_id, list(dict.fromkeys(indexes)))
        entries = {entry.digest: entry for listed in named.values() for entry in listed}
        rows = self._manifests.get_all(repository_id, entries)
        unknown = [digest for digest, entry in entries.items() if digest not in rows and not entry.is_manifest]
        blobs = self._blobs.linked(repository_id, unknown)
        passed = set[Digest]()
        pullable = {
            digest for digest, row in rows.items() if self._indexes.is_pullable(repository_id, digest, row, passed)
        }
        return {
            index: {entry.digest: entry.digest in pullable for entry in listed if entry.digest not in blobs}
            for index, listed in named.items()
        }


def _page_too_far() -> FieldInvalid:
    return FieldInvalid(
        "page",
        f"a page by its number is found among the newest {MOST_READ:,} entries:"
        " go on with the next_page of the previous page",
    )


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
