"""Lists of repositories: of a namespace, public ones, starred ones; and the registry's catalog."""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.log_cursors import DAY_S, before, earliest
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.pages import Page
from chalicelib.domain.permissions import Actor
from chalicelib.domain.quotas import Quota
from chalicelib.domain.repositories import Repository, listed_description
from chalicelib.domain.states import NamespaceState
from chalicelib.services.catalog.visibility import RepositoryVisibility, VisibleRepositories
from chalicelib.services.security.sealing import PageTokens
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.accounts.quotas import quota_of
from chalicelib.storage.activity.usage_log import pulls_of_namespace
from chalicelib.storage.catalog.visibility import ViewRange
from chalicelib.storage.registry.repositories import RepositoryNameRow, RepositoryRow
from chalicelib.storage.stores import Stores

# Quay's page, and how many rows a page may read to find visible repositories: so a page may be shorter.
PAGE, MOST_READ = 100, 500
# Popularity counts the pulls of so many days, and at most so many of the namespace's newest.
POPULAR_DAYS, MOST_PULLS = 30, 1000
# How many ids of namespaces a process caches.
REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class RepositoryQuery:
    """Which list to return, and which details: time of the last push, pulls (popularity), bytes (quota)."""

    namespace: str = ""
    public: bool = False
    starred: bool = False
    last_modified: bool = False
    popularity: bool = False
    quota: bool = False


@dataclass(frozen=True, slots=True)
class ListedRepository:
    """A repository in a list. Details that were not requested or do not exist are None; `quota` is the namespace's.

    `last_modified` is in seconds since the epoch, `popularity` counts pulls.
    """

    repository: Repository
    description: str
    is_public: bool
    mode: str
    is_starred: bool
    quota: Quota | None = None
    last_modified: int | None = None
    popularity: float | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class ListPage:
    """A page of repositories; `following` is the token of the next page, None after the last."""

    repositories: Sequence[ListedRepository]
    following: str | None = None


