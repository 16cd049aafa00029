"""Begins, looks after and ends the runs of mirrors. Nothing here asks another registry.

A run is a row, and so is each tag that it has to copy; messages only wake workers up. The timer of a mirror is due
when its next run begins or, while one is open, when a worker's lease on it ends: what waits then, or lost its worker,
is sent again. So whatever dies or gets lost costs minutes, and no mirror stays in SYNCING.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.errors import MirrorInvalid, ResourceUnknown
from chalicelib.domain.events import (
    MIRROR_CHANGED,
    MIRROR_FAILED,
    MIRROR_REQUESTED,
    MIRROR_STARTED,
    MIRROR_SUCCESS,
)
from chalicelib.domain.ids import ulid
from chalicelib.domain.mirror_runs import (
    CANCELLED,
    KEPT_RUNS,
    LEASE_S,
    LONGEST_REASON,
    NO_MIRROR,
    SETTINGS_CHANGED,
    RunCause,
    RunPhase,
    TagChange,
    TagOutcome,
)
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, Role
from chalicelib.domain.queues import QueueName
from chalicelib.domain.repositories import Repository
from chalicelib.domain.timers import Due, HasTime, Later
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.security.access import Access
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountRow
from chalicelib.storage.mirroring.mirrors import MirrorRow
from chalicelib.storage.mirroring.runs import MirroredTagRow, MirrorRunRow
from chalicelib.storage.registry.repositories import RepositoryRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch, Transaction, WriteConflict, get, retry_on_conflict
from chalicelib.telemetry import measure

# How many tags one turn of the timers sends again.
SENT_AGAIN = 500


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that is open, with its mirror and its repository as they were read."""

    repository: Repository
    mirror: MirrorRow
    run: MirrorRunRow

    @property
    def has_changed(self) -> bool:
        """Whether the settings have changed since the run began."""
        return self.mirror.settings_version != self.run.settings_version


