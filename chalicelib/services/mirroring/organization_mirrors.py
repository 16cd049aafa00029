"""Manages mirrors of organizations: their settings, and what they discovered."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.domain.accounts import RobotName
from chalicelib.domain.errors import FieldInvalid, NameInvalid, ResourceUnknown
from chalicelib.domain.events import ORG_MIRROR_CHANGED, ORG_MIRROR_DISABLED, ORG_MIRROR_ENABLED
from chalicelib.domain.mirror_changes import MirrorChanges
from chalicelib.domain.organization_mirrors import (
    FRESH,
    SKIP,
    DiscoveredState,
    OrganizationMirrorSettings,
    changed_fields,
)
from chalicelib.domain.permissions import Actor
from chalicelib.domain.states import NamespaceUpstream
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.mirroring.discoveries import Discoveries
from chalicelib.services.mirroring.hosts import MirrorHosts
from chalicelib.services.security.access import Access, NamespaceAccess
from chalicelib.services.security.sealing import Envelope
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import RobotRow
from chalicelib.storage.mirroring.mirrors import MirrorRow
from chalicelib.storage.mirroring.organization_mirrors import DiscoveredRow, OrganizationMirrorRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch, Transaction, retry_on_conflict

LEAVING = "what the former mirror made is still being left: try again in a minute"
NOT_ALLOWED = "The provided registry URL is not allowed"
TAKEN = {
    NamespaceUpstream.ORG_MIRROR: "Mirror configuration already exists for this organization",
    NamespaceUpstream.PROXY_CACHE: "The organization is a proxy cache: remove that first",
}


@dataclass(frozen=True, slots=True)
class OrganizationMirrorView:
    """A mirror as the organization's administrators see it; `counts` has its repositories by status."""

    row: OrganizationMirrorRow
    settings: OrganizationMirrorSettings
    robot: str | None
    counts: Counter[str]


@dataclass(frozen=True, slots=True)
class DiscoveredRepository:
    """A discovered repository: `status` is that of its mirror, or SKIP; `row` is None without a mirror."""

    discovered: DiscoveredRow
    status: str
    row: MirrorRow | None


