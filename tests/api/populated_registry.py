"""A world for the whole API: users with every kind of right, and one of each resource that a path may name."""

from __future__ import annotations

from itertools import count

from chalicelib.domain.accounts import AccountKind, RobotName
from chalicelib.domain.applications import Token
from chalicelib.domain.mirrors import MirrorSource
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import Actor, HolderKind, Role
from chalicelib.domain.proxy_caches import ProxyCacheSettings
from chalicelib.domain.repositories import Visibility
from chalicelib.domain.scopes import OFFERED, SUPER_USER
from chalicelib.domain.teams import TeamRole
from chalicelib.edge.api.mirroring.organization_mirrors import requested
from chalicelib.services.accounts.quotas import QuotaHolder, QuotaLimit
from chalicelib.services.identity.applications import ApplicationFields
from chalicelib.services.identity.authorizations import TokenRequest
from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import a_manifest, token_actor
from tests.support.mirror_builders import SETTINGS, SOURCE, changes

SCOPES = " ".join(name for name in OFFERED if name != SUPER_USER)
PEOPLE = ("stranger", "reader", "writer", "owner", "admin")
# The members of the organization's teams, and the teams' roles on its repositories.
TEAMS = {"reader": ("readers", TeamRole.MEMBER, Role.READ), "writer": ("writers", TeamRole.CREATOR, Role.WRITE)}