class RepositoryListing:
    """Lists repositories. The rows themselves are read consistently; an index only finds them."""

    def __init__(self, stores: Stores, visibility: RepositoryVisibility, tokens: PageTokens) -> None:
        self._visibility, self._store, self._accounts = visibility, stores.repositories, stores.accounts
        self._visibility_store = stores.visibility
        self._usage_log, self._tokens, self._clock = stores.usage_log, tokens, stores.clock
        # Ids of namespaces by name; each use checks that the name is still theirs.
        self._namespace_ids: dict[str, str] = {}

    def page(self, actor: Actor, query: RepositoryQuery, token: str | None = None) -> ListPage:
        """Returns a page of at most 100 repositories that the actor may see, by name.

        Raises FieldInvalid if the query names no list.
        """
        if not query.namespace and not query.public and not query.starred:
            raise FieldInvalid("", "namespace, starred or public are required for this API call")
        subject = f"{actor.account_id}#{query.namespace}#{query.starred}#{query.public}"
        after = self._tokens.open(subject, token) if token else ""
        if query.starred:
            listed, position = self._starred(actor, after)
        elif query.namespace:
            listed, position = self._in_namespace(actor, query, after)
        else:
            listed, position = self._public(actor, after)
        following = self._tokens.seal(subject, position) if position else None
        return ListPage(self._with_details(listed, query), following)

    def _in_namespace(self, actor: Actor, query: RepositoryQuery, after: str) -> tuple[list[ListedRepository], str]:
        """Returns repositories of a namespace past a name, and the name to continue after."""
        namespace_range = self._range(actor, query.namespace, after)
        if namespace_range is None:
            return [], ""
        namespace, rows = namespace_range
        namespace_id = keys.namespace_id(namespace.pk)
        visible, listed = self._visibility.of(actor, namespace_id), []
        for row in rows.repositories:
            repository = Repository(row.repository_id, namespace_id, RepositoryName(namespace.name, row.name))
            if visible.sees(repository, is_public=query.public and row.is_public):
                listed.append(_listed(repository, row, visible, namespace))
            if len(listed) == PAGE:
                is_last = rows.is_last and row.name == rows.last
                return listed, "" if is_last else row.name
        return listed, "" if rows.is_last else rows.last

    def _range(self, actor: Actor, name: str, after: str) -> tuple[NamespaceRow, ViewRange] | None:
        """Returns a namespace and its repositories past a name; None if there is no such namespace.

        A cached id is tried first: the namespace's row, read with the repositories, says whether it still has this
        name.
        """
        cached_id = actor.account_id if actor.name == name else self._namespace_ids.get(name)
        if cached_id and (namespace_range := self._read(cached_id, name, after)):
            return namespace_range
        pointer = self._accounts.find(name)
        if pointer is None or pointer.id == cached_id:
            return None
        if len(self._namespace_ids) >= REMEMBERED:
            self._namespace_ids.clear()
        self._namespace_ids[name] = pointer.id
        return self._read(pointer.id, name, after)

    def _read(self, namespace_id: str, name: str, after: str) -> tuple[NamespaceRow, ViewRange] | None:
        rows = self._visibility_store.of_namespace(namespace_id, after, MOST_READ)
        namespace = self._accounts.namespace(namespace_id) if after else rows.namespace
        is_it = namespace is not None and namespace.state == NamespaceState.LIVE and namespace.name == name
        return (namespace, rows) if namespace is not None and is_it else None

    def _starred(self, actor: Actor, after: str) -> tuple[list[ListedRepository], str]:
        """Returns starred repositories that the actor may see, past an id, and the id to continue after."""
        visible = self._visibility.of(actor)
        ids = sorted(identifier for identifier in visible.stars if identifier > after)
        page = ids[:PAGE]
        listed = self._living(page, {visible.stars[identifier].namespace_id for identifier in page}, visible)
        return listed, page[-1] if len(ids) > PAGE else ""

    def _public(self, actor: Actor, after: str) -> tuple[list[ListedRepository], str]:
        """Returns public repositories past a full name, and the name to continue after."""
        rows = list(self._store.public(after, PAGE + 1))
        page = rows[:PAGE]
        namespaces = {keys.namespace_id(row.pk) for row in page}
        living = self._living([row.repository_id for row in page], namespaces, self._visibility.of(actor))
        return [listed for listed in living if listed.is_public], page[-1].view_at if len(rows) > PAGE else ""

    def _living(
        self, ids: Sequence[str], namespace_ids: Iterable[str], visible: VisibleRepositories
    ) -> list[ListedRepository]:
        """Returns the visible repositories among some ids, in the same order, without those of deleted namespaces."""
        rows, namespaces = self._store.with_namespaces(ids, namespace_ids)
        listed = []
        for identifier, row in rows.items():
            namespace = namespaces.get(row.namespace_id)
            if namespace is None or namespace.state != NamespaceState.LIVE:
                continue
            repository = Repository(identifier, row.namespace_id, RepositoryName(namespace.name, row.name))
            if visible.sees(repository, is_public=row.is_public):
                listed.append(_listed(repository, row, visible, namespace))
        return listed

    def _with_details(self, repositories: Sequence[ListedRepository], query: RepositoryQuery) -> list[ListedRepository]:
        """Returns the same repositories with the details that the query requests."""
        ids = [listed.repository.id for listed in repositories]
        if not ids:
            return []
        pushed = self._store.pushed(ids) if query.last_modified else {}
        sizes = self._store.sizes(ids) if query.quota else {}
        pulls = self._pulls({listed.repository.namespace_id for listed in repositories}) if query.popularity else None
        return [
            replace(
                listed,
                last_modified=pushed.get(listed.repository.id),
                bytes=sizes.get(listed.repository.id),
                popularity=None if pulls is None else float(pulls[listed.repository.id]),
            )
            for listed in repositories
        ]

    def _pulls(self, namespace_ids: Iterable[str]) -> Counter[str | None]:
        """Counts recent pulls by repository id, with one query for each namespace."""
        now, pulls = self._clock(), Counter[str | None]()
        first, last = earliest(now - POPULAR_DAYS * DAY_S), before(earliest(now + DAY_S))
        for namespace_id in namespace_ids:
            rows = self._usage_log.newest(pulls_of_namespace(namespace_id), last, first, MOST_PULLS)
            pulls.update(row.repository_id for row in islice(rows, MOST_PULLS))
        return pulls

    def catalog(self, actor: Actor, last: str, size: int) -> Page[str]:
        """Returns at most `size` full names of repositories that the actor may pull, in order, past `last`."""
        if size == 0:
            return Page([])
        visible = self._visibility.of(actor)
        lists: list[Iterable[str]] = [(row.view_at for row in self._store.public(last, size + 1))]
        namespaces = self._accounts.namespaces(sorted(visible.administered))
        lists += [
            self._store.owned(identifier, row.name, last, size + 1)
            for identifier, row in namespaces.items()
            if row.state == NamespaceState.LIVE
        ]
        lists.append(self._with_roles(visible.roles, last))
        names = list(_first(heapq.merge(*lists), size + 1))
        return Page(names[:size], more=len(names) > size)

    def _with_roles(self, roles: Mapping[str, object], last: str) -> list[str]:
        rows = self._store.get_all(list(roles)).values()
        names = (f"{row.namespace}/{row.name}" for row in rows)
        return sorted(name for name in names if name > last)


def _listed(
    repository: Repository,
    row: RepositoryNameRow | RepositoryRow,
    visible: VisibleRepositories,
    namespace: NamespaceRow,
) -> ListedRepository:
    is_starred = repository.id in visible.stars
    return ListedRepository(
        repository, listed_description(row.description), row.is_public, row.mode, is_starred, quota_of(namespace)
    )


def _first(names: Iterator[str], count: int) -> Iterator[str]:
    """Returns the first `count` of sorted names without duplicates."""
    last = None
    for name in names:
        if name == last:
            continue
        last = name
        yield name
        count -= 1
        if count == 0:
            return