class OrganizationMirrors:
    """Manages mirrors of organizations."""

    def __init__(
        self,
        access: Access,
        usage_log: UsageLog,
        stores: Stores,
        envelope: Callable[[], Envelope],
        discoveries: Discoveries,
    ) -> None:
        self._access, self._usage_log, self._envelope = access, usage_log, envelope
        self._store, self._accounts, self._clock = stores.organization_mirrors, stores.accounts, stores.clock
        self._hosts, self._discoveries = MirrorHosts(stores), discoveries

    def get(self, actor: Actor, organization: str) -> OrganizationMirrorView:
        """Returns an organization's mirror. Raises ResourceUnknown, Unauthenticated, Denied."""
        access = self._access.administered(actor, organization)
        row = self._row(access)
        account = self._accounts.get(row.robot_id)
        counts = Counter(one.status for one in self._discovered(access.id))
        return OrganizationMirrorView(
            row, row.settings(self._envelope().open), account.name if account else None, counts
        )

    def _row(self, access: NamespaceAccess) -> OrganizationMirrorRow:
        row = self._store.get(access.id)
        if row is None:
            raise ResourceUnknown("mirror of organization", access.name)
        return row

    def repositories(self, actor: Actor, organization: str, status: str | None = None) -> list[DiscoveredRepository]:
        """Returns the repositories that the mirror discovered, by name: all, or those with a status.

        Raises ResourceUnknown, Unauthenticated, Denied.
        """
        access = self._access.administered(actor, organization)
        self._row(access)
        return [one for one in self._discovered(access.id) if status in (None, one.status)]

    def _discovered(self, namespace_id: str) -> list[DiscoveredRepository]:
        """Returns all discovered repositories with one query, and one read for each hundred."""
        batch, found = Batch(), self._store.discovered(namespace_id)
        reads = [batch.add(MirrorRow, keys.mirror(row.repository_id)) if row.repository_id else None for row in found]
        if any(reads):
            batch.read()
        rows = [read.row if read else None for read in reads]
        return [DiscoveredRepository(one, _status(one, row), row) for one, row in zip(found, rows, strict=True)]

    def create(self, actor: Actor, organization: str, changes: MirrorChanges) -> None:
        """Makes an organization the mirror of a namespace at another registry; nobody creates repositories in it then.

        Raises FieldInvalid, MirrorInvalid, ResourceUnknown, Unauthenticated, Denied.
        """
        retry_on_conflict(lambda: self._create(actor, organization, changes))

    def _create(self, actor: Actor, organization: str, changes: MirrorChanges) -> None:
        access = self._access.administered(actor, organization)
        namespace = self._access.live_namespace(access)
        robot = self._robot(access, changes.robot or "")
        if namespace.upstream is not None:
            raise FieldInvalid("", TAKEN[namespace.upstream])
        if self._store.discovered(access.id):
            raise FieldInvalid("", LEAVING)
        settings = self._checked(FRESH, changes)
        row = OrganizationMirrorRow.under(
            keys.organization_mirror(access.id), robot_id=robot.account_id, created_at=int(self._clock())
        )
        row.take(settings, self._envelope().seal)
        transaction = Transaction()
        namespace.upstream = NamespaceUpstream.ORG_MIRROR
        self._accounts.put_namespace(transaction, namespace)
        self._accounts.hold_robot(transaction, robot)
        self._store.schedule(transaction, row, self._clock(), is_changed=False)
        self._store.put(transaction, row, None)
        metadata = {
            "external_registry_type": settings.kind,
            "external_registry_url": settings.url,
            "external_namespace": settings.namespace,
            "sync_interval": settings.interval_s,
            "robot_username": changes.robot,
        }
        self._usage_log.record_for_namespace(actor, transaction, ORG_MIRROR_ENABLED, access.id, metadata)
        transaction.commit()

    def change(self, actor: Actor, organization: str, changes: MirrorChanges) -> None:
        """Changes settings, all or none; a discovery that begins at once brings them to the repositories.

        Raises FieldInvalid, MirrorInvalid, ResourceUnknown, Unauthenticated, Denied.
        """
        retry_on_conflict(lambda: self._change(actor, organization, changes))

    def _change(self, actor: Actor, organization: str, changes: MirrorChanges) -> None:
        access = self._access.administered(actor, organization)
        row = self._row(access)
        before, version, transaction = row.settings(self._envelope().open), row.version, Transaction()
        after = self._checked(before, changes)
        changed = changed_fields(before, after)
        if changes.robot is not None:
            robot = self._robot(access, changes.robot)
            if robot.account_id != row.robot_id:
                self._accounts.hold_robot(transaction, robot)
                self._store.leave_robot(transaction, row)
                row.robot_id = robot.account_id
                changed.append("robot_username")
        if not changed:
            return
        row.take(after, self._envelope().seal)
        self._store.schedule(transaction, row, self._clock(), is_changed=True)
        self._store.put(transaction, row, version)
        metadata = {
            "updated_fields": changed,
            "old_external_reference": before.reference,
            "external_reference": after.reference,
        }
        self._usage_log.record_for_namespace(actor, transaction, ORG_MIRROR_CHANGED, access.id, metadata)
        transaction.commit()

    def delete(self, actor: Actor, organization: str) -> None:
        """Removes a mirror; the repositories that it made stay, and become NORMAL, by the timer if they are many.

        Raises ResourceUnknown, Unauthenticated, Denied.
        """
        self._discoveries.settle(retry_on_conflict(lambda: self._delete(actor, organization)))

    def _delete(self, actor: Actor, organization: str) -> str:
        access = self._access.administered(actor, organization)
        row, namespace, transaction = self._row(access), self._access.live_namespace(access), Transaction()
        namespace.upstream = None
        self._accounts.put_namespace(transaction, namespace)
        self._store.remove(transaction, row, self._clock())
        metadata = {"external_reference": f"{row.url}/{row.external_namespace}"}
        self._usage_log.record_for_namespace(actor, transaction, ORG_MIRROR_DISABLED, access.id, metadata)
        transaction.commit()
        return access.id

    def _checked(self, before: OrganizationMirrorSettings, changes: MirrorChanges) -> OrganizationMirrorSettings:
        """Returns the changed settings. Raises FieldInvalid, MirrorInvalid."""
        after = changes.apply(before)
        after.check()
        if after.url != before.url:
            self._hosts.check(after.url, NOT_ALLOWED)
        self._hosts.check_proxies(before.source, after.source)
        return after

    def _robot(self, access: NamespaceAccess, name: str) -> RobotRow:
        """Returns a robot of the organization. Raises FieldInvalid with Quay's words."""
        try:
            parsed = RobotName.parse(name)
        except NameInvalid:
            raise FieldInvalid("", f"Invalid robot account: {name[:300]}") from None
        if parsed.namespace != access.name:
            raise FieldInvalid("", "Robot account must belong to the organization")
        row = self._accounts.robot(access.id, parsed.robot)
        if row is None:
            raise FieldInvalid("", f"Invalid robot account: {name[:300]}")
        return row


def _status(discovered: DiscoveredRow, row: MirrorRow | None) -> str:
    if discovered.state is DiscoveredState.MIRRORED and row is not None:
        return row.status
    return "FAIL" if discovered.state is DiscoveredState.FAILED else SKIP
