"""Quotas and their limits, of organizations and of users."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.permissions import Actor
from chalicelib.domain.quotas import PATTERN, Limit, Quota, in_words
from chalicelib.domain.scopes import ORG_ADMIN, SUPER_USER, USER_ADMIN
from chalicelib.edge.api.framework import paths
from chalicelib.edge.api.framework.operations import FLAG, NUMBER, TEXT, Operations, a_list, an_object, one_of, text
from chalicelib.edge.response import Reply, as_json
from chalicelib.services.accounts.quotas import LimitChanges, QuotaHolder, QuotaLimit
from chalicelib.wiring import services

operations = Operations(__name__, "namespacequota")

LIMIT = an_object({"id": NUMBER, "type": one_of("Warning", "Reject"), "limit_percent": NUMBER})
QUOTA = an_object(
    {
        "id": NUMBER,
        "limit_bytes": NUMBER,
        "limit": TEXT,
        "default_config": FLAG,
        "limits": a_list(LIMIT),
        "default_config_exists": FLAG,
    }
)
GIVE = {
    **an_object(
        limit_bytes={**NUMBER, "description": "Number of bytes that may be linked"},
        limit=text("The same with a unit, like 5 MiB", pattern=PATTERN),
    ),
    "anyOf": [{"required": ["limit_bytes"]}, {"required": ["limit"]}],
}
NEW_LIMIT = an_object(
    {
        "type": text("Warning, or Reject, which refuses pushes"),
        "threshold_percent": {**NUMBER, "description": "Percent of the quota"},
    }
)
CHANGE_LIMIT = an_object(**NEW_LIMIT["properties"])
CREATED = {201: TEXT}
ORGANIZATION = paths.ORGANIZATION + "/quota"
MINE = "/api/v1/user/quota"
OF_USER = "/api/v1/superuser/users/{namespace}/quota"
OF_ORGANIZATION = "/api/v1/superuser/organization/{namespace}/quota"
ONE, LIMITS, ONE_LIMIT = "/{quota_id}", "/{quota_id}/limit", "/{quota_id}/limit/{limit_id}"


def _org_holder(name: str) -> QuotaHolder:
    return QuotaHolder(name, AccountKind.ORGANIZATION)


def _superuser_holder(kind: AccountKind) -> Any:
    return lambda name: QuotaHolder(name, kind, by_superuser=True)


@operations.get(ORGANIZATION, "listOrganizationQuota", scope=ORG_ADMIN, answers={200: a_list(QUOTA)})
def list_organization(actor: Actor, orgname: str) -> list[dict[str, Any]]:
    """Returns an organization's quota as a list of one or none."""
    return _list_quota(actor, _org_holder(orgname))


@operations.post(ORGANIZATION, "createOrganizationQuota", scope=SUPER_USER, body=GIVE, answers=CREATED)
def create_organization(actor: Actor, orgname: str, body: dict[str, Any]) -> Reply:
    """Gives an organization a quota; only where superusers have full access."""
    return _create_quota(actor, _org_holder(orgname), body)


@operations.get(ORGANIZATION + ONE, "getOrganizationQuota", scope=ORG_ADMIN, answers={200: QUOTA})
def get_organization(actor: Actor, orgname: str, quota_id: str) -> dict[str, Any]:
    """Returns an organization's quota."""
    return quota_json(services().accounts.quotas.get(actor, _org_holder(orgname), _parse_id(quota_id)))


