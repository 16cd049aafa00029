"""Stores mirrors of organizations, and the repositories that they discovered."""

import json

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.domain.ids import made_at
from chalicelib.domain.mirror_runs import LEASE_S, RunCause
from chalicelib.domain.mirrors import SyncStatus, due_start, next_start, retry_at
from chalicelib.domain.organization_mirrors import DiscoveredState, OrganizationMirrorSettings, SourceKind
from chalicelib.domain.repositories import Visibility
from chalicelib.domain.timers import ORGANIZATION_MIRROR
from chalicelib.storage import keys
from chalicelib.storage.attributes import EnumText, Integer, OptionalText
from chalicelib.storage.mirroring.mirrors import RobotMirrorRow
from chalicelib.storage.mirroring.sources import Open, ScheduledRow, Seal
from chalicelib.storage.table import Row, Transaction, at_version, get, query, update_if
from chalicelib.storage.timers import move_timer, timer


class OrganizationMirrorRow(ScheduledRow):
    """The mirror of an organization.

    `discovery` is the ULID of the current or the last discovery, `cause` why it began, `message` how it ended. A worker
    has it until `lease_until`, and `workers` counts those that had it. `cancelled` is the ULID before which all runs
    that are still open have to end.
    """

    kind = EnumText(SourceKind)
    url = UnicodeAttribute()
    external_namespace = UnicodeAttribute()
    # A JSON list.
    filters = UnicodeAttribute(default="[]")
    visibility = EnumText(Visibility)
    discovery = OptionalText()
    cause = EnumText(RunCause, default=RunCause.SCHEDULE)
    message = UnicodeAttribute(default="")
    worker = UnicodeAttribute(default="")
    lease_until = Integer(default=0)
    workers = Integer(default=0)
    cancelled = OptionalText()
    # The version of the settings that all repositories have.
    applied_version = Integer(default=0)
    created_at = Integer()

    @property
    def namespace_id(self) -> str:
        """The organization's id."""
        return keys.namespace_id(self.pk)

    @property
    def about(self) -> str:
        """What the sealed source belongs to."""
        return f"{self.namespace_id} organization mirror"

    def settings(self, open_sealed: Open) -> OrganizationMirrorSettings:
        """Returns the settings; `open_sealed` is `Envelope.open`."""
        return OrganizationMirrorSettings(
            self.source("", open_sealed),
            self.kind,
            self.url,
            self.external_namespace,
            tuple(json.loads(self.filters)),
            self.visibility,
            self.interval_s,
            self.start_at,
            self.timeout_s,
            bool(self.is_enabled),
        )

    def take(self, settings: OrganizationMirrorSettings, seal: Seal) -> None:
        """Takes settings over; `seal` is `Envelope.seal`."""
        self.take_source(settings.source, seal)
        self.kind, self.url, self.external_namespace = settings.kind, settings.url, settings.namespace
        self.filters, self.visibility = json.dumps(settings.filters), settings.visibility
        self.interval_s, self.start_at, self.timeout_s = settings.interval_s, settings.start_at, settings.timeout_s
        self.is_enabled = int(settings.is_enabled)


class DiscoveredRow(Row):
    """A repository that an organization's mirror discovered; `repository_id` is None unless it was created.

    `applied` is the version of the settings that its mirror has, `reason` why it is skipped or failed.
    """

    repository_id = OptionalText()
    state = EnumText(DiscoveredState)
    reason = UnicodeAttribute(default="")
    discovered_at = Integer()
    applied = Integer(default=0)

    @property
    def name(self) -> str:
        """The repository's name within the namespace."""
        return self.sk.partition("#")[2]


