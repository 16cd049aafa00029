"""Begins, looks after and ends the discoveries of organizations' mirrors. Nothing here asks another registry.

The timer of an organization's mirror is due when its next discovery begins or, while one is open, when its worker's
lease ends. After a cancel it ends the runs that are open, after a removal it leaves the repositories that were made.
"""

import time
from collections.abc import Callable

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.errors import FieldInvalid, ResourceUnknown
from chalicelib.domain.events import (
    ORG_MIRROR_CANCELLED,
    ORG_MIRROR_FAILED,
    ORG_MIRROR_REQUESTED,
    ORG_MIRROR_STARTED,
    ORG_MIRROR_SUCCESS,
)
from chalicelib.domain.ids import ulid
from chalicelib.domain.mirror_runs import LEASE_S, LONGEST_REASON, RunCause
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.permissions import Actor
from chalicelib.domain.queues import QueueName
from chalicelib.domain.states import NamespaceState
from chalicelib.domain.timers import ORGANIZATION_MIRROR, Due, HasTime, Later
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.mirroring.discovered_repositories import DiscoveredRepositories, OrganizationSource
from chalicelib.services.security.access import Access
from chalicelib.services.security.sealing import Envelope
from chalicelib.storage.mirroring.organization_mirrors import OrganizationMirrorRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, retry_on_conflict

# A request waits so many seconds for what its timer finishes otherwise.
SETTLED_S = 10.0


