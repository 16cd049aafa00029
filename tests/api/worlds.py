"""A world for the whole API: people with every kind of right, and one of everything that a path may name."""

from __future__ import annotations

from itertools import count

from chalicelib.domain.accounts import AccountKind, RobotName
from chalicelib.domain.applications import Token
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, HolderKind, Role
from chalicelib.domain.repositories import Visibility
from chalicelib.domain.scopes import OFFERED, SUPER_USER
from chalicelib.domain.teams import TeamRole
from chalicelib.services.accounts.quotas import QuotaHolder, QuotaLimit
from chalicelib.services.identity.applications import ApplicationFields
from chalicelib.services.identity.authorizations import TokenRequest
from tests.support.api_client import Visitor
from tests.support.app_client import Door
from tests.support.builders import a_manifest, someone

SCOPES = " ".join(name for name in OFFERED if name != SUPER_USER)
PEOPLE = ("stranger", "reader", "writer", "owner", "admin")
# Who is in which team of the organization, and what the team may do to its repositories.
TEAMS = {"reader": ("readers", TeamRole.MEMBER, Role.READ), "writer": ("writers", TeamRole.CREATOR, Role.WRITE)}


class World:
    """`owner` owns `acme`, `reader` and `writer` are members of it.
    `admin` is a superuser who has nothing to do with it.

    `places` are the values by which a path names what is there.
    """

    def __init__(self, door: Door) -> None:
        self.door, self.backend = door, door.backend
        self._numbers = count(1)
        for name in PEOPLE[:-1]:
            self.backend.user(name)
        services, admin = self.backend.services, self.actor("admin")
        services.accounts.organizations.create(admin, "tools")
        services.accounts.teams.add_member(admin, "tools", "owners", "owner")
        self.tool = services.identity.applications.create(admin, "tools", ApplicationFields("tool")).client_id
        self.places = self.organization("acme")
        self.repository("acme/public", Visibility.PUBLIC)
        self.own_quota = self.quota("owner", AccountKind.USER)

    @property
    def fresh_name(self) -> str:
        """A name that nobody has."""
        return f"new{next(self._numbers)}"

    def actor(self, name: str) -> Actor:
        """Somebody as the services see them."""
        return self.backend.signed_in(name)

    def person(self) -> str:
        """A user who has nothing; their name."""
        return self.backend.user(self.fresh_name).name

    def organization(self, name: str = "") -> dict[str, str]:
        """An organization with one of everything, its name unless one is given a fresh one; what paths call it all."""
        name, owner, services = name or self.fresh_name, self.actor("owner"), self.backend.services
        self.bare_organization(name)
        for member, (team, role, _) in TEAMS.items():
            services.accounts.teams.put(owner, name, team, role, "")
            services.accounts.teams.add_member(owner, name, team, member)
        places = {"orgname": name, "namespace": name, "username": self.person(), "teamname": "readers"}
        places |= {"repository": self.repository(f"{name}/app"), "membername": "reader"}
        return places | self.robot(name) | self.application(name) | self.quota(name)

    def bare_organization(self, name: str) -> str:
        """An organization of the owner, and nothing in it; its name."""
        self.backend.services.accounts.organizations.create(self.actor("owner"), name)
        return name

    def robot(self, namespace: str) -> dict[str, str]:
        """A robot of the organization or of somebody; its token is the `robot_token` of the last one made."""
        who = namespace if namespace in PEOPLE else "owner"
        made = self.backend.services.accounts.robots.create(
            self.actor(who), RobotName.parse(f"{namespace}+{self.fresh_name}")
        )
        self.robot_token = made.token or ""
        return {"robot_shortname": made.name.robot}

    def repository(self, name: str, visibility: Visibility = Visibility.PRIVATE) -> str:
        """A repository of an organization on which its teams have their roles; its name."""
        parsed, owner = RepositoryName.parse(name), self.actor("owner")
        pusher = someone(self.backend, "owner", name)
        self.backend.services.registry.manifests.push(pusher, parsed, a_manifest(), ["v1"])
        for team, _, role in TEAMS.values():
            self.backend.services.accounts.permissions.put(owner, parsed, HolderKind.TEAM, team, role)
        if visibility is Visibility.PUBLIC:
            pusher = someone(self.backend, "owner", name)
            self.backend.services.registry.repositories.change_visibility(pusher, parsed, visibility)
        return name

    def application(self, organization: str) -> dict[str, str]:
        """An application with a token."""
        owner, services = self.actor("owner"), self.backend.services
        made = services.identity.applications.create(
            owner, organization, ApplicationFields("bot", "https://bot.example.com/back")
        )
        token = services.identity.authorizations.create(
            owner, organization, made.client_id, TokenRequest("ci", "repo:read")
        )
        return {"client_id": made.client_id, "token_uuid": token.uuid, "access_token_uuid": token.uuid}

    def quota(self, namespace: str, kind: AccountKind = AccountKind.ORGANIZATION) -> dict[str, str]:
        """A quota with a limit."""
        admin, quotas = self.actor("admin"), self.backend.services.accounts.quotas
        holder = QuotaHolder(namespace, kind, by_superuser=True)
        quotas.create(admin, holder, QuotaLimit(10**9, None))
        quota = quotas.of(admin, holder)
        assert quota is not None
        quotas.add_limit(admin, holder, quota.id, "Warning", 80)
        (limit,) = quotas.get(admin, holder, quota.id).limits
        return {"quota_id": str(quota.id), "limit_id": str(limit.id)}

    def token(self, name: str, scopes: str = SCOPES, *, superuser: bool = False) -> str:
        """An OAuth token of an owner of `tools`, of an application there."""
        scopes = f"{scopes} {SUPER_USER}" if superuser else scopes
        return self.tool_token(name, scopes).secret or ""

    def tool_token(self, name: str, scopes: str) -> Token:
        """The same, with its id."""
        authorizations = self.backend.services.identity.authorizations
        return authorizations.create(self.actor(name), "tools", self.tool, TokenRequest(self.fresh_name, scopes))

    def session(self, name: str) -> Visitor:
        """Somebody in a browser, signed in a moment ago."""
        session = self.backend.services.identity.sessions.begin(self.backend.account(name))
        visitor = Visitor(self.door)
        visitor.cookie, visitor.csrf = session.cookie, session.csrf
        return visitor
