"""What single operations need beyond the shared world: their own values for paths, and valid bodies.

A recipe of places is called before each request, with the caller's name: it creates what the request deletes, what may
exist only once, and what belongs to the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.digests import Digest
from chalicelib.domain.labels import NewLabel
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import HolderKind, Role
from chalicelib.domain.repositories import Mode
from chalicelib.domain.teams import TeamRole
from chalicelib.services.accounts.prototypes import NewPrototype
from chalicelib.services.lifecycle.policies import PolicyHolder, PolicyRequest
from chalicelib.storage.accounts.user_notifications import UserNotificationStore
from chalicelib.storage.table import Transaction
from tests.api import mirror_recipes
from tests.api.populated_registry import PopulatedRegistry
from tests.support.builders import a_manifest, token_actor

LOCAL = "http://registry.test/oauth/localapp"
Places = Callable[[PopulatedRegistry, str], dict[str, str]]
Fields = Callable[[PopulatedRegistry], Any]


def an_organization(populated: PopulatedRegistry, _: str) -> dict[str, str]:
    name = populated.bare_organization(populated.fresh_name)
    return {"orgname": name, "name": name}


def a_team(populated: PopulatedRegistry, _: str) -> dict[str, str]:
    """A team without members that has a role on the repository."""
    team, owner, services = populated.fresh_name, populated.actor("owner"), populated.backend.services
    services.accounts.teams.put(owner, "acme", team, TeamRole.MEMBER, "")
    services.accounts.permissions.put(owner, RepositoryName.parse("acme/app"), HolderKind.TEAM, team, Role.READ)
    return {"teamname": team}


def a_team_of_the_reader(populated: PopulatedRegistry, who: str) -> dict[str, str]:
    places = a_team(populated, who)
    populated.backend.services.accounts.teams.add_member(populated.actor("owner"), "acme", places["teamname"], "reader")
    return places


def a_role_of_the_reader(populated: PopulatedRegistry, _: str) -> dict[str, str]:
    name = RepositoryName.parse("acme/app")
    populated.backend.services.accounts.permissions.put(
        populated.actor("owner"), name, HolderKind.USER, "reader", Role.READ
    )
    return {"username": "reader"}


def a_prototype(populated: PopulatedRegistry, _: str) -> dict[str, str]:
    """A prototype in an organization of its own, since the number in one is limited."""
    name = populated.bare_organization(populated.fresh_name)
    prototype = populated.backend.services.accounts.prototypes.create(
        populated.actor("owner"), name, NewPrototype(Role.READ, HolderKind.USER, "reader")
    )
    return {"orgname": name, "prototypeid": prototype.uuid}


def an_application(populated: PopulatedRegistry, _: str) -> dict[str, str]:
    return populated.application("acme")


def a_robot(populated: PopulatedRegistry, _: str) -> dict[str, str]:
    return populated.robot("acme")


def my_robot(populated: PopulatedRegistry, who: str) -> dict[str, str]:
    return populated.robot(who)


def a_new_robot(populated: PopulatedRegistry, _: str) -> dict[str, str]:
    return {"robot_shortname": populated.fresh_name}


def my_authorization(populated: PopulatedRegistry, who: str) -> dict[str, str]:
    """An authorization of the user, who must be in `tools`."""
    return {"access_token_uuid": populated.tool_token(who if who == "admin" else "owner", "repo:read").uuid}


def my_app_token(populated: PopulatedRegistry, who: str) -> dict[str, str]:
    created = populated.session(who).post("/user/apptoken", {"title": "laptop"})
    return {"token_uuid": created.json()["token"]["uuid"]}


def a_message(populated: PopulatedRegistry, _: str) -> dict[str, str]:
    admin = populated.session("admin")
    message = {"content": "Hello", "media_type": "text/plain", "severity": "info"}
    admin.post("/messages", {"message": message})
    return {"uuid": admin.get("/messages").json()["messages"][-1]["uuid"]}


def a_user(populated: PopulatedRegistry, _: str) -> dict[str, str]:
    name = populated.fresh_name
    populated.backend.user(name)
    return {"username": name}


def my_offer(populated: PopulatedRegistry, who: str) -> dict[str, str]:
    request = {"client_id": populated.tool, "redirect_uri": LOCAL, "scope": "repo:read", "response_type": "token"}
    populated.backend.services.identity.assignments.assign(populated.actor("admin"), request, who)
    found = populated.backend.services.identity.assignments.of_oneself(populated.actor(who))
    return {"assigned_authorization_uuid": found[0].uuid}


def my_notice(populated: PopulatedRegistry, who: str) -> dict[str, str]:
    account, transaction, notices = populated.backend.account(who), Transaction(), UserNotificationStore()
    notices.add(transaction, account.id, "hello", {}, populated.backend.clock())
    transaction.commit()
    return {"uuid": notices.of_user(account.id)[0].uuid}


def a_quota(populated: PopulatedRegistry, _: str) -> dict[str, str]:
    """A quota of an organization of its own, since each has at most one."""
    name = populated.fresh_name
    populated.bare_organization(name)
    return {"namespace": name, "orgname": name} | populated.quota(name)


def no_quota(populated: PopulatedRegistry, _: str) -> dict[str, str]:
    return {"namespace": populated.bare_organization(populated.fresh_name)}


def a_users_quota(populated: PopulatedRegistry, _: str) -> dict[str, str]:
    name = populated.fresh_name
    populated.backend.user(name)
    return {"namespace": name} | populated.quota(name, AccountKind.USER)


def no_users_quota(populated: PopulatedRegistry, _: str) -> dict[str, str]:
    name = populated.fresh_name
    populated.backend.user(name)
    return {"namespace": name}


def the_owners_quota(populated: PopulatedRegistry, _: str) -> dict[str, str]:
    return {"namespace": "owner"} | populated.own_quota


def a_deleted_repository(populated: PopulatedRegistry, _: str) -> dict[str, str]:
    """A deleted repository of the owner's organization."""
    name = RepositoryName.parse(populated.repository(f"acme/{populated.fresh_name}"))
    populated.backend.services.registry.repositories.delete(populated.actor("owner"), name)
    return {
        "repository_id": populated.backend.services.lifecycle.repository_deletion.of_namespace(
            populated.actor("owner"), "acme"
        )[0].id
    }


