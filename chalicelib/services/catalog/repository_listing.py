"""Lists of repositories: of a namespace, of what is public, of one's stars; and the registry's catalog."""

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
from chalicelib.domain.repositories import Repository
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

# Quay's page; and how many rows a page may read to find so many that the actor may see: it may be short.
PAGE, MOST_READ = 100, 500
# Popularity counts the pulls of so many days, among the newest of the namespace.
POPULAR_DAYS, MOST_PULLS = 30, 1000
# How many namespaces a process remembers the ids of.
REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class RepositoryQuery:
    """Which list, and what is to be told besides: when something was last pushed, pulls, bytes."""

    namespace: str = ""
    public: bool = False
    starred: bool = False
    last_modified: bool = False
    popularity: bool = False
    quota: bool = False


@dataclass(frozen=True, slots=True)
class ListedRepository:
    """A repository in a list. What was not asked for, or never happened, is None; `quota` is the namespace's."""

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
    """Some repositories, and what to ask for the next ones with; None where there are none."""

    repositories: Sequence[ListedRepository]
    following: str | None = None


class RepositoryListing:
    """Lists of repositories. What a list tells is read consistently; an index says only where to look."""

    def __init__(self, stores: Stores, visibility: RepositoryVisibility, tokens: PageTokens) -> None:
        self._visibility, self._store, self._accounts = visibility, stores.repositories, stores.accounts
        self._sight_store = stores.visibility
        self._usage_log, self._tokens, self._clock = stores.usage_log, tokens, stores.clock
        # Namespaces by name: each use looks whether that is still so.
        self._known: dict[str, str] = {}

    def page(self, actor: Actor, asked: RepositoryQuery, token: str | None = None) -> ListPage:
        """A hundred repositories that the actor may see, by name.

        Raises FieldInvalid where nothing says which.
        """
        if not asked.namespace and not asked.public and not asked.starred:
            raise FieldInvalid("", "namespace, starred or public are required for this API call")
        about = f"{actor.account_id}#{asked.namespace}#{asked.starred}#{asked.public}"
        after = self._tokens.open(about, token) if token else ""
        if asked.starred:
            found, place = self._starred(actor, after)
        elif asked.namespace:
            found, place = self._in_namespace(actor, asked, after)
        else:
            found, place = self._public(actor, after)
        return ListPage(self._told(found, asked), self._tokens.seal(about, place) if place else None)

    def _in_namespace(self, actor: Actor, asked: RepositoryQuery, after: str) -> tuple[list[ListedRepository], str]:
        """Repositories of a namespace past a name, and the name to go on from."""
        where = self._stretch(actor, asked.namespace, after)
        if where is None:
            return [], ""
        namespace, stretch = where
        namespace_id = keys.namespace_id(namespace.pk)
        visible, found = self._visibility.of(actor, namespace_id), []
        for row in stretch.repositories:
            repository = Repository(row.repository_id, namespace_id, RepositoryName(namespace.name, row.name))
            if visible.sees(repository, is_public=asked.public and row.is_public):
                found.append(_listed(repository, row, visible, namespace))
            if len(found) == PAGE:
                is_last = stretch.is_last and row.name == stretch.last
                return found, "" if is_last else row.name
        return found, "" if stretch.is_last else stretch.last

    def _stretch(self, actor: Actor, name: str, after: str) -> tuple[NamespaceRow, ViewRange] | None:
        """A namespace and its repositories past a name; None where there is no such namespace.

        The id that is remembered is tried first: the namespace itself, read with the repositories, says whether it
        still has this name.
        """
        remembered = actor.account_id if actor.name == name else self._known.get(name)
        if remembered and (found := self._read(remembered, name, after)):
            return found
        pointer = self._accounts.find(name)
        if pointer is None or pointer.id == remembered:
            return None
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[name] = pointer.id
        return self._read(pointer.id, name, after)

    def _read(self, namespace_id: str, name: str, after: str) -> tuple[NamespaceRow, ViewRange] | None:
        stretch = self._sight_store.of_namespace(namespace_id, after, MOST_READ)
        namespace = self._accounts.namespace(namespace_id) if after else stretch.namespace
        is_it = namespace is not None and namespace.state == NamespaceState.LIVE and namespace.name == name
        return (namespace, stretch) if namespace is not None and is_it else None

    def _starred(self, actor: Actor, after: str) -> tuple[list[ListedRepository], str]:
        """What the actor has starred and may see, past a repository's id, and the id to go on from."""
        visible = self._visibility.of(actor)
        ids = sorted(identifier for identifier in visible.stars if identifier > after)
        page = ids[:PAGE]
        found = self._living(page, {visible.stars[identifier].namespace_id for identifier in page}, visible)
        return found, page[-1] if len(ids) > PAGE else ""

    def _public(self, actor: Actor, after: str) -> tuple[list[ListedRepository], str]:
        """Public repositories past a full name, and the name to go on from."""
        rows = list(self._store.public(after, PAGE + 1))
        page = rows[:PAGE]
        namespaces = {keys.namespace_id(row.pk) for row in page}
        found = self._living([row.repository_id for row in page], namespaces, self._visibility.of(actor))
        seen = [listed for listed in found if listed.is_public]
        return seen, page[-1].view_at if len(rows) > PAGE else ""

    def _living(
        self, ids: Sequence[str], namespace_ids: Iterable[str], visible: VisibleRepositories
    ) -> list[ListedRepository]:
        """Those of some repositories that live in a namespace that lives, and may be seen; in the same order."""
        rows, namespaces = self._store.with_namespaces(ids, namespace_ids)
        found = []
        for identifier, row in rows.items():
            namespace = namespaces.get(row.namespace_id)
            if namespace is None or namespace.state != NamespaceState.LIVE:
                continue
            repository = Repository(identifier, row.namespace_id, RepositoryName(namespace.name, row.name))
            if visible.sees(repository, is_public=row.is_public):
                found.append(_listed(repository, row, visible, namespace))
        return found

    def _told(self, found: Sequence[ListedRepository], asked: RepositoryQuery) -> list[ListedRepository]:
        """The same, with what else was asked for."""
        ids = [listed.repository.id for listed in found]
        if not ids:
            return []
        pushed = self._store.pushed(ids) if asked.last_modified else {}
        sizes = self._store.sizes(ids) if asked.quota else {}
        pulls = self._pulls({listed.repository.namespace_id for listed in found}) if asked.popularity else None
        return [
            replace(
                listed,
                last_modified=pushed.get(listed.repository.id),
                bytes=sizes.get(listed.repository.id),
                popularity=None if pulls is None else float(pulls[listed.repository.id]),
            )
            for listed in found
        ]

    def _pulls(self, namespace_ids: Iterable[str]) -> Counter[str | None]:
        """How often repositories were pulled lately, by their ids: one query for each namespace."""
        now, counted = self._clock(), Counter[str | None]()
        first, last = earliest(now - POPULAR_DAYS * DAY_S), before(earliest(now + DAY_S))
        for namespace_id in namespace_ids:
            rows = self._usage_log.newest(pulls_of_namespace(namespace_id), last, first, MOST_PULLS)
            counted.update(row.repository_id for row in islice(rows, MOST_PULLS))
        return counted

    def catalog(self, actor: Actor, last: str, size: int) -> Page[str]:
        """Full names of what the actor may pull: public, administered and granted, in order, past `last`."""
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
        lists.append(self._granted(visible.roles, last))
        names = list(_first(heapq.merge(*lists), size + 1))
        return Page(names[:size], more=len(names) > size)

    def _granted(self, roles: Mapping[str, object], last: str) -> list[str]:
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
    return ListedRepository(repository, row.description, row.is_public, row.mode, is_starred, quota_of(namespace))


def _first(names: Iterator[str], count: int) -> Iterator[str]:
    """The first `count` of sorted names, each once."""
    last = None
    for name in names:
        if name == last:
            continue
        last = name
        yield name
        count -= 1
        if count == 0:
            return
