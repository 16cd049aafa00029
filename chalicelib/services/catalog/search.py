"""Searches visible repositories, users, organizations, teams and robots by the beginnings of words.

A search reads a bounded number of names, and finds exact ones by their keys. The rights on what it found are checked in
the table itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chalicelib.domain.accounts import AccountKind, RobotName
from chalicelib.domain.errors import NameInvalid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.pages import Page
from chalicelib.domain.permissions import Actor
from chalicelib.domain.repositories import Repository, listed_description
from chalicelib.domain.scopes import REPO_READ, allows
from chalicelib.domain.search_words import matches, query_words
from chalicelib.domain.states import NamespaceState
from chalicelib.services.catalog.visibility import RepositoryVisibility, VisibleRepositories
from chalicelib.services.security.access import Access, NamespaceAccess, refusal
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.registry.repositories import RepositoryRow
from chalicelib.storage.search_words import SearchKind, SearchWordRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import BATCH_READ

# Quay's pages, and how many names one word may find.
PAGE, MOST_PAGES, MOST_READ = 10, 10, 500
# In how many of the actor's namespaces robots are searched.
MOST_NAMESPACES = 20
TEAM = "team"


@dataclass(frozen=True, slots=True)
class RepositoryHit:
    """A repository that was found. `pushed_at` is the time of the last push, None if there was none."""

    repository: Repository
    kind: AccountKind
    description: str
    is_public: bool
    pushed_at: int | None = None


@dataclass(frozen=True, slots=True)
class Entity:
    """A user, robot, organization or team, as `kind` says.

    `organization` is that of a team; `is_member` says whether it belongs to the organization of the search, None
    without one.
    """

    name: str
    kind: str
    organization: str = ""
    is_member: bool | None = None


class Search:
    """Searches by name."""

    def __init__(self, access: Access, stores: Stores, visibility: RepositoryVisibility) -> None:
        self._access, self._visibility, self._words = access, visibility, stores.search_words
        self._accounts, self._teams, self._repositories = stores.accounts, stores.teams, stores.repositories

    def repositories(self, actor: Actor, text: str, page: int = 1) -> Page[RepositoryHit]:
        """Returns a page of ten repositories that the actor may read; the tenth is the last, also for later numbers."""
        start = (min(max(page, 1), MOST_PAGES) - 1) * PAGE
        all_hits = []
        for hit in self._hits(actor, text):
            all_hits.append(hit)
            if len(all_hits) > start + PAGE:
                break
        hits = all_hits[start : start + PAGE]
        pushed = self._repositories.pushed([hit.repository.id for hit in hits])
        dated = [
            RepositoryHit(h.repository, h.kind, h.description, h.is_public, pushed.get(h.repository.id)) for h in hits
        ]
        return Page(dated, more=page < MOST_PAGES and len(all_hits) > start + PAGE)

    def _hits(self, actor: Actor, text: str) -> Iterator[RepositoryHit]:
        words = query_words(text)
        rows = self._rows(words, (SearchKind.REPOSITORY,))
        found = list({**self._named(text), **{row.id: row.namespace_id for row in rows}}.items())
        visible = self._visibility.of(actor) if found else None
        for start in range(0, len(found), BATCH_READ // 2):
            some = dict(found[start : start + BATCH_READ // 2])
            living, namespaces = self._repositories.with_namespaces(list(some), set(some.values()))
            for identifier, row in living.items():
                namespace = namespaces.get(row.namespace_id)
                if namespace and visible and (hit := _hit(identifier, row, namespace, visible, words)):
                    yield hit

    def _named(self, text: str) -> dict[str, str]:
        """Returns the ids of the repository whose full name the text is, and of its namespace, read by their keys."""
        try:
            name = RepositoryName.parse(text.strip().lower())
        except NameInvalid:
            return {}
        pointer = self._accounts.find(name.namespace) if "/" in text else None
        row = self._repositories.find(pointer.id, name) if pointer else None
        return {row.repository_id: pointer.id} if row and pointer else {}

    def _rows(self, words: Sequence[str], kinds: Sequence[SearchKind]) -> list[SearchWordRow]:
        """Returns the rows that any of the words finds, without duplicates, in the order of the words."""
        wanted = set(kinds)
        rows = {row.id: row for word in words for row in self._words.beginning(word, MOST_READ) if row.kind in wanted}
        return list(rows.values())

    def everything(self, actor: Actor, text: str) -> tuple[list[Entity], list[RepositoryHit]]:
        """Returns at most ten each of teams, robots, users and organizations; and a page of repositories."""
        if not query_words(text):
            return [], []
        own = [*self._own_teams(actor, text), *self._own_robots(actor, text)] if allows(actor.scopes, REPO_READ) else []
        return [*own, *self._accounts_named(text)], list(self.repositories(actor, text).items)

    def _own_teams(self, actor: Actor, text: str) -> list[Entity]:
        if actor.account_id is None:
            return []
        memberships = self._teams.memberships(actor.account_id)
        teams = self._teams.get_all([row.team_id for row in memberships])
        named = [team for team in teams if matches(team.name, query_words(text))][:PAGE]
        namespaces = self._accounts.namespaces([team.namespace_id for team in named])
        return [
            Entity(team.name, TEAM, namespaces[team.namespace_id].name)
            for team in named
            if team.namespace_id in namespaces and namespaces[team.namespace_id].state == NamespaceState.LIVE
        ]

    def _own_robots(self, actor: Actor, text: str) -> list[Entity]:
        """Returns robots of namespaces that the actor administers."""
        administered = sorted(self._visibility.of(actor).administered)[:MOST_NAMESPACES]
        namespaces = self._accounts.namespaces(administered)
        names = [
            RobotName(namespace.name, robot.name or "")
            for identifier, namespace in namespaces.items()
            if namespace.state == NamespaceState.LIVE
            for robot in self._accounts.robots(identifier)
        ]
        return [Entity(str(name), AccountKind.ROBOT) for name in names if matches(name.robot, query_words(text))][:PAGE]

    def _accounts_named(
        self, text: str, kinds: Sequence[SearchKind] = (SearchKind.USER, SearchKind.ORGANIZATION)
    ) -> list[Entity]:
        """Returns users and organizations, whose names are public; first the one with this very name."""
        words = query_words(text)
        rows = [row for row in self._rows(words, kinds) if matches(row.name, words)][: PAGE * PAGE]
        exact = self._accounts.find(text.strip().lower())
        ids = [exact.id] if exact else []
        namespaces = self._accounts.namespaces(list(dict.fromkeys([*ids, *(row.namespace_id for row in rows)])))
        living = [
            row for row in namespaces.values() if row.state == NamespaceState.LIVE and SearchKind(row.kind) in kinds
        ]
        return [Entity(row.name, row.kind) for row in living[:PAGE]]

    def entities(
        self,
        actor: Actor,
        text: str,
        namespace: str = "",
        *,
        with_teams: bool = False,
        with_organizations: bool = False,
    ) -> list[Entity]:
        """Returns users by the beginning of a word, and robots and teams of a namespace where the actor has a role.

        Raises Unauthenticated for anonymous actors.
        """
        if actor.is_anonymous:
            raise refusal(actor, "accounts", "look for")
        access = self._access.namespace_access(actor, namespace) if namespace else None
        if access is None or access.role is None:
            return self._accounts_named(text, (SearchKind.USER,))
        entities = self._in_namespace(access, text, with_teams=with_teams)
        members = self._teams.all_members(access.id) if access.is_organization else None
        entities += [self._as_member(user, members) for user in self._accounts_named(text, (SearchKind.USER,))]
        if (
            with_organizations
            and access.is_organization
            and access.is_admin
            and matches(access.name, query_words(text))
        ):
            entities.append(Entity(access.name, AccountKind.ORGANIZATION, is_member=True))
        return entities

    def _as_member(self, user: Entity, members: set[str] | None) -> Entity:
        if members is None:
            return user
        pointer = self._accounts.find(user.name)
        return Entity(user.name, user.kind, is_member=pointer is not None and pointer.id in members)

    def _in_namespace(self, access: NamespaceAccess, text: str, *, with_teams: bool) -> list[Entity]:
        words = query_words(text.rpartition("+")[2])
        teams = self._teams.of_organization(access.id) if with_teams and access.is_organization else []
        names = [RobotName(access.name, robot.name or "") for robot in self._accounts.robots(access.id)]
        robots = [name for name in names if matches(name.robot, words) or str(name).startswith(text.lower())]
        is_member = True if access.is_organization else None
        return [
            *[Entity(team.name, TEAM, access.name, is_member) for team in teams if matches(team.name, words)][:PAGE],
            *[Entity(str(name), AccountKind.ROBOT, is_member=is_member) for name in robots][:PAGE],
        ]


def _hit(
    identifier: str, row: RepositoryRow, namespace: NamespaceRow, visible: VisibleRepositories, words: Sequence[str]
) -> RepositoryHit | None:
    """Returns the hit for a repository whose full name matches and that is visible, else None."""
    repository = Repository(identifier, row.namespace_id, RepositoryName(namespace.name, row.name))
    is_found = namespace.state == NamespaceState.LIVE and matches(str(repository.name), words)
    if not is_found or not visible.sees(repository, is_public=row.is_public):
        return None
    return RepositoryHit(repository, namespace.kind, listed_description(row.description), row.is_public)
