"""Finds which repositories an actor may see: one query of their own rows, and one for each of their teams.

Lists start from these and never read what the actor has no right on. Like all rights they are read consistently.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chalicelib.domain.permissions import Actor, Role
from chalicelib.domain.repositories import Repository
from chalicelib.domain.scopes import capped
from chalicelib.domain.teams import TeamRole
from chalicelib.services.security.access import Access
from chalicelib.storage.catalog.stars import StarRow
from chalicelib.storage.catalog.visibility import HeldRole
from chalicelib.storage.stores import Stores


@dataclass(frozen=True, slots=True)
class VisibleRepositories:
    """Roles by repository id, ids of namespaces that the actor administers, and stars by repository id.

    `scopes` are those of the actor's token, None without limits; `sees_all` is for superusers with full access.
    """

    roles: Mapping[str, Role]
    administered: frozenset[str]
    stars: Mapping[str, StarRow]
    scopes: frozenset[str] | None = None
    sees_all: bool = False

    def role(self, namespace_id: str, repository_id: str) -> Role | None:
        """Returns the actor's role on a repository, None without one; anyone may also read public ones."""
        is_admin = self.sees_all or namespace_id in self.administered
        return capped(Role.ADMIN if is_admin else self.roles.get(repository_id), self.scopes)

    def sees(self, repository: Repository, *, is_public: bool) -> bool:
        """Whether the actor may read a repository."""
        return is_public or self.role(repository.namespace_id, repository.id) is not None


NOTHING = VisibleRepositories({}, frozenset(), {})


class RepositoryVisibility:
    """Finds which repositories actors may see."""

    def __init__(self, access: Access, stores: Stores) -> None:
        self._access, self._store = access, stores.visibility

    def of(self, actor: Actor, namespace_id: str | None = None) -> VisibleRepositories:
        """Returns what an actor may see besides public repositories, in all namespaces or in one."""
        if actor.account_id is None:
            return NOTHING
        own = self._store.of_account(actor.account_id)
        rows = [row for row in own.memberships if namespace_id in (None, row.namespace_id)]
        teams = [self._store.of_team(row.team_id) for row in rows]
        living = [team for team in teams if team.team is not None]
        administered = {team.team.namespace_id for team in living if team.team and team.team.role is TeamRole.ADMIN}
        stars = {row.repository_id: row for row in own.stars}
        return VisibleRepositories(
            _best([own, *living]),
            frozenset({actor.account_id, *administered}),
            stars,
            actor.scopes,
            self._access.has_all(actor),
        )


def _best(holders: Iterable[HeldRole]) -> dict[str, Role]:
    """Returns the highest role on each repository among those of several holders."""
    roles: dict[str, Role] = {}
    for holder in holders:
        for identifier, role in holder.roles.items():
            if identifier not in roles or roles[identifier].rank < role.rank:
                roles[identifier] = role
    return roles
