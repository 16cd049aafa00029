"""Manages quotas: members read them, superusers set them, and every push is checked against them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.errors import AlreadyThere, QuotaExceeded, ResourceUnknown
from chalicelib.domain.events import QUOTA_WARNING
from chalicelib.domain.permissions import ANONYMOUS, Actor
from chalicelib.domain.quotas import Limit, Quota, new_id, parse_bytes, parse_percent, parse_severity
from chalicelib.domain.scopes import ORG_ADMIN, acts_as_superuser, allows
from chalicelib.domain.states import NamespaceState
from chalicelib.domain.timers import Due, HasTime, Later
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.security.access import Access, refusal
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.accounts.quotas import (
    RoomRow,
    linked_bytes,
    quota_of,
    reject_bytes_of,
    room_of,
    set_quota,
    wake,
)
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, WriteConflict, retry_on_conflict

DAY_S = 86400


@dataclass(frozen=True, slots=True)
class QuotaHolder:
    """The namespace of a quota: an organization, a user, or without a name the actor.

    `by_superuser` tells whether it was named by a route for superusers.
    """

    name: str | None = None
    kind: AccountKind = AccountKind.USER
    by_superuser: bool = False


@dataclass(frozen=True, slots=True)
class QuotaLimit:
    """The size of a quota as the client sent it: a number of bytes, or a text with a unit."""

    limit_bytes: int | None = None
    limit: str | None = None


@dataclass(frozen=True, slots=True)
class LimitChanges:
    """The changes to a limit; None leaves a field as it is. `percent` is of the quota's bytes."""

    severity: str | None = None
    percent: int | None = None


Alter = Callable[[Quota | None], Quota | None]


class Quotas:
    """Manages quotas of namespaces. With full access, superusers may also use the organization's routes."""

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores) -> None:
        self._access, self._usage_log, self._accounts, self._clock = access, usage_log, stores.accounts, stores.clock
        self._full_access = stores.settings.superusers_full_access

    def of(self, actor: Actor, holder: QuotaHolder) -> Quota | None:
        """Returns the quota, None if there is none. Raises ResourceUnknown, Unauthenticated, Denied."""
        return quota_of(self._accounts.namespace(self._readable(actor, holder)))

    def get(self, actor: Actor, holder: QuotaHolder, identifier: int) -> Quota:
        """Returns the quota with an id. Raises as `of` does."""
        return _require(self.of(actor, holder), identifier)

    def create(self, actor: Actor, holder: QuotaHolder, amount: QuotaLimit) -> None:
        """Sets a quota without limits. Raises FieldInvalid, AlreadyThere, ResourceUnknown, Unauthenticated, Denied."""

        def alter(quota: Quota | None) -> Quota:
            if quota is not None:
                raise AlreadyThere(f"Organization quota for '{holder.name}' already exists")
            return Quota(new_id(), parse_bytes(amount.limit_bytes, amount.limit))

        self._change(actor, holder, "org_create_quota", alter)

    def change(self, actor: Actor, holder: QuotaHolder, identifier: int, amount: QuotaLimit) -> Quota:
        """Changes the size of a quota; its limits stay. Raises as `create` does."""

        def alter(quota: Quota | None) -> Quota:
            current = _require(quota, identifier)
            return replace(current, limit_bytes=parse_bytes(amount.limit_bytes, amount.limit))

        return _require(self._change(actor, holder, "org_change_quota", alter), identifier)

    def delete(self, actor: Actor, holder: QuotaHolder, identifier: int) -> None:
        """Removes a quota with its limits. Raises ResourceUnknown, Unauthenticated, Denied."""

        def alter(quota: Quota | None) -> None:
            _require(quota, identifier)

        self._change(actor, holder, "org_delete_quota", alter)

    def add_limit(self, actor: Actor, holder: QuotaHolder, identifier: int, severity: str, percent: int) -> None:
        """Adds a limit to a quota. Raises as `create` does."""

        def alter(quota: Quota | None) -> Quota:
            limit = Limit(new_id(), parse_severity(severity), parse_percent(percent))
            return _require(quota, identifier).with_limit(limit)

        metadata = {"type": severity, "threshold_percent": percent}
        self._change(actor, holder, "org_create_quota_limit", alter, metadata)

    def change_limit(
        self, actor: Actor, holder: QuotaHolder, identifier: int, limit_id: int, changes: LimitChanges
    ) -> Limit:
        """Changes a limit. Raises as `create` does."""

        def alter(quota: Quota | None) -> Quota:
            current = _require(quota, identifier)
            before = current.limit(limit_id)
            after = Limit(
                limit_id,
                before.severity if changes.severity is None else parse_severity(changes.severity),
                before.percent if changes.percent is None else parse_percent(changes.percent),
            )
            return current.with_limit(after)

        metadata = {"limit_id": limit_id, "type": changes.severity, "threshold_percent": changes.percent}
        changed = self._change(actor, holder, "org_change_quota_limit", alter, metadata)
        return _require(changed, identifier).limit(limit_id)

    def delete_limit(self, actor: Actor, holder: QuotaHolder, identifier: int, limit_id: int) -> None:
        """Removes a limit. Raises ResourceUnknown, Unauthenticated, Denied."""

        def alter(quota: Quota | None) -> Quota:
            return _require(quota, identifier).without_limit(limit_id)

        self._change(actor, holder, "org_delete_quota_limit", alter, {"limit_id": limit_id})

    def warn(self, due: Due, has_time: HasTime) -> Later | None:
        """Records that a namespace passed a warning limit, once until it was below it again; for the timers."""
        namespace = self._accounts.namespace(due.target)
        quota, room = quota_of(namespace), room_of(due.target)
        passed = quota.passed(linked_bytes(due.target)) if quota and has_time() else 0
        if passed != room.warned:
            transaction = Transaction()
            room.warn(transaction, passed)
            if namespace is not None and quota is not None and passed > room.warned:
                metadata = {**_quota_metadata(namespace, quota), "threshold_percent": passed}
                self._usage_log.record_for_namespace(ANONYMOUS, transaction, QUOTA_WARNING, due.target, metadata)
            transaction.commit()
        return Later(int(self._clock()) + DAY_S) if passed else None

    def _change(
        self, actor: Actor, holder: QuotaHolder, kind: str, alter: Alter, metadata: Mapping[str, object] | None = None
    ) -> Quota | None:
        """Changes the quota of a namespace and records it, unless its version has changed since it was read."""
        namespace_id = self._writable(actor, holder)

        def attempt() -> Quota | None:
            row = self._accounts.namespace(namespace_id)
            if row is None or row.state != NamespaceState.LIVE:
                raise ResourceUnknown("namespace", holder.name or actor.name)
            before = quota_of(row)
            after = alter(before)
            set_quota(row, after)
            transaction = Transaction()
            self._accounts.put_namespace(transaction, row)
            self._usage_log.record_for_namespace(
                actor, transaction, kind, namespace_id, {**_quota_metadata(row, after or before), **(metadata or {})}
            )
            transaction.commit()
            return after

        return retry_on_conflict(attempt)

    def _readable(self, actor: Actor, holder: QuotaHolder) -> str:
        """Returns the id of a namespace whose quota the actor may read."""
        if holder.name is None:
            return self._access.require_user(actor)
        if holder.by_superuser:
            return self._writable(actor, holder)
        access = self._access.organization(actor, holder.name)
        is_member = access.role is not None and allows(actor.scopes, ORG_ADMIN)
        if not is_member and not acts_as_superuser(actor):
            raise refusal(actor, holder.name, "read the quota of")
        return access.id

    def _writable(self, actor: Actor, holder: QuotaHolder) -> str:
        """Returns the id of a namespace whose quota the actor may change."""
        self._access.superuser(actor)
        name = holder.name or actor.name
        if not holder.by_superuser and not self._full_access:
            raise refusal(actor, name, "change the quota of")
        access = self._access.namespace_access(actor, name)
        if access is None or access.kind is not holder.kind:
            raise ResourceUnknown(holder.kind, name)
        return access.id