@operations.put(ORGANIZATION + ONE, "changeOrganizationQuota", scope=SUPER_USER, body=GIVE, answers={200: QUOTA})
def change_organization(actor: Actor, orgname: str, quota_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Changes an organization's quota; only where superusers have full access."""
    return _change_quota(actor, _org_holder(orgname), quota_id, body)


@operations.delete(ORGANIZATION + ONE, "deleteOrganizationQuota", scope=SUPER_USER, answers={204: None})
def delete_organization(actor: Actor, orgname: str, quota_id: str) -> None:
    """Removes an organization's quota; only where superusers have full access."""
    services().accounts.quotas.delete(actor, _org_holder(orgname), _parse_id(quota_id))


@operations.get(MINE, "listUserQuota", scope=USER_ADMIN, answers={200: a_list(QUOTA)})
def list_mine(actor: Actor) -> list[dict[str, Any]]:
    """Returns the user's own quota as a list of one or none."""
    return _list_quota(actor, QuotaHolder())


@operations.get(MINE + ONE, "getUserQuota", scope=USER_ADMIN, answers={200: QUOTA})
def get_mine(actor: Actor, quota_id: str) -> dict[str, Any]:
    """Returns the user's own quota."""
    return quota_json(services().accounts.quotas.get(actor, QuotaHolder(), _parse_id(quota_id)))


@operations.get(MINE + LIMITS, "listUserQuotaLimit", scope=USER_ADMIN, answers={200: a_list(LIMIT)})
def list_my_limits(actor: Actor, quota_id: str) -> list[dict[str, Any]]:
    """Lists the limits of the user's own quota."""
    return _list_limits(actor, QuotaHolder(), quota_id)


@operations.get(MINE + ONE_LIMIT, "getUserQuotaLimit", scope=USER_ADMIN, answers={200: LIMIT})
def get_my_limit(actor: Actor, quota_id: str, limit_id: str) -> dict[str, Any]:
    """Returns one limit of the user's own quota."""
    return _get_limit(actor, QuotaHolder(), quota_id, limit_id)


def _list_quota(actor: Actor, holder: QuotaHolder) -> list[dict[str, Any]]:
    quota = services().accounts.quotas.of(actor, holder)
    return [quota_json(quota)] if quota else []


def _create_quota(actor: Actor, holder: QuotaHolder, body: dict[str, Any]) -> Reply:
    services().accounts.quotas.create(actor, holder, _requested_quota(body))
    return as_json("Created", 201)


def _change_quota(actor: Actor, holder: QuotaHolder, quota_id: str, body: dict[str, Any]) -> dict[str, Any]:
    return quota_json(services().accounts.quotas.change(actor, holder, _parse_id(quota_id), _requested_quota(body)))


def _list_limits(actor: Actor, holder: QuotaHolder, quota_id: str) -> list[dict[str, Any]]:
    return [limit_json(limit) for limit in services().accounts.quotas.get(actor, holder, _parse_id(quota_id)).limits]


def _get_limit(actor: Actor, holder: QuotaHolder, quota_id: str, limit_id: str) -> dict[str, Any]:
    quota = services().accounts.quotas.get(actor, holder, _parse_id(quota_id))
    return limit_json(quota.limit(_parse_id(limit_id)))


def _declare_of_superusers(path: str, kind: AccountKind, word: str) -> None:
    """Declares the routes by which superusers set quotas."""
    holder = _superuser_holder(kind)

    @operations.get(path, f"list{word}QuotaSuperUser", scope=SUPER_USER, answers={200: a_list(QUOTA)}, is_fresh=True)
    def listed(actor: Actor, namespace: str) -> list[dict[str, Any]]:
        """Returns a namespace's quota as a list of one or none."""
        return _list_quota(actor, holder(namespace))

    @operations.post(path, f"create{word}QuotaSuperUser", scope=SUPER_USER, body=GIVE, answers=CREATED, is_fresh=True)
    def create(actor: Actor, namespace: str, body: dict[str, Any]) -> Reply:
        """Gives a namespace a quota."""
        return _create_quota(actor, holder(namespace), body)

    @operations.put(
        path + ONE, f"change{word}QuotaSuperUser", scope=SUPER_USER, body=GIVE, answers={200: QUOTA}, is_fresh=True
    )
    def change(actor: Actor, namespace: str, quota_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Changes a namespace's quota."""
        return _change_quota(actor, holder(namespace), quota_id, body)

    @operations.delete(path + ONE, f"delete{word}QuotaSuperUser", scope=SUPER_USER, answers={204: None})
    def delete(actor: Actor, namespace: str, quota_id: str) -> None:
        """Removes a namespace's quota."""
        services().accounts.quotas.delete(actor, holder(namespace), _parse_id(quota_id))


@dataclass(frozen=True, slots=True)
class _LimitRoutes:
    """Where the routes of limits are declared, and for whom.

    `parameter` is the parameter of `path` from which `holder` makes the holder of the quota, `word` is the end of the
    operations' ids, `reads` is the scope that reads, and `is_fresh` is whether a recently entered password is needed.
    """

    path: str
    parameter: str
    word: str
    holder: Callable[[str], QuotaHolder]
    is_fresh: bool
    reads: str


def _declare_limits(routes: _LimitRoutes) -> None:
    """Declares the routes of limits. Superusers have them for users and organizations too, as Quay does not."""
    path, word, is_fresh, reads = routes.path, routes.word, routes.is_fresh, routes.reads

    def holder(parameters: dict[str, str]) -> QuotaHolder:
        return routes.holder(parameters[routes.parameter])

    @operations.get(path + LIMITS, f"list{word}", scope=reads, answers={200: a_list(LIMIT)}, is_fresh=is_fresh)
    def listed(actor: Actor, quota_id: str, **parameters: str) -> list[dict[str, Any]]:
        """Lists the limits of a quota."""
        return _list_limits(actor, holder(parameters), quota_id)

    @operations.post(
        path + LIMITS, f"create{word}", scope=SUPER_USER, body=NEW_LIMIT, answers=CREATED, is_fresh=is_fresh
    )
    def create(actor: Actor, quota_id: str, body: dict[str, Any], **parameters: str) -> Reply:
        """Adds a limit to a quota."""
        limit = body["type"], body["threshold_percent"]
        services().accounts.quotas.add_limit(actor, holder(parameters), _parse_id(quota_id), *limit)
        return as_json("Created", 201)

    @operations.get(path + ONE_LIMIT, f"get{word}", scope=reads, answers={200: LIMIT}, is_fresh=is_fresh)
    def get(actor: Actor, quota_id: str, limit_id: str, **parameters: str) -> dict[str, Any]:
        """Returns one limit of a quota."""
        return _get_limit(actor, holder(parameters), quota_id, limit_id)

    @operations.put(
        path + ONE_LIMIT,
        f"change{word}",
        scope=SUPER_USER,
        body=CHANGE_LIMIT,
        answers={200: LIMIT},
        is_fresh=is_fresh,
    )
    def change(actor: Actor, quota_id: str, limit_id: str, body: dict[str, Any], **parameters: str) -> dict[str, Any]:
        """Changes a limit of a quota; fields that are left out stay."""
        changes = LimitChanges(body.get("type"), body.get("threshold_percent"))
        ids = _parse_id(quota_id), _parse_id(limit_id)
        return limit_json(services().accounts.quotas.change_limit(actor, holder(parameters), *ids, changes))

    @operations.delete(path + ONE_LIMIT, f"delete{word}", scope=SUPER_USER, answers={204: None})
    def delete(actor: Actor, quota_id: str, limit_id: str, **parameters: str) -> None:
        """Removes a limit of a quota."""
        services().accounts.quotas.delete_limit(actor, holder(parameters), _parse_id(quota_id), _parse_id(limit_id))


_declare_limits(
    _LimitRoutes(ORGANIZATION, "orgname", "OrganizationQuotaLimit", _org_holder, is_fresh=False, reads=ORG_ADMIN)
)
for _path, _kind, _word in (
    (OF_USER, AccountKind.USER, "User"),
    (OF_ORGANIZATION, AccountKind.ORGANIZATION, "Organization"),
):
    _declare_of_superusers(_path, _kind, _word)
    _declare_limits(
        _LimitRoutes(
            _path, "namespace", f"{_word}QuotaLimitSuperUser", _superuser_holder(_kind), is_fresh=True, reads=SUPER_USER
        )
    )


def _requested_quota(body: dict[str, Any]) -> QuotaLimit:
    return QuotaLimit(body.get("limit_bytes"), body.get("limit"))


def _parse_id(text: str) -> int:
    """Returns an id, or 0, which nothing has, for an invalid one: a missing right is to be reported first."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def quota_json(quota: Quota) -> dict[str, Any]:
    """Returns a quota with its limits."""
    return {
        "id": quota.id,
        "limit_bytes": quota.limit_bytes,
        "limit": in_words(quota.limit_bytes),
        "default_config": False,
        "limits": [limit_json(limit) for limit in quota.limits],
        "default_config_exists": False,
    }


def limit_json(limit: Limit) -> dict[str, Any]:
    """Returns a limit of a quota."""
    return {"id": limit.id, "type": limit.severity, "limit_percent": limit.percent}