class PopulatedRegistry:
    """A backend with users and their resources.

    `owner` owns `acme`, `reader` and `writer` are members of it; `admin` is a superuser without any role in it.

    `places` are the values of the parameters in paths.
    """

    def __init__(self, app_client: AppClient) -> None:
        self.app_client, self.backend = app_client, app_client.backend
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
        """Returns a name that nobody has."""
        return f"new{next(self._numbers)}"

    def actor(self, name: str) -> Actor:
        """Returns the actor of a user."""
        return self.backend.signed_in(name)

    def person(self) -> str:
        """Creates a user without any resources; returns the name."""
        return self.backend.user(self.fresh_name).name

    def organization(self, name: str = "") -> dict[str, str]:
        """Creates an organization with one of each resource; returns the values that paths name them by."""
        name, owner, services = name or self.fresh_name, self.actor("owner"), self.backend.services
        self.bare_organization(name)
        for member, (team, role, _) in TEAMS.items():
            services.accounts.teams.put(owner, name, team, role, "")
            services.accounts.teams.add_member(owner, name, team, member)
        places = {"orgname": name, "namespace": name, "username": self.person(), "teamname": "readers"}
        places |= {"repository": self.repository(f"{name}/app"), "membername": "reader"}
        return places | self.robot(name) | self.application(name) | self.quota(name)

    def bare_organization(self, name: str) -> str:
        """Creates an empty organization of the owner; returns its name."""
        self.backend.services.accounts.organizations.create(self.actor("owner"), name)
        return name

    def robot(self, namespace: str) -> dict[str, str]:
        """Creates a robot in a namespace; `robot_token` is the token of the last one."""
        who = namespace if namespace in PEOPLE else "owner"
        robot = self.backend.services.accounts.robots.create(
            self.actor(who), RobotName.parse(f"{namespace}+{self.fresh_name}")
        )
        self.robot_token = robot.token or ""
        return {"robot_shortname": robot.name.robot}

    def repository(self, name: str, visibility: Visibility = Visibility.PRIVATE) -> str:
        """Creates a repository of an organization, on which its teams have roles; returns its name."""
        parsed, owner = RepositoryName.parse(name), self.actor("owner")
        pusher = token_actor(self.backend, "owner", name)
        self.backend.services.registry.manifests.push(pusher, parsed, a_manifest(), [Tag("v1")])
        for team, _, role in TEAMS.values():
            self.backend.services.accounts.permissions.put(owner, parsed, HolderKind.TEAM, team, role)
        if visibility is Visibility.PUBLIC:
            pusher = token_actor(self.backend, "owner", name)
            self.backend.services.registry.repositories.change_visibility(pusher, parsed, visibility)
        return name

    def mirror_fields(self) -> dict[str, object]:
        """Creates a robot of the organization `acme`; returns the fields of a request that lets it mirror."""
        return {
            "external_reference": "registry.example.com/team/app",
            "sync_start_date": "2026-12-31T23:59:59Z",
            "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["latest"]},
            "robot_username": f"acme+{self.robot('acme')['robot_shortname']}",
        }

    def mirror(self) -> dict[str, str]:
        """Creates a mirror of the organization `acme`."""
        repository, robot = self.repository(f"acme/{self.fresh_name}"), f"acme+{self.robot('acme')['robot_shortname']}"
        self.backend.services.mirroring.mirrors.create(
            self.actor("owner"), RepositoryName.parse(repository), changes(robot, SOURCE, **SETTINGS)
        )
        return {"repository": repository}

    def organization_for_a_mirror(self) -> dict[str, str]:
        """Creates an empty organization with a robot, `mirror_robot`."""
        name = self.bare_organization(self.fresh_name)
        self.mirror_robot = f"{name}+{self.robot(name)['robot_shortname']}"
        return {"orgname": name}

    def organization_mirror_fields(self) -> dict[str, object]:
        """Returns the fields of a request that makes the last organization for a mirror one."""
        return {
            "external_registry_url": "https://quay.invalid",
            "external_namespace": "team",
            "robot_username": self.mirror_robot,
            "sync_start_date": "2099-12-31T23:59:59Z",
            "repository_filters": ["*"],
        }

    def organization_mirror(self) -> dict[str, str]:
        """Creates an organization that is the mirror of another registry's namespace."""
        places = self.organization_for_a_mirror()
        fields = {"visibility": "private", "sync_interval": 3600, **self.organization_mirror_fields()}
        new = requested({"external_registry_type": "quay", **fields}, is_new=True)
        self.backend.services.mirroring.organization_mirrors.create(self.actor("owner"), places["orgname"], new)
        return places

    def proxy_cache(self) -> dict[str, str]:
        """Creates an organization that is a proxy cache."""
        places, settings = self.organization_for_a_mirror(), ProxyCacheSettings(MirrorSource("quay.invalid"))
        self.backend.services.mirroring.proxy_caches.create(self.actor("owner"), places["orgname"], settings)
        return places

    def mirror_run(self) -> dict[str, str]:
        """Creates a mirror of the organization `acme` with an open run."""
        places, room = self.mirror(), self.backend.services.mirroring
        name = RepositoryName.parse(places["repository"])
        room.runs.request(self.actor("owner"), name)
        (run,) = room.run_reader.latest(self.actor("owner"), name)
        return {**places, "run_id": run.id}

    def application(self, organization: str) -> dict[str, str]:
        """Creates an application with a token."""
        owner, services = self.actor("owner"), self.backend.services
        application = services.identity.applications.create(
            owner, organization, ApplicationFields("bot", "https://bot.example.com/back")
        )
        token = services.identity.authorizations.create(
            owner, organization, application.client_id, TokenRequest("ci", "repo:read")
        )
        return {"client_id": application.client_id, "token_uuid": token.uuid, "access_token_uuid": token.uuid}

    def quota(self, namespace: str, kind: AccountKind = AccountKind.ORGANIZATION) -> dict[str, str]:
        """Creates a quota with a limit."""
        admin, quotas = self.actor("admin"), self.backend.services.accounts.quotas
        holder = QuotaHolder(namespace, kind, by_superuser=True)
        quotas.create(admin, holder, QuotaLimit(10**9, None))
        quota = quotas.of(admin, holder)
        assert quota is not None
        quotas.add_limit(admin, holder, quota.id, "Warning", 80)
        (limit,) = quotas.get(admin, holder, quota.id).limits
        return {"quota_id": str(quota.id), "limit_id": str(limit.id)}

    def token(self, name: str, scopes: str = SCOPES, *, superuser: bool = False) -> str:
        """Returns an OAuth token of an owner of `tools`, for an application there."""
        scopes = f"{scopes} {SUPER_USER}" if superuser else scopes
        return self.tool_token(name, scopes).secret or ""

    def tool_token(self, name: str, scopes: str) -> Token:
        """Returns such a token with its id."""
        authorizations = self.backend.services.identity.authorizations
        return authorizations.create(self.actor(name), "tools", self.tool, TokenRequest(self.fresh_name, scopes))

    def session(self, name: str) -> ApiClient:
        """Returns a user's browser with a fresh session."""
        session = self.backend.services.identity.sessions.begin(self.backend.account(name))
        api_client = ApiClient(self.app_client)
        api_client.cookie, api_client.csrf = session.cookie, session.csrf
        return api_client
