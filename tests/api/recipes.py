"""What single operations need beyond the world as it stands: other places in their paths, and bodies that make sense.

A recipe of places is asked for each request, with who asks: it makes anew what the request takes away, or what may be
there only once, and what is each one's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.digests import Digest
from chalicelib.domain.labels import NewLabel
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import HolderKind, Role
from chalicelib.domain.repositories import Mode
from chalicelib.domain.teams import TeamRole
from chalicelib.services.accounts.prototypes import NewPrototype
from chalicelib.services.lifecycle.policies import PolicyHolder, PolicyRequest
from chalicelib.storage.accounts.user_notifications import UserNotificationStore
from chalicelib.storage.table import Transaction
from tests.api.worlds import World
from tests.support.builders import a_manifest, someone

LOCAL = "http://registry.test/oauth/localapp"
Places = Callable[[World, str], dict[str, str]]
Fields = Callable[[World], Any]


def an_organization(world: World, _: str) -> dict[str, str]:
    name = world.bare_organization(world.fresh_name)
    return {"orgname": name, "name": name}


def a_team(world: World, _: str) -> dict[str, str]:
    """With nobody in it, and a role on the repository."""
    team, owner, services = world.fresh_name, world.actor("owner"), world.backend.services
    services.accounts.teams.put(owner, "acme", team, TeamRole.MEMBER, "")
    services.accounts.permissions.put(owner, RepositoryName.parse("acme/app"), HolderKind.TEAM, team, Role.READ)
    return {"teamname": team}


def a_team_of_the_reader(world: World, who: str) -> dict[str, str]:
    places = a_team(world, who)
    world.backend.services.accounts.teams.add_member(world.actor("owner"), "acme", places["teamname"], "reader")
    return places


def a_role_of_the_reader(world: World, _: str) -> dict[str, str]:
    name = RepositoryName.parse("acme/app")
    world.backend.services.accounts.permissions.put(world.actor("owner"), name, "user", "reader", Role.READ)
    return {"username": "reader"}


def a_prototype(world: World, _: str) -> dict[str, str]:
    """In an organization of its own: one has so many at most."""
    name = world.bare_organization(world.fresh_name)
    made = world.backend.services.accounts.prototypes.create(
        world.actor("owner"), name, NewPrototype(Role.READ, "user", "reader")
    )
    return {"orgname": name, "prototypeid": made.uuid}


def an_application(world: World, _: str) -> dict[str, str]:
    return world.application("acme")


def a_robot(world: World, _: str) -> dict[str, str]:
    return world.robot("acme")


def my_robot(world: World, who: str) -> dict[str, str]:
    return world.robot(who)


def a_new_robot(world: World, _: str) -> dict[str, str]:
    return {"robot_shortname": world.fresh_name}


def my_authorization(world: World, who: str) -> dict[str, str]:
    """Only who is in `tools` can have one of their own."""
    return {"access_token_uuid": world.tool_token(who if who == "admin" else "owner", "repo:read").uuid}


def my_app_token(world: World, who: str) -> dict[str, str]:
    made = world.session(who).post("/user/apptoken", {"title": "laptop"})
    return {"token_uuid": made.json()["token"]["uuid"]}


def a_message(world: World, _: str) -> dict[str, str]:
    admin = world.session("admin")
    message = {"content": "Hello", "media_type": "text/plain", "severity": "info"}
    admin.post("/messages", {"message": message})
    return {"uuid": admin.get("/messages").json()["messages"][-1]["uuid"]}


def a_user(world: World, _: str) -> dict[str, str]:
    name = world.fresh_name
    world.backend.user(name)
    return {"username": name}


def my_offer(world: World, who: str) -> dict[str, str]:
    asked = {"client_id": world.tool, "redirect_uri": LOCAL, "scope": "repo:read", "response_type": "token"}
    world.backend.services.identity.assignments.assign(world.actor("admin"), asked, who)
    found = world.backend.services.identity.assignments.of_oneself(world.actor(who))
    return {"assigned_authorization_uuid": found[0].uuid}


def my_notice(world: World, who: str) -> dict[str, str]:
    account, transaction, notices = world.backend.account(who), Transaction(), UserNotificationStore()
    notices.add(transaction, account.id, "hello", {}, world.backend.clock())
    transaction.commit()
    return {"uuid": notices.of_user(account.id)[0].uuid}


def a_quota(world: World, _: str) -> dict[str, str]:
    """Of an organization of its own: each has one at most."""
    name = world.fresh_name
    world.bare_organization(name)
    return {"namespace": name, "orgname": name} | world.quota(name)


def no_quota(world: World, _: str) -> dict[str, str]:
    return {"namespace": world.bare_organization(world.fresh_name)}


def a_users_quota(world: World, _: str) -> dict[str, str]:
    name = world.fresh_name
    world.backend.user(name)
    return {"namespace": name} | world.quota(name, AccountKind.USER)


def no_users_quota(world: World, _: str) -> dict[str, str]:
    name = world.fresh_name
    world.backend.user(name)
    return {"namespace": name}


def the_owners_quota(world: World, _: str) -> dict[str, str]:
    return {"namespace": "owner"} | world.own_quota


def a_deleted_repository(world: World, _: str) -> dict[str, str]:
    """One that was the owner's organization's."""
    name = RepositoryName.parse(world.repository(f"acme/{world.fresh_name}"))
    world.backend.services.registry.repositories.delete(world.actor("owner"), name)
    return {
        "repository_id": world.backend.services.lifecycle.repository_deletion.of_namespace(
            world.actor("owner"), "acme"
        )[0].id
    }


def a_tag(world: World, _: str) -> dict[str, str]:
    """Of a manifest of its own, whose digest bodies name."""
    name, manifest, repository = world.fresh_name, a_manifest(), world.repository(f"acme/{world.fresh_name}")
    pusher = someone(world.backend, "owner", repository)
    world.backend.services.registry.manifests.push(pusher, RepositoryName.parse(repository), manifest, [name])
    world.places["digest"] = str(manifest.digest)
    return {"repository": repository, "tag": name}


def a_manifest_everywhere(world: World, _: str) -> dict[str, str]:
    """The same in what is private and in what is public: by its digest, by the id of old, and with what it says."""
    manifest, services = a_manifest(), world.backend.services
    for name in ("acme/app", "acme/public"):
        services.registry.repositories.change_mode(world.actor("owner"), RepositoryName.parse(name), Mode.NORMAL)
        services.registry.manifests.push(
            someone(world.backend, "owner", name), RepositoryName.parse(name), manifest, ["same"]
        )
    name = RepositoryName.parse("acme/app")
    label = services.lifecycle.labels.all(world.actor("owner"), name, manifest.digest)[0]
    return {"digest": str(manifest.digest), "image_id": manifest.digest.hex, "labelid": label.id}


def a_manifest_of_its_own(world: World, who: str) -> dict[str, str]:
    """With a label that was added to it."""
    repository = a_tag(world, who)["repository"]
    digest, labels = world.places["digest"], world.backend.services.lifecycle.labels
    label = labels.add(
        world.actor("owner"), RepositoryName.parse(repository), Digest.parse(digest), NewLabel("team", "web")
    )
    return {"repository": repository, "digest": digest, "labelid": label.id}


def a_repository(world: World, _: str) -> dict[str, str]:
    return {"repository": world.repository(f"acme/{world.fresh_name}")}


# By these everybody ends themselves: somebody new does it in their place.
ENDS_ONESELF = ("deleteCurrentUser",)


def a_policy_of(holder: Callable[[World, str], PolicyHolder], asked: Callable[[str], PolicyRequest]) -> Places:
    """A policy of its own for each request, which may change it or take it away."""

    def made(world: World, who: str) -> dict[str, str]:
        maker = who if holder(world, who) == PolicyHolder() else "owner"
        policies = world.backend.services.lifecycle.policies
        kept = policies.list(world.actor(maker), holder(world, who), asked("x").kind)
        for policy in kept[:-3]:
            policies.delete(world.actor(maker), holder(world, who), policy.kind, policy.uuid)
        policy = policies.create(world.actor(maker), holder(world, who), asked(world.fresh_name))
        return {"policy_uuid": policy.uuid}

    return made


ACME: Callable[[World, str], PolicyHolder] = lambda *_: PolicyHolder(organization="acme")  # noqa: E731
APP: Callable[[World, str], PolicyHolder] = lambda *_: PolicyHolder(repository=RepositoryName.parse("acme/app"))  # noqa: E731
MINE: Callable[[World, str], PolicyHolder] = lambda *_: PolicyHolder()  # noqa: E731
RULE: Callable[[str], PolicyRequest] = lambda pattern: PolicyRequest(f"x{pattern}")  # noqa: E731
PRUNE: Callable[[str], PolicyRequest] = lambda pattern: PolicyRequest(pattern, True, "creation_date", "9y")  # noqa: E731

PLACES: dict[str, Places] = {
    "addManifestLabel": a_manifest_of_its_own,
    "changeInstallUser": a_user,
    "changeOrganization": an_organization,
    "changeTag": a_tag,
    "changeUserQuotaLimitSuperUser": the_owners_quota,
    "changeUserQuotaSuperUser": the_owners_quota,
    "createOrgRobot": a_new_robot,
    "createOrganizationPrototypePermission": an_organization,
    "createOrganizationQuotaLimitSuperUser": a_quota,
    "createOrganizationQuotaSuperUser": no_quota,
    "createUserQuotaLimitSuperUser": a_users_quota,
    "createUserQuotaSuperUser": no_users_quota,
    "createUserRobot": a_new_robot,
    "deleteAdminedOrganization": an_organization,
    "deleteAssignedAuthorization": my_offer,
    "deleteFullTag": a_tag,
    "deleteGlobalMessage": a_message,
    "deleteInstallUser": a_user,
    "deleteManifestLabel": a_manifest_of_its_own,
    "deleteOrgRobot": a_robot,
    "deleteOrganization": an_organization,
    "deleteOrganizationApplication": an_application,
    "deleteOrganizationApplicationToken": an_application,
    "deleteOrganizationAutoPrunePolicy": a_policy_of(ACME, PRUNE),
    "deleteOrganizationPrototypePermission": a_prototype,
    "deleteOrganizationQuotaLimitSuperUser": a_quota,
    "deleteOrganizationQuotaSuperUser": a_quota,
    "deleteOrganizationTeam": a_team,
    "deleteOrganizationTeamMember": a_team_of_the_reader,
    "deleteRepositoryAutoPrunePolicy": a_policy_of(APP, PRUNE),
    "deleteRepository": a_repository,
    "deleteTeamPermissions": a_team,
    "deleteUserAuthorization": my_authorization,
    "deleteUserAutoPrunePolicy": a_policy_of(MINE, PRUNE),
    "deleteUserPermissions": a_role_of_the_reader,
    "deleteUserQuotaLimitSuperUser": a_users_quota,
    "deleteUserQuotaSuperUser": a_users_quota,
    "deleteUserRobot": my_robot,
    "deleteUserRobotFederation": my_robot,
    "createUserRobotFederation": my_robot,
    "getUserRobotFederation": my_robot,
    "getAppToken": my_app_token,
    "getErrorDescription": lambda *_: {"error_type": "not_found"},
    "getOrganizationAutoPrunePolicy": a_policy_of(ACME, PRUNE),
    "getRepositoryAutoPrunePolicy": a_policy_of(APP, PRUNE),
    "getTagRetention": lambda *_: {"tag": "v1"},
    "getTagPullStatistics": lambda *_: {"tag": "v1"},
    "getUserAuthorization": my_authorization,
    "getUserAutoPrunePolicy": a_policy_of(MINE, PRUNE),
    "getUserNotification": my_notice,
    "getUserPermissions": a_role_of_the_reader,
    "getUserQuota": the_owners_quota,
    "getUserQuotaLimit": the_owners_quota,
    "getUserQuotaLimitSuperUser": the_owners_quota,
    "getImage": a_manifest_everywhere,
    "getManifestLabel": a_manifest_everywhere,
    "getManifestPullStatistics": a_manifest_everywhere,
    "getRepoManifest": a_manifest_everywhere,
    "getUserRobot": my_robot,
    "getUserRobotPermissions": my_robot,
    "listManifestLabels": a_manifest_everywhere,
    "listUserQuotaLimit": the_owners_quota,
    "listUserQuotaLimitSuperUser": the_owners_quota,
    "listUserQuotaSuperUser": the_owners_quota,
    "regenerateOrgRobotToken": a_robot,
    "regenerateUserRobotToken": my_robot,
    "removeOrganizationMember": lambda *_: {"membername": "stranger"},
    "removeTagFromTimemachine": a_tag,
    "restoreDeletedRepo": a_deleted_repository,
    "restoreTag": a_tag,
    "revokeAppToken": my_app_token,
    "updateOrganizationAutoPrunePolicy": a_policy_of(ACME, PRUNE),
    "updateOrganizationPrototypePermission": a_prototype,
    "updateOrganizationTeamMember": a_team,
    "updateRepositoryAutoPrunePolicy": a_policy_of(APP, PRUNE),
    "updateUserAutoPrunePolicy": a_policy_of(MINE, PRUNE),
    "updateUserNotification": my_notice,
    "deleteOrgImmutabilityPolicy": a_policy_of(ACME, RULE),
    "deleteRepositoryImmutabilityPolicy": a_policy_of(APP, RULE),
    "getOrgImmutabilityPolicy": a_policy_of(ACME, RULE),
    "getRepositoryImmutabilityPolicy": a_policy_of(APP, RULE),
    "updateOrgImmutabilityPolicy": a_policy_of(ACME, RULE),
    "updateRepositoryImmutabilityPolicy": a_policy_of(APP, RULE),
}
LIMIT: Fields = lambda _: {"type": "Warning", "threshold_percent": 70}  # noqa: E731 - one of a table of such
AMOUNT: Fields = lambda _: {"limit_bytes": 10**9}  # noqa: E731
PASSWORD: Fields = lambda _: {"username": "stranger", "password": "password"}  # noqa: E731
CONSENT: Fields = lambda world: {  # noqa: E731
    "client_id": world.places["client_id"],
    "redirect_uri": "https://bot.example.com/back",
    "scope": "repo:read",
    "response_type": "token",
}
RULES: Fields = lambda _: [{"issuer": "https://ci.example.com", "subject": "main"}]  # noqa: E731
FIXING: Fields = lambda world: {"tagPattern": f"x{world.fresh_name}"}  # noqa: E731
PRUNING: Fields = lambda world: {  # noqa: E731
    "method": "creation_date",
    "value": "9y",
    "tagPattern": world.fresh_name,
}
BODIES: dict[str, Fields] = {
    "addManifestLabel": lambda world: {"key": world.fresh_name},
    "createOrgRobotFederation": RULES,
    "createUserRobotFederation": RULES,
    "allowApplication": CONSENT,
    "changeOrganization": lambda world: {"name": world.fresh_name},
    "changeOrganizationQuota": AMOUNT,
    "changeOrganizationQuotaLimitSuperUser": LIMIT,
    "changeOrganizationQuotaSuperUser": AMOUNT,
    "changeRepoVisibility": lambda _: {"visibility": "private"},
    "changeUserQuotaLimitSuperUser": LIMIT,
    "changeUserQuotaSuperUser": AMOUNT,
    "createInstallUser": lambda world: {"username": world.fresh_name},
    "createNewUser": lambda world: {"username": world.fresh_name, "password": "password"},
    "createOrganization": lambda world: {"name": world.fresh_name},
    "createOrganizationApplicationToken": lambda _: {"name": "ci", "scope": "org:admin"},
    "createOrganizationPrototypePermission": lambda _: {"delegate": {"kind": "user", "name": "reader"}},
    "createOrganizationQuota": AMOUNT,
    "createOrganizationQuotaLimitSuperUser": LIMIT,
    "createOrganizationQuotaSuperUser": AMOUNT,
    "createRepo": lambda world: {"namespace": "acme", "repository": world.fresh_name},
    "createStar": lambda _: {"namespace": "acme", "repository": "app"},
    "createUserQuotaLimitSuperUser": LIMIT,
    "createUserQuotaSuperUser": AMOUNT,
    "denyApplication": CONSENT,
    "removeTagFromTimemachine": lambda world: {"manifest_digest": world.places["digest"], "is_alive": True},
    "restoreTag": lambda world: {"manifest_digest": world.places["digest"]},
    "signinForConsent": PASSWORD,
    "signinUser": PASSWORD,
    "updateOrganizationApplication": lambda _: {"redirect_uri": "https://bot.example.com/back", "application_uri": ""},
    "verifyUser": lambda _: {"password": "password"},
    "updateUserAutoPrunePolicy": PRUNING,
    "updateRepositoryAutoPrunePolicy": PRUNING,
    "updateOrganizationAutoPrunePolicy": PRUNING,
    "createUserAutoPrunePolicy": PRUNING,
    "createRepositoryAutoPrunePolicy": PRUNING,
    "createOrganizationAutoPrunePolicy": PRUNING,
    "updateRepositoryImmutabilityPolicy": FIXING,
    "updateOrgImmutabilityPolicy": FIXING,
    "createRepositoryImmutabilityPolicy": FIXING,
    "createOrgImmutabilityPolicy": FIXING,
}
OFFER: Fields = lambda world: {  # noqa: E731
    "client_id": world.places["client_id"],
    "redirect_uri": LOCAL,
    "scope": "repo:read",
    "username": "stranger",
}
PRUNED: Fields = lambda _: {"method": "number_of_tags", "value": "9"}  # noqa: E731
QUERIES: dict[str, Fields] = {
    "assignToken": OFFER,
    "authorizeApplication": CONSENT,
    "listDeletedRepos": lambda _: {"namespace": "acme"},
    "listRepos": lambda _: {"namespace": "acme"},
    "previewOrganizationAutoPrunePolicy": PRUNED,
    "previewRepositoryAutoPrunePolicy": PRUNED,
    "previewUserAutoPrunePolicy": PRUNED,
}
