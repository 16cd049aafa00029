"""Search: repositories, people, organizations, teams and robots by the beginnings of words; each only what one may see.

A search reads a bounded number of names, and looks at the rights on what it found in the table itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chalicelib.domain.accounts import AccountKind, RobotName
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.pages import Page
from chalicelib.domain.permissions import Actor
from chalicelib.domain.repositories import Repository
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

# Quay's pages; and how many names a word may lead to in one search.
PAGE, MOST_PAGES, MOST_READ = 10, 10, 500
# Robots and teams are looked for in so many of one's namespaces.
MOST_NAMESPACES = 20
TEAM = "team"


@dataclass(frozen=True, slots=True)
class RepositoryHit:
    """A repository that was found. `pushed_at` is when something was last pushed, None where nothing was."""

    repository: Repository
    kind: AccountKind
    description: str
    is_public: bool
    pushed_at: int | None = None


@dataclass(frozen=True, slots=True)
class Entity:
    """Somebody or something with a name. `kind` is user, robot, organization or team.

    `organization` is a team's; `is_member` whether it belongs to the organization that was asked about, None where
    none was.
    """

    name: str
    kind: str
    organization: str = ""
    is_member: bool | None = None


class Search:
    """Search."""

    def __init__(self, access: Access, stores: Stores, visibility: RepositoryVisibility) -> None:
        self._access, self._visibility, self._words = access, visibility, stores.search_words
        self._accounts, self._teams, self._repositories = stores.accounts, stores.teams, stores.repositories

    def repositories(self, actor: Actor, text: str, page: int = 1) -> Page[RepositoryHit]:
        """Ten repositories that one may read, by their names; the page after the tenth is the tenth."""
        start = (min(max(page, 1), MOST_PAGES) - 1) * PAGE
        found = []
        for hit in self._hits(actor, text):
            found.append(hit)
            if len(found) > start + PAGE:
                break
        hits = found[start : start + PAGE]
        pushed = self._repositories.pushed([hit.repository.id for hit in hits])
        told = [
            RepositoryHit(h.repository, h.kind, h.description, h.is_public, pushed.get(h.repository.id)) for h in hits
        ]
        return Page(told, more=len(found) > start + PAGE)

    def _hits(self, actor: Actor, text: str) -> Iterator[RepositoryHit]:
        asked = query_words(text)
        rows = self._found(asked, (SearchKind.REPOSITORY,))
        visible = self._visibility.of(actor) if rows else None
        for start in range(0, len(rows), BATCH_READ // 2):
            some = rows[start : start + BATCH_READ // 2]
            living, namespaces = self._repositories.with_namespaces(
                [row.id for row in some], {row.namespace_id for row in some}
            )
            for identifier, row in living.items():
                namespace = namespaces.get(row.namespace_id)
                if namespace and visible and (hit := _hit(identifier, row, namespace, visible, asked)):
                    yield hit

    def _found(self, asked: Sequence[str], kinds: Sequence[SearchKind]) -> list[SearchWordRow]:
        """What any of the words leads to, each once, in the order of the words."""
        wanted = set(kinds)
        rows = {row.id: row for word in asked for row in self._words.beginning(word, MOST_READ) if row.kind in wanted}
        return list(rows.values())

    def everything(self, actor: Actor, text: str) -> tuple[list[Entity], list[RepositoryHit]]:
        """Ten each of teams, robots, users and organizations, and of repositories."""
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
        """Robots of namespaces that one administers."""
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
        """Users and organizations, of whom everybody may know."""
        asked = query_words(text)
        rows = [row for row in self._found(asked, kinds) if matches(row.name, asked)][: PAGE * PAGE]
        namespaces = self._accounts.namespaces([row.namespace_id for row in rows])
        living = [row for row in namespaces.values() if row.state == NamespaceState.LIVE]
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
        """Users whose names have a word that begins so, and of a namespace of one's own its robots and teams.

        Raises Unauthenticated for strangers.
        """
        if actor.is_anonymous:
            raise refusal(actor, "accounts", "look for")
        place = self._access.namespace_access(actor, namespace) if namespace else None
        if place is None or place.role is None:
            return self._accounts_named(text, (SearchKind.USER,))
        found = self._in_place(place, text, with_teams=with_teams)
        members = self._teams.all_members(place.id) if place.is_organization else None
        found += [self._as_member(user, members) for user in self._accounts_named(text, (SearchKind.USER,))]
        if with_organizations and place.is_organization and place.is_admin and matches(place.name, query_words(text)):
            found.append(Entity(place.name, AccountKind.ORGANIZATION, is_member=True))
        return found

    def _as_member(self, user: Entity, members: set[str] | None) -> Entity:
        if members is None:
            return user
        pointer = self._accounts.find(user.name)
        return Entity(user.name, user.kind, is_member=pointer is not None and pointer.id in members)

    def _in_place(self, place: NamespaceAccess, text: str, *, with_teams: bool) -> list[Entity]:
        asked = query_words(text.rpartition("+")[2])
        teams = self._teams.of_organization(place.id) if with_teams and place.is_organization else []
        names = [RobotName(place.name, robot.name or "") for robot in self._accounts.robots(place.id)]
        robots = [name for name in names if matches(name.robot, asked) or str(name).startswith(text.lower())]
        is_member = True if place.is_organization else None
        return [
            *[Entity(team.name, TEAM, place.name, is_member) for team in teams if matches(team.name, asked)][:PAGE],
            *[Entity(str(name), AccountKind.ROBOT, is_member=is_member) for name in robots][:PAGE],
        ]


def _hit(
    identifier: str, row: RepositoryRow, namespace: NamespaceRow, visible: VisibleRepositories, asked: Sequence[str]
) -> RepositoryHit | None:
    """A repository that is found by its full name, if it may be seen."""
    repository = Repository(identifier, row.namespace_id, RepositoryName(namespace.name, row.name))
    is_found = namespace.state == NamespaceState.LIVE and matches(str(repository.name), asked)
    if not is_found or not visible.sees(repository, is_public=row.is_public):
        return None
    return RepositoryHit(repository, namespace.kind, row.description, row.is_public)