class Discoveries:
    """Discoveries of organizations' mirrors."""

    def __init__(
        self,
        access: Access,
        usage_log: UsageLog,
        stores: Stores,
        envelope: Callable[[], Envelope],
        repositories: DiscoveredRepositories,
    ) -> None:
        self._access, self._usage_log, self._envelope = access, usage_log, envelope
        self._repositories = repositories
        self._store, self._accounts, self._queues = stores.organization_mirrors, stores.accounts, stores.queues
        self._clock = stores.clock

    def request(self, actor: Actor, organization: str) -> None:
        """Begins a discovery now, which also begins a run in each repository.

        Raises FieldInvalid if one is open, ResourceUnknown, Unauthenticated, Denied.
        """
        access = self._access.administered(actor, organization)

        def attempt() -> OrganizationMirrorRow:
            row = self._row(access.id, organization)
            if row.status.is_running:
                raise FieldInvalid("", "Cannot trigger sync: mirror is currently syncing")
            self._begin(row, RunCause.REQUEST, actor)
            return row

        self.wake(retry_on_conflict(attempt))

    def cancel(self, actor: Actor, organization: str) -> None:
        """Ends the discovery and the runs that are open; what they copied stays, and the schedule goes on.

        Raises FieldInvalid if that was the last thing done, ResourceUnknown, Unauthenticated, Denied.
        """
        access = self._access.administered(actor, organization)

        def attempt() -> None:
            row = self._row(access.id, organization)
            if row.status is SyncStatus.CANCEL:
                raise FieldInvalid("", "Cannot cancel: mirror is already cancelled")
            transaction, now = Transaction(), self._clock()
            self._store.cancel(transaction, row, ulid(now), now)
            self._record(transaction, actor, ORG_MIRROR_CANCELLED, row)
            transaction.commit()

        retry_on_conflict(attempt)
        self.settle(access.id)

    def settle(self, namespace_id: str) -> None:
        """Does now what the timer of a mirror that was cancelled or removed does otherwise."""
        until = time.monotonic() + SETTLED_S
        self.work(Due(ORGANIZATION_MIRROR, namespace_id, int(self._clock())), lambda: time.monotonic() < until)

    def work(self, due: Due, has_time: HasTime) -> Later | None:
        """Begins the discovery of a mirror that is due, or looks after what is left; for the timers."""
        now = int(self._clock())
        row = self._store.get(due.target)
        if row is None:
            return None if self._repositories.leave_all(due.target, has_time) else Later(now)
        if row.cancelled:
            if not self._repositories.end_runs(due.target, row.cancelled, has_time):
                return Later(now)
            self._store.settle_cancel(row)
        return retry_on_conflict(lambda: self._work(due.target, now))

    def _work(self, namespace_id: str, now: int) -> Later | None:
        row = self._store.get(namespace_id)
        if row is None:
            return Later(now)
        if row.status.is_running:
            if row.lease_until > now:
                return Later(row.lease_until)
            self.wake(row)
            return Later(now + LEASE_S)
        if row.next_at is None:
            return None
        if row.next_at > now:
            return Later(row.next_at)
        self._begin(row, _cause(row), None)
        self.wake(row)
        return Later(now + LEASE_S)

    def _begin(self, row: OrganizationMirrorRow, cause: RunCause, actor: Actor | None) -> None:
        """Opens a discovery in one transaction with its records, and updates `row`. Raises WriteConflict."""
        now, transaction = self._clock(), Transaction()
        row.discovery = ulid(now)
        self._store.begin(transaction, row, row.discovery, cause, int(now))
        if actor is not None:
            self._record(transaction, actor, ORG_MIRROR_REQUESTED, row)
        self._record(transaction, self._robot(row), ORG_MIRROR_STARTED, row)
        transaction.commit()

    def wake(self, row: OrganizationMirrorRow) -> None:
        """Sends the message that has a worker take a discovery."""
        self._queues.send(QueueName.MIRRORS, [{"namespace": row.namespace_id, "discovery": row.discovery}])

    def load(self, namespace_id: str, discovery: str) -> OrganizationSource | None:
        """Reads a discovery; None if it has ended, or its organization is deleted."""
        row = self._store.get(namespace_id)
        if row is None or row.discovery != discovery or not row.status.is_running:
            return None
        namespace = self._accounts.namespace(namespace_id)
        if namespace is None or namespace.state != NamespaceState.LIVE:
            return None
        return OrganizationSource(namespace.name, row, row.settings(self._envelope().open), self._robot(row))

    def end(self, found: OrganizationSource, status: SyncStatus, message: str) -> None:
        """Ends a discovery with its record and the next start, unless it has ended meanwhile."""

        def attempt() -> None:
            row, used = self._store.get(found.row.namespace_id), found.row
            if row is None or not self._store.is_open(row, used):
                return
            transaction, now = Transaction(), self._clock()
            is_changed = row.settings_version != used.settings_version
            row.message = message[:LONGEST_REASON]
            self._store.end(transaction, row, status, now, is_changed=is_changed)
            kind = ORG_MIRROR_SUCCESS if status is SyncStatus.SUCCESS else ORG_MIRROR_FAILED
            self._record(transaction, found.robot, kind, row, message=row.message)
            transaction.commit()

        retry_on_conflict(attempt)

    def _row(self, namespace_id: str, organization: str) -> OrganizationMirrorRow:
        row = self._store.get(namespace_id)
        if row is None:
            raise ResourceUnknown("mirror of organization", organization)
        return row

    def _robot(self, row: OrganizationMirrorRow) -> Actor:
        account = self._accounts.get(row.robot_id)
        return Actor(row.robot_id, account.name if account else "", AccountKind.ROBOT)

    def _record(
        self, transaction: Transaction, actor: Actor, kind: str, row: OrganizationMirrorRow, **metadata: object
    ) -> None:
        reference = {"external_reference": f"{row.url}/{row.external_namespace}"}
        self._usage_log.record_for_namespace(actor, transaction, kind, row.namespace_id, {**reference, **metadata})


def _cause(row: OrganizationMirrorRow) -> RunCause:
    """Returns why a discovery that is due begins; one that was requested and failed still owes its runs."""
    if not row.tries:
        return RunCause.SCHEDULE
    return RunCause.REQUEST if row.cause is RunCause.REQUEST else RunCause.RETRY
