"""Quotas: read by members, given by superusers, kept by every push."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.errors import AlreadyThere, QuotaExceeded, ResourceUnknown
from chalicelib.domain.events import QUOTA_WARNING
from chalicelib.domain.permissions import ANONYMOUS, Actor
from chalicelib.domain.quotas import Limit, Quota, new_id, parse_bytes, parse_percent, parse_severity
from chalicelib.domain.scopes import ORG_ADMIN, SUPER_USER, allows
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
    room_of,
    set_quota,
    wake,
)
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, retry_on_conflict

DAY_S = 86400


@dataclass(frozen=True, slots=True)
class QuotaHolder:
    """Whose quota: an organization's, or a user's; without a name one's own.

    `by_superuser` is whether a superuser asks for somebody else's, by the routes that are theirs.
    """

    name: str | None = None
    kind: AccountKind = AccountKind.USER
    by_superuser: bool = False


@dataclass(frozen=True, slots=True)
class QuotaLimit:
    """Bytes as they were given: a number, or words."""

    limit_bytes: int | None = None
    limit: str | None = None


Alter = Callable[[Quota | None], Quota | None]


class Quotas:
    """Quotas of namespaces. With `full_access` superusers may change them by the organization's own routes too."""

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores) -> None:
        self._access, self._usage_log, self._accounts, self._clock = access, usage_log, stores.accounts, stores.clock
        self._full_access = stores.settings.superusers_full_access

    def of(self, actor: Actor, holder: QuotaHolder) -> Quota | None:
        """The quota, None where there is none. Raises NothingThere, Unauthenticated, Denied."""
        return quota_of(self._accounts.namespace(self._readable(actor, holder)))

    def get(self, actor: Actor, holder: QuotaHolder, identifier: int) -> Quota:
        """The quota of this id. Raises as `of` does."""
        return _known(self.of(actor, holder), identifier)

    def create(self, actor: Actor, holder: QuotaHolder, amount: QuotaLimit) -> None:
        """Gives a quota, without limits. Raises FieldInvalid, AlreadyThere; NothingThere, Unauthenticated, Denied."""

        def alter(quota: Quota | None) -> Quota:
            if quota is not None:
                raise AlreadyThere(f"Organization quota for '{holder.name}' already exists")
            return Quota(new_id(), parse_bytes(amount.limit_bytes, amount.limit))

        self._change(actor, holder, "org_create_quota", alter)

    def change(self, actor: Actor, holder: QuotaHolder, identifier: int, amount: QuotaLimit) -> Quota:
        """Gives a quota other bytes; its limits stay. Raises as `create` does."""

        def alter(quota: Quota | None) -> Quota:
            known = _known(quota, identifier)
            return replace(known, limit_bytes=parse_bytes(amount.limit_bytes, amount.limit))

        return _known(self._change(actor, holder, "org_change_quota", alter), identifier)

    def delete(self, actor: Actor, holder: QuotaHolder, identifier: int) -> None:
        """Takes a quota away with its limits. Raises NothingThere, Unauthenticated, Denied."""

        def alter(quota: Quota | None) -> None:
            _known(quota, identifier)

        self._change(actor, holder, "org_delete_quota", alter)

    def add_limit(self, actor: Actor, holder: QuotaHolder, identifier: int, severity: str, percent: int) -> None:
        """Gives a quota a limit. Raises as `create` does."""

        def alter(quota: Quota | None) -> Quota:
            limit = Limit(new_id(), parse_severity(severity), parse_percent(percent))
            return _known(quota, identifier).with_limit(limit)

        told = {"type": severity, "threshold_percent": percent}
        self._change(actor, holder, "org_create_quota_limit", alter, told)

    def change_limit(
        self,
        actor: Actor,
        holder: QuotaHolder,
        identifier: int,
        limit_id: int,
        severity: str | None = None,
        percent: int | None = None,
    ) -> Limit:
        """Changes a limit; what is not said stays. Raises as `create` does."""

        def alter(quota: Quota | None) -> Quota:
            known = _known(quota, identifier)
            before = known.limit(limit_id)
            after = Limit(
                limit_id,
                before.severity if severity is None else parse_severity(severity),
                before.percent if percent is None else parse_percent(percent),
            )
            return known.with_limit(after)

        told = {"limit_id": limit_id, "type": severity, "threshold_percent": percent}
        changed = self._change(actor, holder, "org_change_quota_limit", alter, told)
        return _known(changed, identifier).limit(limit_id)

    def delete_limit(self, actor: Actor, holder: QuotaHolder, identifier: int, limit_id: int) -> None:
        """Takes a limit away. Raises NothingThere, Unauthenticated, Denied."""

        def alter(quota: Quota | None) -> Quota:
            return _known(quota, identifier).without_limit(limit_id)

        self._change(actor, holder, "org_delete_quota_limit", alter, {"limit_id": limit_id})

    def warn(self, due: Due, has_time: HasTime) -> Later | None:
        """Records once that a namespace has passed a limit that warns, and again after it was below; for the timers."""
        namespace = self._accounts.namespace(due.target)
        quota, room = quota_of(namespace), room_of(due.target)
        passed = quota.passed(linked_bytes(due.target)) if quota and has_time() else 0
        if passed != room.warned:
            transaction = Transaction()
            room.warn(transaction, passed)
            if namespace is not None and quota is not None and passed > room.warned:
                told = {**_told(namespace, quota), "threshold_percent": passed}
                self._usage_log.note(ANONYMOUS, transaction, QUOTA_WARNING, due.target, told)
            transaction.commit()
        return Later(int(self._clock()) + DAY_S) if passed else None

    def _change(
        self, actor: Actor, holder: QuotaHolder, kind: str, alter: Alter, told: Mapping[str, object] | None = None
    ) -> Quota | None:
        """Alters a namespace's quota, and records it, over the version that was read."""
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
            self._usage_log.note(
                actor, transaction, kind, namespace_id, {**_told(row, after or before), **(told or {})}
            )
            transaction.commit()
            return after

        return retry_on_conflict(attempt)

    def _readable(self, actor: Actor, holder: QuotaHolder) -> str:
        """The id of a namespace whose quota the actor may read."""
        if holder.name is None:
            return self._access.require_user(actor)
        if holder.by_superuser:
            return self._writable(actor, holder)
        place = self._access.organization(actor, holder.name)
        is_member = place.role is not None and allows(actor.scopes, ORG_ADMIN)
        if not is_member and not self._is_superuser(actor):
            raise refusal(actor, holder.name, "read the quota of")
        return place.id

    def _writable(self, actor: Actor, holder: QuotaHolder) -> str:
        """The id of a namespace whose quota the actor may change."""
        self._access.superuser(actor)
        name = holder.name or actor.name
        if not holder.by_superuser and not self._full_access:
            raise refusal(actor, name, "change the quota of")
        place = self._access.place(actor, name)
        if place is None or place.kind is not holder.kind:
            raise ResourceUnknown(holder.kind, name)
        return place.id

    @staticmethod
    def _is_superuser(actor: Actor) -> bool:
        return actor.is_superuser and allows(actor.scopes, SUPER_USER)