def check_room(
    namespace: NamespaceRow | None, added: int, now: float, is_counted: Callable[[], bool]
) -> RoomRow | None:
    """Raises QuotaExceeded if `added` bytes would bring a namespace above the limit that rejects pushes.

    It reads sizes only if the namespace has limits. The returned row must be taken in the transaction that adds the
    bytes: of concurrent pushes that saw the same sizes one is written, and the others are retried. `is_counted` looks
    whether somebody else has added the same bytes since the caller looked, so that the sizes contain them already; then
    WriteConflict is raised.
    """
    quota = quota_of(namespace)
    if namespace is None or quota is None or not quota.limits:
        return None
    namespace_id, most = keys.namespace_id(namespace.pk), quota.reject_bytes
    # The row is read before the sizes, so that these are at least as new.
    room = room_of(namespace_id) if most is not None and added else None
    linked = linked_bytes(namespace_id) + added
    if most is not None and linked > most:
        if added and is_counted():
            raise WriteConflict
        raise QuotaExceeded(namespace.name, most)
    if added and quota.passed(linked):
        wake(namespace_id, now)
    return room


def ask_room(namespace: NamespaceRow | None, added: int) -> int | None:
    """Returns how many bytes a namespace may get, None if no limit rejects pushes. Reserves nothing.

    Raises QuotaExceeded if `added` are more: then whoever wants to send them need not begin.
    """
    most = reject_bytes_of(namespace)
    if namespace is None or most is None:
        return None
    left = most - linked_bytes(keys.namespace_id(namespace.pk))
    if added > left:
        raise QuotaExceeded(namespace.name, most)
    return left


def _quota_metadata(namespace: NamespaceRow, quota: Quota | None) -> dict[str, object]:
    of = {"quota_id": quota.id, "limit_bytes": quota.limit_bytes} if quota else {}
    return {"namespace": namespace.name, **of}


def _require(quota: Quota | None, identifier: int) -> Quota:
    if quota is None or quota.id != identifier:
        raise ResourceUnknown("quota", str(identifier))
    return quota