def a_tag(populated: PopulatedRegistry, _: str) -> dict[str, str]:
    """A tag of a manifest of its own, whose digest the bodies name."""
    name, manifest, repository = (
        populated.fresh_name,
        a_manifest(),
        populated.repository(f"acme/{populated.fresh_name}"),
    )
    pusher = token_actor(populated.backend, "owner", repository)
    populated.backend.services.registry.manifests.push(pusher, RepositoryName.parse(repository), manifest, [Tag(name)])
    populated.places["digest"] = str(manifest.digest)
    return {"repository": repository, "tag": name}


def a_manifest_everywhere(populated: PopulatedRegistry, _: str) -> dict[str, str]:
    """The same manifest in the private and the public repository: its digest, its old image id, and its label."""
    manifest, services = a_manifest(), populated.backend.services
    for name in (RepositoryName("acme", "app"), RepositoryName("acme", "public")):
        services.registry.repositories.change_mode(populated.actor("owner"), name, Mode.NORMAL)
        actor = token_actor(populated.backend, "owner", str(name))
        services.registry.manifests.push(actor, name, manifest, [Tag("same")])
    name = RepositoryName.parse("acme/app")
    label = services.lifecycle.labels.all(populated.actor("owner"), name, manifest.digest)[0]
    return {"digest": str(manifest.digest), "image_id": manifest.digest.hex, "labelid": label.id}


def a_manifest_of_its_own(populated: PopulatedRegistry, who: str) -> dict[str, str]:
    """A manifest with an added label."""
    repository = a_tag(populated, who)["repository"]
    digest, labels = populated.places["digest"], populated.backend.services.lifecycle.labels
    label = labels.add(
        populated.actor("owner"), RepositoryName.parse(repository), Digest.parse(digest), NewLabel("team", "web")
    )
    return {"repository": repository, "digest": digest, "labelid": label.id}


def a_repository(populated: PopulatedRegistry, _: str) -> dict[str, str]:
    return {"repository": populated.repository(f"acme/{populated.fresh_name}")}


# Operations with which a user deletes their own account: a new user does it instead.
ENDS_ONESELF = ("deleteCurrentUser",)


def a_policy_of(
    holder: Callable[[PopulatedRegistry, str], PolicyHolder], request: Callable[[str], PolicyRequest]
) -> Places:
    """Returns a recipe that creates a policy for each request, which may change or delete it."""

    def recipe(populated: PopulatedRegistry, who: str) -> dict[str, str]:
        maker = who if holder(populated, who) == PolicyHolder() else "owner"
        policies = populated.backend.services.lifecycle.policies
        existing = policies.list(populated.actor(maker), holder(populated, who), request("x").kind)
        for policy in existing[:-3]:
            policies.delete(populated.actor(maker), holder(populated, who), policy.kind, policy.uuid)
        policy = policies.create(populated.actor(maker), holder(populated, who), request(populated.fresh_name))
        return {"policy_uuid": policy.uuid}

    return recipe