class Runs:
    """Runs of mirrors."""

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores) -> None:
        self._access, self._usage_log, self._stores = access, usage_log, stores
        self._store, self._mirrors, self._queues, self._clock = (
            stores.mirror_runs,
            stores.mirrors,
            stores.queues,
            stores.clock,
        )

    def request(self, actor: Actor, name: RepositoryName) -> None:
        """Begins a run now, whether or not the schedule is on.

        Raises ResourceUnknown if there is no mirror or a run is open (as in Quay), MirrorInvalid in another state than
        MIRROR, NameUnknown, Unauthenticated, Denied.
        """
        access = self._access.require_role(actor, name, Role.ADMIN)

        def attempt() -> MirrorRunRow:
            row = self._mirrors.get(access.repository.id)
            if row is None or row.status.is_running:
                raise ResourceUnknown("mirror without an open run", str(name))
            if not access.row.mode.is_mirror:
                raise MirrorInvalid("state", f"{name} is {access.row.mode}: a mirror runs in the state MIRROR")
            return self._open(access.repository, row, RunCause.REQUEST, actor)

        self.wake(access.repository.id, retry_on_conflict(attempt))

    def begin(self, repository_id: str) -> None:
        """Begins a run of a mirror that an organization's fills, unless one is open."""

        def attempt() -> MirrorRunRow | None:
            row, by_id = self._mirrors.get(repository_id), get(RepositoryRow, keys.repository(repository_id))
            if row is None or row.status.is_running or by_id is None or not by_id.is_live or not by_id.mode.is_mirror:
                return None
            return self._open(repository_of(repository_id, by_id), row, RunCause.REQUEST, None)

        run = retry_on_conflict(attempt)
        if run is not None:
            self.wake(repository_id, run)

    def cancel(self, actor: Actor, name: RepositoryName) -> None:
        """Ends the run that is open; what it copied stays, and the schedule goes on.

        Raises ResourceUnknown if none is open, NameUnknown, Unauthenticated, Denied.
        """
        access = self._access.require_role(actor, name, Role.ADMIN)

        def attempt() -> None:
            row = self._mirrors.get(access.repository.id)
            run = self._store.get(access.repository.id, row.run) if row else None
            if row is None or run is None or not row.status.is_running:
                raise ResourceUnknown("open run of", str(name))
            transaction = Transaction()
            metadata = {"changed": "sync_status", "to": SyncStatus.CANCEL}
            self._usage_log.record_for_repository(actor, transaction, MIRROR_CHANGED, access.repository, metadata)
            self._end(transaction, OpenRun(access.repository, row, run), SyncStatus.CANCEL, CANCELLED)
            transaction.commit()
            self._measure(run, SyncStatus.CANCEL)

        retry_on_conflict(attempt)

    def work(self, due: Due, has_time: HasTime) -> Later | None:
        """Begins the run of a mirror that is due, or looks after the one that is open; for the timers."""
        return retry_on_conflict(lambda: self._work(due.target, has_time))

    def _work(self, repository_id: str, has_time: HasTime) -> Later | None:
        batch = Batch()
        mirror = batch.add(MirrorRow, keys.mirror(repository_id))
        by_id = batch.add(RepositoryRow, keys.repository(repository_id))
        batch.read()
        row, now = mirror.row, int(self._clock())
        if row is None or by_id.row is None or not by_id.row.is_live:
            return None
        repository = repository_of(repository_id, by_id.row)
        if row.status.is_running:
            return self._look_after(repository, row, has_time)
        if row.next_at is None or not by_id.row.mode.is_mirror:
            return None
        if row.next_at > now:
            return Later(row.next_at)
        cause = RunCause.RETRY if row.tries else RunCause.SCHEDULE
        run = self._open(repository, row, cause, None)
        self.wake(repository_id, run)
        return Later(now + LEASE_S)

    def _look_after(self, repository: Repository, row: MirrorRow, has_time: HasTime) -> Later:
        """Sends again what waits for a worker or lost its own, and returns when to look the next time."""
        now = int(self._clock())
        run = self._store.get(repository.id, row.run)
        if run is None or not run.is_open:
            # It ended between two reads; if its row is lost, the mirror goes on without it.
            self._close(row, run)
            return Later(now)
        free_at = max(run.waits_until or 0, run.lease_until)
        if free_at > now:
            return Later(free_at)
        if run.phase is not RunPhase.COPYING or run.pending <= 0:
            self.wake(repository.id, run)
        else:
            self.send_tags(repository.id, run, self._waiting(run, now, has_time))
        return Later(now + LEASE_S)

    def _waiting(self, run: MirrorRunRow, now: int, has_time: HasTime) -> list[str]:
        names: list[str] = []
        for tag in self._store.tags(run.id):
            if is_waiting(tag, now):
                names.append(tag.tag)
            if len(names) == SENT_AGAIN or not has_time():
                break
        return names

    def _close(self, row: MirrorRow, run: MirrorRunRow | None) -> None:
        transaction = Transaction()
        self._mirrors.end_run(transaction, row, run.status if run else SyncStatus.FAIL, self._clock())
        transaction.commit()

    def _open(self, repository: Repository, row: MirrorRow, cause: RunCause, actor: Actor | None) -> MirrorRunRow:
        """Opens a run in one transaction with its records. Raises WriteConflict."""
        now = self._clock()
        account = get(AccountRow, keys.account(row.robot_id))
        robot = robot_actor(row.robot_id, account.name if account else "")
        run = MirrorRunRow.under(
            keys.mirror_run(repository.id, ulid(now)),
            cause=cause,
            asked_by=actor.name if actor else "",
            settings_version=row.settings_version,
            began_at=int(now),
            robot=robot.name,
            completes=int(row.completes(now, self._stores.settings.mirror_referrers_s)),
        )
        transaction = Transaction()
        self._store.add(transaction, run)
        self._mirrors.begin_run(transaction, row, run.id, int(now) + LEASE_S)
        if actor is not None:
            metadata = {"namespace": repository.name.namespace, "repo": repository.name.repository}
            self._usage_log.record_for_repository(actor, transaction, MIRROR_REQUESTED, repository, metadata)
        self._record(transaction, robot, MIRROR_STARTED, repository, verb="start", message=row.reference)
        transaction.commit()
        measure(self._stores.settings.table, MirrorRunsBegun=1)
        return run

    def wake(self, repository_id: str, run: MirrorRunRow) -> None:
        """Sends the message that has a worker take a run."""
        self._queues.send(QueueName.MIRRORS, [{"repository": repository_id, "run": run.id}])

    def send_tags(self, repository_id: str, run: MirrorRunRow, tags: Sequence[str], *, delay_s: int = 0) -> None:
        """Sends the messages that have workers copy tags of a run."""
        messages = [{"repository": repository_id, "run": run.id, "tag": tag} for tag in tags]
        self._queues.send(QueueName.MIRRORS, messages, delay_s=delay_s)

    def load(self, repository_id: str, run_id: str) -> OpenRun | None:
        """Reads a run with its mirror and repository; None if it has ended or is the mirror's no more.

        A run whose settings have changed, or whose repository has another state than MIRROR, ends here.
        """
        batch = Batch()
        run = batch.add(MirrorRunRow, keys.mirror_run(repository_id, run_id))
        mirror = batch.add(MirrorRow, keys.mirror(repository_id))
        by_id = batch.add(RepositoryRow, keys.repository(repository_id))
        batch.read()
        if run.row is None or not run.row.is_open or mirror.row is None:
            return None
        if mirror.row.run != run_id and run.row.cause is not RunCause.PLAN:
            return None
        if by_id.row is None or not by_id.row.is_live:
            return None
        found = OpenRun(repository_of(repository_id, by_id.row), mirror.row, run.row)
        if run.row.cause is not RunCause.PLAN and (not by_id.row.mode.is_mirror or found.has_changed):
            self.end(found, SyncStatus.CANCEL, SETTINGS_CHANGED if found.has_changed else NO_MIRROR)
            return None
        return found

    def is_going_on(self, found: OpenRun) -> bool:
        """Reads whether a worker of a run may go on."""
        return self.load(found.repository.id, found.run.id) is not None

    def end(self, found: OpenRun, status: SyncStatus, reason: str = "") -> bool:
        """Ends a run, with its record, the mirror's status and its next start; returns False if it had ended."""

        def attempt(current: OpenRun | None) -> bool:
            if current is None:
                return False
            transaction = Transaction()
            self._end(transaction, current, status, reason)
            transaction.commit()
            return True

        try:
            is_ended = attempt(found)
        except WriteConflict:
            # The mirror has changed, so that it begins its next run at another time or never; or the run has ended.
            is_ended = retry_on_conflict(lambda: attempt(self._again(found)))
        if is_ended:
            self._measure(found.run, status)
            self.forget_old(found.repository.id)
        return is_ended

    def forget_old(self, repository_id: str) -> None:
        """Removes all but the last runs and plans of a mirror."""
        self._store.forget_old(self._store.latest(repository_id, 2 * KEPT_RUNS))

    def _measure(self, run: MirrorRunRow, status: SyncStatus) -> None:
        """Adds an ended run to the metrics."""
        measure(
            self._stores.settings.table,
            MirrorRunsEnded=1,
            MirrorRunsFailed=int(status is SyncStatus.FAIL),
            MirrorTagsFailed=run.failed,
            MirrorBytes=run.bytes_done,
        )

    def _again(self, found: OpenRun) -> OpenRun | None:
        """Returns a run with its mirror as it is now; None if it has ended or is the mirror's no more."""
        run, mirror = self._store.get(found.repository.id, found.run.id), self._mirrors.get(found.repository.id)
        if run is None or not run.is_open or mirror is None or mirror.run != run.id:
            return None
        return OpenRun(found.repository, mirror, found.run)

    def _end(self, transaction: Transaction, found: OpenRun, status: SyncStatus, reason: str) -> None:
        now, run = self._clock(), found.run
        self._store.end(transaction, run, status, reason[:LONGEST_REASON], int(now))
        self._mirrors.end_run(transaction, found.mirror, status, now, completes=bool(run.completes))
        if status in (SyncStatus.SUCCESS, SyncStatus.FAIL):
            kind = MIRROR_SUCCESS if status is SyncStatus.SUCCESS else MIRROR_FAILED
            robot = robot_actor(found.mirror.robot_id, run.robot)
            message = reason or run.warning or found.mirror.reference
            self._record(transaction, robot, kind, found.repository, verb="end", message=message)

    def _record(
        self, transaction: Transaction, robot: Actor, kind: str, repository: Repository, **metadata: object
    ) -> None:
        where = {"namespace": repository.name.namespace, "repo": repository.name.repository}
        self._usage_log.record_for_repository(robot, transaction, kind, repository, {**where, **metadata})


def is_waiting(tag: MirroredTagRow, now: int) -> bool:
    """Whether a tag waits for a worker, or its worker's lease is over."""
    if tag.change is TagChange.REMOVE:
        # Tags that are gone are removed together, after all others.
        return False
    return tag.outcome is TagOutcome.WAITING or (tag.outcome is TagOutcome.COPYING and tag.lease_until <= now)


def robot_actor(robot_id: str, name: str) -> Actor:
    """Returns a mirror's robot as the actor of records."""
    return Actor(robot_id, name, AccountKind.ROBOT)


def repository_of(repository_id: str, row: RepositoryRow) -> Repository:
    """Returns a repository from its row."""
    return Repository(repository_id, row.namespace_id, RepositoryName(row.namespace, row.name))