class OrganizationMirrorStore:
    """The mirrors of organizations in the table."""

    def get(self, namespace_id: str) -> OrganizationMirrorRow | None:
        """Returns the mirror of an organization."""
        return get(OrganizationMirrorRow, keys.organization_mirror(namespace_id))

    def discovered(self, namespace_id: str) -> list[DiscoveredRow]:
        """Returns all repositories that an organization's mirror discovered, by name."""
        return list(query(DiscoveredRow, keys.discovered(namespace_id)))

    def put(self, transaction: Transaction, row: OrganizationMirrorRow, stored_version: int | None) -> None:
        """Writes a mirror if it has the version that was read, None for a new one, with its robot."""
        row.version = 0 if stored_version is None else stored_version + 1
        transaction.put(row, at_version(OrganizationMirrorRow.version, stored_version))
        transaction.put(RobotMirrorRow.under(keys.robot_mirror(row.robot_id, row.namespace_id)))

    def leave_robot(self, transaction: Transaction, row: OrganizationMirrorRow) -> None:
        """Lets a robot be deleted that mirrors into the organization no more."""
        transaction.delete(RobotMirrorRow.under(keys.robot_mirror(row.robot_id, row.namespace_id)))

    def remove(self, transaction: Transaction, row: OrganizationMirrorRow, now: float) -> None:
        """Removes a mirror if it has the version that was read; its timer then leaves what it discovered."""
        transaction.delete(OrganizationMirrorRow.under(row.key), at_version(OrganizationMirrorRow.version, row.version))
        self.leave_robot(transaction, row)
        transaction.put(timer(ORGANIZATION_MIRROR, row.namespace_id, int(now)))

    def schedule(self, transaction: Transaction, row: OrganizationMirrorRow, now: float, *, is_changed: bool) -> None:
        """Sets when the next discovery begins, and moves the timer there. The caller writes `row`.

        With changed settings one begins at once if any did before: it brings them to the repositories. The timer of one
        that is open looks after it, and stays.
        """
        if row.status.is_running:
            return
        last = made_at(row.discovery) if row.discovery else None
        due = due_start(row, last, now)
        row.next_at = int(now) if is_changed and last is not None else due
        move_timer(transaction, ORGANIZATION_MIRROR, row.namespace_id, row.next_at)

    def begin(
        self, transaction: Transaction, row: OrganizationMirrorRow, discovery: str, cause: RunCause, now: int
    ) -> None:
        """Notes the discovery that begins, if the mirror has the version that was read, and updates `row`."""
        values = {"status": SyncStatus.SYNC_NOW, "discovery": discovery, "cause": cause, "lease_until": 0, "workers": 0}
        self._change(transaction, row, values, OrganizationMirrorRow.next_at.remove())
        transaction.put(timer(ORGANIZATION_MIRROR, row.namespace_id, now + LEASE_S))

    def claim(self, row: OrganizationMirrorRow, worker: str, now: int) -> bool:
        """Gives a discovery to a worker and updates `row`; returns False if it has ended or another one has it."""
        is_free = (OrganizationMirrorRow.lease_until <= now) | (OrganizationMirrorRow.worker == worker)
        actions: list[Action] = [
            OrganizationMirrorRow.status.set(SyncStatus.SYNCING),
            OrganizationMirrorRow.worker.set(worker),
            OrganizationMirrorRow.lease_until.set(now + LEASE_S),
            OrganizationMirrorRow.workers.set(OrganizationMirrorRow.workers + 1),
            OrganizationMirrorRow.version.set(OrganizationMirrorRow.version + 1),
        ]
        return update_if(row, actions, _is_open(row) & is_free)

    def renew(self, row: OrganizationMirrorRow, now: int) -> bool:
        """Renews a worker's lease; returns False if it has the discovery no more."""
        lease = OrganizationMirrorRow.lease_until.set(now + LEASE_S)
        has_it = _is_open(row) & (OrganizationMirrorRow.worker == row.worker)
        return update_if(OrganizationMirrorRow.under(row.key), [lease], has_it)

    def put_back(self, row: OrganizationMirrorRow) -> None:
        """Leaves a discovery to the next worker, without counting this one."""
        actions: list[Action] = [
            OrganizationMirrorRow.lease_until.set(0),
            OrganizationMirrorRow.workers.set(OrganizationMirrorRow.workers - 1),
        ]
        has_it = _is_open(row) & (OrganizationMirrorRow.worker == row.worker)
        update_if(OrganizationMirrorRow.under(row.key), actions, has_it)

    def end(
        self, transaction: Transaction, row: OrganizationMirrorRow, status: SyncStatus, now: float, *, is_changed: bool
    ) -> None:
        """Notes how a discovery ended, with `row.message`, if the mirror has the version that was read.

        It sets when the next one begins; one during which the settings changed is followed by another one at once.
        """
        tries = row.tries + 1 if status is SyncStatus.FAIL else 0
        again = retry_at(tries, now) if status is SyncStatus.FAIL else None
        next_at = (again or next_start(row, now)) if row.is_enabled else None
        next_at = int(now) if is_changed else next_at
        values = {"status": status, "message": row.message, "tries": tries, "lease_until": 0}
        if status is SyncStatus.SUCCESS:
            values["synced_at"] = int(now)
            values |= {} if is_changed else {"applied_version": row.settings_version}
        following = OrganizationMirrorRow.next_at
        self._change(transaction, row, values, following.remove() if next_at is None else following.set(next_at))
        move_timer(transaction, ORGANIZATION_MIRROR, row.namespace_id, next_at)

    def cancel(self, transaction: Transaction, row: OrganizationMirrorRow, before: str, now: float) -> None:
        """Ends a discovery, if there is one, and has all runs end that began before a ULID; the schedule goes on.

        Changed settings that no discovery has brought to the repositories yet are brought at once.
        """
        is_behind = row.applied_version not in (0, row.settings_version)
        next_at = int(now) if is_behind else next_start(row, now)
        following = OrganizationMirrorRow.next_at
        action = following.remove() if next_at is None else following.set(next_at)
        values = {"status": SyncStatus.CANCEL, "tries": 0, "lease_until": 0, "message": "", "cancelled": before}
        self._change(transaction, row, values, action)
        transaction.put(timer(ORGANIZATION_MIRROR, row.namespace_id, int(now)))

    def is_open(self, row: OrganizationMirrorRow | None, read: OrganizationMirrorRow) -> bool:
        """Whether the discovery that was read is open in the row as it is now."""
        return row is not None and row.discovery == read.discovery and row.status.is_running

    def require_open(self, transaction: Transaction, row: OrganizationMirrorRow) -> None:
        """Makes a transaction fail if the discovery that was read has ended."""
        transaction.check(OrganizationMirrorRow, row.key, _is_open(row))

    def settle_cancel(self, row: OrganizationMirrorRow) -> None:
        """Notes that all runs have ended that a cancel had to end."""
        is_same = OrganizationMirrorRow.cancelled == row.cancelled
        update_if(OrganizationMirrorRow.under(row.key), [OrganizationMirrorRow.cancelled.remove()], is_same)

    def _change(
        self, transaction: Transaction, row: OrganizationMirrorRow, values: dict[str, object], *more: Action
    ) -> None:
        actions = [getattr(OrganizationMirrorRow, name).set(value) for name, value in values.items()]
        actions += [OrganizationMirrorRow.version.set(row.version + 1), *more]
        is_as_read = at_version(OrganizationMirrorRow.version, row.version)
        transaction.update(OrganizationMirrorRow.under(row.key), *actions, condition=is_as_read)


def _is_open(row: OrganizationMirrorRow) -> Condition:
    """Returns the condition that the discovery that was read is open."""
    is_running = OrganizationMirrorRow.status.is_in(SyncStatus.SYNC_NOW, SyncStatus.SYNCING)
    condition: Condition = (OrganizationMirrorRow.discovery == row.discovery) & is_running
    return condition