def check_room(namespace: NamespaceRow | None, added: int, now: float) -> RoomRow | None:
    """Raises QuotaExceeded when a namespace would link more, with so many bytes added, than a push may make it.

    It reads sizes only where the namespace has limits. What it gives must be taken in the transaction that adds the
    bytes: of pushes at the same moment that saw the same sizes one is written, and the others look again.
    """
    quota = quota_of(namespace)
    if namespace is None or quota is None or not quota.limits:
        return None
    namespace_id, most = keys.namespace_id(namespace.pk), quota.reject_bytes
    # Read before the sizes, which are then at least as new.
    room = room_of(namespace_id) if most is not None and added else None
    linked = linked_bytes(namespace_id) + added
    if most is not None and linked > most:
        raise QuotaExceeded(namespace.name, most)
    if added and quota.passed(linked):
        wake(namespace_id, now)
    return room


def _told(namespace: NamespaceRow, quota: Quota | None) -> dict[str, object]:
    of = {"quota_id": quota.id, "limit_bytes": quota.limit_bytes} if quota else {}
    return {"namespace": namespace.name, **of}


def _known(quota: Quota | None, identifier: int) -> Quota:
    if quota is None or quota.id != identifier:
        raise ResourceUnknown("quota", str(identifier))
    return quota
