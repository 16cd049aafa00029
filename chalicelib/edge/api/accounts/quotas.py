"""Quotas and their limits: of organizations, of users, and of oneself."""

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
        limit=text("The same in words, like 5 MiB", pattern=PATTERN),
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


def _organization(name: str) -> QuotaHolder:
    return QuotaHolder(name, AccountKind.ORGANIZATION)


def _superuser_s(kind: AccountKind) -> Any:
    return lambda name: QuotaHolder(name, kind, by_superuser=True)


@operations.get(ORGANIZATION, "listOrganizationQuota", scope=ORG_ADMIN, answers={200: a_list(QUOTA)})
def list_organization(actor: Actor, orgname: str) -> list[dict[str, Any]]:
    """An organization's quota, as a list of one or none."""
    return _listed(actor, _organization(orgname))


@operations.post(ORGANIZATION, "createOrganizationQuota", scope=SUPER_USER, body=GIVE, answers=CREATED)
def create_organization(actor: Actor, orgname: str, body: dict[str, Any]) -> Reply:
    """Gives an organization a quota: only where superusers have full access."""
    return _created(actor, _organization(orgname), body)


@operations.get(ORGANIZATION + ONE, "getOrganizationQuota", scope=ORG_ADMIN, answers={200: QUOTA})
def get_organization(actor: Actor, orgname: str, quota_id: str) -> dict[str, Any]:
    """One quota of an organization."""
    return shape(services().accounts.quotas.get(actor, _organization(orgname), _number(quota_id)))