ACME: Callable[[PopulatedRegistry, str], PolicyHolder] = lambda *_: PolicyHolder(organization="acme")  # noqa: E731
APP: Callable[[PopulatedRegistry, str], PolicyHolder] = lambda *_: PolicyHolder(  # noqa: E731
    repository=RepositoryName.parse("acme/app")
)
MINE: Callable[[PopulatedRegistry, str], PolicyHolder] = lambda *_: PolicyHolder()  # noqa: E731
RULE: Callable[[str], PolicyRequest] = lambda pattern: PolicyRequest(f"x{pattern}")  # noqa: E731
PRUNE: Callable[[str], PolicyRequest] = lambda pattern: PolicyRequest(pattern, True, "creation_date", "9y")  # noqa: E731

PLACES: dict[str, Places] = {
    "addManifestLabel": a_manifest_of_its_own,
    "changeInstallUser": a_user,
    "changeOrganization": an_organization,
    "changeTag": a_tag,
    "changeUserQuotaLimitSuperUser": the_owners_quota,
    "changeUserQuotaSuperUser": the_owners_quota,
    "changeUserRole": a_user,
    **mirror_recipes.PLACES,
    "createOrgRobot": a_new_robot,
    "createOrganizationPrototypePermission": an_organization,
    "createOrganizationQuotaLimitSuperUser": a_quota,
    "createOrganizationQuotaSuperUser": no_quota,
    "createRepoMirrorConfig": a_repository,
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
CONSENT: Fields = lambda populated: {  # noqa: E731
    "client_id": populated.places["client_id"],
    "redirect_uri": "https://bot.example.com/back",
    "scope": "repo:read",
    "response_type": "token",
}
RULES: Fields = lambda _: [{"issuer": "https://ci.example.com", "subject": "main"}]  # noqa: E731
FIXING: Fields = lambda populated: {"tagPattern": f"x{populated.fresh_name}"}  # noqa: E731
PRUNING: Fields = lambda populated: {  # noqa: E731
    "method": "creation_date",
    "value": "9y",
    "tagPattern": populated.fresh_name,
}
BODIES: dict[str, Fields] = {
    "addManifestLabel": lambda populated: {"key": populated.fresh_name},
    "createOrgRobotFederation": RULES,
    "createUserRobotFederation": RULES,
    "allowApplication": CONSENT,
    "changeOrganization": lambda populated: {"name": populated.fresh_name},
    "changeOrganizationQuota": AMOUNT,
    "changeOrganizationQuotaLimitSuperUser": LIMIT,
    "changeOrganizationQuotaSuperUser": AMOUNT,
    "changeRepoVisibility": lambda _: {"visibility": "private"},
    "changeUserQuotaLimitSuperUser": LIMIT,
    "changeUserQuotaSuperUser": AMOUNT,
    "changeUserRole": lambda _: {"role": "global_readonly_superuser"},
    "createInstallUser": lambda populated: {"username": populated.fresh_name},
    "createNewUser": lambda populated: {"username": populated.fresh_name, "password": "password"},
    "createOrganization": lambda populated: {"name": populated.fresh_name},
    "createOrganizationApplicationToken": lambda _: {"name": "ci", "scope": "org:admin"},
    "createOrganizationPrototypePermission": lambda _: {"delegate": {"kind": "user", "name": "reader"}},
    "createOrganizationQuota": AMOUNT,
    "createOrganizationQuotaLimitSuperUser": LIMIT,
    "createOrganizationQuotaSuperUser": AMOUNT,
    **mirror_recipes.BODIES,
    "createRepo": lambda populated: {"namespace": "acme", "repository": populated.fresh_name},
    "createStar": lambda _: {"namespace": "acme", "repository": "app"},
    "createUserQuotaLimitSuperUser": LIMIT,
    "createUserQuotaSuperUser": AMOUNT,
    "denyApplication": CONSENT,
    "generateUserClientKey": lambda _: {"password": "password"},
    "removeTagFromTimemachine": lambda populated: {"manifest_digest": populated.places["digest"], "is_alive": True},
    "restoreTag": lambda populated: {"manifest_digest": populated.places["digest"]},
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
OFFER: Fields = lambda populated: {  # noqa: E731
    "client_id": populated.places["client_id"],
    "redirect_uri": LOCAL,
    "scope": "repo:read",
    "username": "stranger",
}
PRUNED: Fields = lambda _: {"method": "number_of_tags", "value": "9"}  # noqa: E731
QUERIES: dict[str, Fields] = {
    "assignToken": OFFER,
    "authorizeApplication": CONSENT,
    "getRepositoryMirrorHealth": lambda _: {"namespace": "acme"},
    "listDeletedRepos": lambda _: {"namespace": "acme"},
    "listRepos": lambda _: {"namespace": "acme"},
    "previewOrganizationAutoPrunePolicy": PRUNED,
    "previewRepositoryAutoPrunePolicy": PRUNED,
    "previewUserAutoPrunePolicy": PRUNED,
}