@operations.put(ORGANIZATION + ONE, "changeOrganizationQuota", scope=SUPER_USER, body=GIVE, answers={200: QUOTA})
def change_organization(actor: Actor, orgname: str, quota_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Changes an organization's quota: only where superusers have full access."""
    return _changed(actor, _organization(orgname), quota_id, body)


@operations.delete(ORGANIZATION + ONE, "deleteOrganizationQuota", scope=SUPER_USER, answers={204: None})
def delete_organization(actor: Actor, orgname: str, quota_id: str) -> None:
    """Takes an organization's quota away: only where superusers have full access."""
    services().accounts.quotas.delete(actor, _organization(orgname), _number(quota_id))


@operations.get(MINE, "listUserQuota", scope=USER_ADMIN, answers={200: a_list(QUOTA)})
def list_mine(actor: Actor) -> list[dict[str, Any]]:
    """One's own quota, as a list of one or none."""
    return _listed(actor, QuotaHolder())


@operations.get(MINE + ONE, "getUserQuota", scope=USER_ADMIN, answers={200: QUOTA})
def get_mine(actor: Actor, quota_id: str) -> dict[str, Any]:
    """One quota of one's own."""
    return shape(services().accounts.quotas.get(actor, QuotaHolder(), _number(quota_id)))


@operations.get(MINE + LIMITS, "listUserQuotaLimit", scope=USER_ADMIN, answers={200: a_list(LIMIT)})
def list_my_limits(actor: Actor, quota_id: str) -> list[dict[str, Any]]:
    """The limits of one's own quota."""
    return _limits(actor, QuotaHolder(), quota_id)


@operations.get(MINE + ONE_LIMIT, "getUserQuotaLimit", scope=USER_ADMIN, answers={200: LIMIT})
def get_my_limit(actor: Actor, quota_id: str, limit_id: str) -> dict[str, Any]:
    """One limit of one's own quota."""
    return _limit(actor, QuotaHolder(), quota_id, limit_id)


def _listed(actor: Actor, holder: QuotaHolder) -> list[dict[str, Any]]:
    quota = services().accounts.quotas.of(actor, holder)
    return [shape(quota)] if quota else []


def _created(actor: Actor, holder: QuotaHolder, body: dict[str, Any]) -> Reply:
    services().accounts.quotas.create(actor, holder, _amount(body))
    return as_json("Created", 201)


def _changed(actor: Actor, holder: QuotaHolder, quota_id: str, body: dict[str, Any]) -> dict[str, Any]:
    return shape(services().accounts.quotas.change(actor, holder, _number(quota_id), _amount(body)))


def _limits(actor: Actor, holder: QuotaHolder, quota_id: str) -> list[dict[str, Any]]:
    return [limit_shape(limit) for limit in services().accounts.quotas.get(actor, holder, _number(quota_id)).limits]


def _limit(actor: Actor, holder: QuotaHolder, quota_id: str, limit_id: str) -> dict[str, Any]:
    quota = services().accounts.quotas.get(actor, holder, _number(quota_id))
    return limit_shape(quota.limit(_number(limit_id)))


def _declare_of_superusers(path: str, kind: AccountKind, word: str) -> None:
    """The routes by which superusers give quotas."""
    holder = _superuser_s(kind)

    @operations.get(path, f"list{word}QuotaSuperUser", scope=SUPER_USER, answers={200: a_list(QUOTA)}, is_fresh=True)
    def listed(actor: Actor, namespace: str) -> list[dict[str, Any]]:
        """Somebody's quota, as a list of one or none."""
        return _listed(actor, holder(namespace))

    @operations.post(path, f"create{word}QuotaSuperUser", scope=SUPER_USER, body=GIVE, answers=CREATED, is_fresh=True)
    def create(actor: Actor, namespace: str, body: dict[str, Any]) -> Reply:
        """Gives somebody a quota."""
        return _created(actor, holder(namespace), body)

    @operations.put(
        path + ONE, f"change{word}QuotaSuperUser", scope=SUPER_USER, body=GIVE, answers={200: QUOTA}, is_fresh=True
    )
    def change(actor: Actor, namespace: str, quota_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Changes somebody's quota."""
        return _changed(actor, holder(namespace), quota_id, body)

    @operations.delete(path + ONE, f"delete{word}QuotaSuperUser", scope=SUPER_USER, answers={204: None})
    def delete(actor: Actor, namespace: str, quota_id: str) -> None:
        """Takes somebody's quota away."""
        services().accounts.quotas.delete(actor, holder(namespace), _number(quota_id))


def _declare_limits(path: str, name: str, word: str, holder: Any, *, is_fresh: bool, reads: str) -> None:
    """The routes of limits below a path; superusers have them for users and organizations, as Quay does not."""

    @operations.get(path + LIMITS, f"list{word}", scope=reads, answers={200: a_list(LIMIT)}, is_fresh=is_fresh)
    def listed(actor: Actor, quota_id: str, **place: str) -> list[dict[str, Any]]:
        """The limits of a quota."""
        return _limits(actor, holder(place[name]), quota_id)

    @operations.post(
        path + LIMITS, f"create{word}", scope=SUPER_USER, body=NEW_LIMIT, answers=CREATED, is_fresh=is_fresh
    )
    def create(actor: Actor, quota_id: str, body: dict[str, Any], **place: str) -> Reply:
        """Gives a quota a limit."""
        told = body["type"], body["threshold_percent"]
        services().accounts.quotas.add_limit(actor, holder(place[name]), _number(quota_id), *told)
        return as_json("Created", 201)

    @operations.get(path + ONE_LIMIT, f"get{word}", scope=reads, answers={200: LIMIT}, is_fresh=is_fresh)
    def get(actor: Actor, quota_id: str, limit_id: str, **place: str) -> dict[str, Any]:
        """One limit of a quota."""
        return _limit(actor, holder(place[name]), quota_id, limit_id)

    @operations.put(
        path + ONE_LIMIT,
        f"change{word}",
        scope=SUPER_USER,
        body=CHANGE_LIMIT,
        answers={200: LIMIT},
        is_fresh=is_fresh,
    )
    def change(actor: Actor, quota_id: str, limit_id: str, body: dict[str, Any], **place: str) -> dict[str, Any]:
        """Changes a limit; what is not said stays."""
        told = body.get("type"), body.get("threshold_percent")
        numbers = _number(quota_id), _number(limit_id)
        return limit_shape(
            services().accounts.quotas.change_limit(actor, holder(place[name]), *numbers, LimitChanges(*told))
        )

    @operations.delete(path + ONE_LIMIT, f"delete{word}", scope=SUPER_USER, answers={204: None})
    def delete(actor: Actor, quota_id: str, limit_id: str, **place: str) -> None:
        """Takes a limit away."""
        services().accounts.quotas.delete_limit(actor, holder(place[name]), _number(quota_id), _number(limit_id))


_declare_limits(ORGANIZATION, "orgname", "OrganizationQuotaLimit", _organization, is_fresh=False, reads=ORG_ADMIN)
for _path, _kind, _word in (
    (OF_USER, AccountKind.USER, "User"),
    (OF_ORGANIZATION, AccountKind.ORGANIZATION, "Organization"),
):
    _declare_of_superusers(_path, _kind, _word)
    _declare_limits(
        _path, "namespace", f"{_word}QuotaLimitSuperUser", _superuser_s(_kind), is_fresh=True, reads=SUPER_USER
    )


def _amount(body: dict[str, Any]) -> QuotaLimit:
    return QuotaLimit(body.get("limit_bytes"), body.get("limit"))


def _number(text: str) -> int:
    """An id; 0, which nothing has, for what is none: who may not ask is told that first."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def shape(quota: Quota) -> dict[str, Any]:
    """A quota with its limits."""
    return {
        "id": quota.id,
        "limit_bytes": quota.limit_bytes,
        "limit": in_words(quota.limit_bytes),
        "default_config": False,
        "limits": [limit_shape(limit) for limit in quota.limits],
        "default_config_exists": False,
    }


def limit_shape(limit: Limit) -> dict[str, Any]:
    """A limit of a quota."""
    return {"id": limit.id, "type": limit.severity, "limit_percent": limit.percent}
