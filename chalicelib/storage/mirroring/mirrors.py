"""Stores mirrors: the settings of a mirrored repository, and how far its runs are."""

import json
from collections.abc import Sequence

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition

from chalicelib.domain.ids import made_at
from chalicelib.domain.mirrors import MirrorSettings, SyncStatus, due_start, next_start, retry_at
from chalicelib.domain.repositories import Mode
from chalicelib.domain.timers import MIRROR
from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer, OptionalText
from chalicelib.storage.mirroring.sources import Open, ScheduledRow, Seal
from chalicelib.storage.registry.repositories import RepositoryNameRow, RepositoryRow
from chalicelib.storage.table import Batch, Row, Transaction, at_version, get, query, read_pages
from chalicelib.storage.timers import TimerRow, move_timer, timer


class MirrorRow(ScheduledRow):
    """The mirror of a repository.

    `run` is the ULID of the current or the last run; a run sees by `settings_version` that the settings have changed.
    `view` is set while the schedule may begin runs.
    """

    repository_id = UnicodeAttribute()
    namespace_id = UnicodeAttribute()
    reference = UnicodeAttribute()
    # JSON lists.
    patterns = UnicodeAttribute()
    architectures = UnicodeAttribute(default="[]")
    unsigned_images = Integer(default=0)
    run = OptionalText()
    # The version of the settings with which that run began.
    run_version = Integer(default=0)
    # When the last run began that completed the tags that had not changed, and with which settings.
    completed_at = Integer(default=0)
    completed_version = Integer(default=0)
    view = OptionalText()
    view_at = OptionalText()

    @property
    def about(self) -> str:
        """What the sealed source belongs to."""
        return f"{self.repository_id} mirror"

    def settings(self, open_sealed: Open) -> MirrorSettings:
        """Returns the settings; `open_sealed` is `Envelope.open`."""
        return MirrorSettings(
            self.source(self.reference, open_sealed),
            tuple(json.loads(self.patterns)),
            self.interval_s,
            self.start_at,
            self.timeout_s,
            bool(self.is_enabled),
            tuple(json.loads(self.architectures)),
            bool(self.unsigned_images),
        )

    def take(self, settings: MirrorSettings, seal: Seal) -> None:
        """Takes settings over; `seal` is `Envelope.seal`."""
        self.take_source(settings.source, seal)
        self.reference = settings.source.reference
        self.patterns, self.architectures = json.dumps(settings.patterns), json.dumps(settings.architectures)
        self.interval_s, self.start_at, self.timeout_s = settings.interval_s, settings.start_at, settings.timeout_s
        self.is_enabled, self.unsigned_images = int(settings.is_enabled), int(settings.unsigned_images)

    def completes(self, now: float, every_s: int) -> bool:
        """Whether a run that begins now completes tags that did not change: it does so every few seconds, or never.

        With changed settings, other images of an index may be missing.
        """
        is_changed = self.synced_at is not None and self.completed_version != self.settings_version
        return is_changed or bool(every_s and now - self.completed_at >= every_s)


class RobotMirrorRow(Row):
    """Says that a robot mirrors into a repository."""


class MirrorStore:
    """The mirrors in the table.

    The row of a repository's name has the mirror's robot, too: every push reads it. A transaction that changes the
    robot writes both.
    """

    def get(self, repository_id: str) -> MirrorRow | None:
        """Returns the mirror of a repository."""
        return get(MirrorRow, keys.mirror(repository_id))

    def is_mirroring(self, robot_id: str) -> bool:
        """Whether a robot mirrors into any repository."""
        return any(query(RobotMirrorRow, keys.robot_mirror(robot_id), limit=1))

    def active(self, namespace_id: str = "") -> list[MirrorRow]:
        """Returns the mirrors whose schedule may begin runs, of one namespace or of all. The index lags."""
        key = UnicodeAttribute(attr_name="view_at")
        condition = key.startswith(f"{namespace_id}#") if namespace_id else None
        pages = (read_pages(shard, condition, index_name="view") for shard in keys.view_mirrors())
        rows = [MirrorRow.from_raw_data(raw) for shard in pages for items, _ in shard for raw in items]
        return sorted(rows, key=lambda row: row.view_at or "")

    def names(self, repository_ids: Sequence[str]) -> dict[str, RepositoryRow]:
        """Returns the repositories of mirrors, by id, with one read for each hundred."""
        batch = Batch()
        reads = {identifier: batch.add(RepositoryRow, keys.repository(identifier)) for identifier in repository_ids}
        batch.read()
        return {identifier: read.row for identifier, read in reads.items() if read.row}

    def give_robot(self, transaction: Transaction, row: RepositoryNameRow, robot_id: str | None, mode: Mode) -> None:
        """Sets a repository's mode and the robot that mirrors into it, if the name has the version that was read."""
        attribute, former = RepositoryNameRow.mirror_robot, row.mirror_robot
        actions = [
            RepositoryNameRow.mode.set(mode),
            RepositoryNameRow.version.set(row.version + 1),
            attribute.set(robot_id) if robot_id else attribute.remove(),
        ]
        is_same = (RepositoryNameRow.repository_id == row.repository_id) & at_version(
            RepositoryNameRow.version, row.version
        )
        transaction.update(row, *actions, condition=is_same)
        by_id = RepositoryRow.under(keys.repository(row.repository_id))
        transaction.update(by_id, RepositoryRow.mode.set(mode), condition=RepositoryRow.pk.exists())
        if former and former != robot_id:
            transaction.delete(RobotMirrorRow.under(keys.robot_mirror(former, row.repository_id)))
        if robot_id:
            self.engage(transaction, robot_id, row.repository_id)

    def schedule(self, transaction: Transaction, row: MirrorRow, mode: Mode, now: float) -> None:
        """Sets when the mirror's next run begins, and moves its timer there. The caller writes `row`.

        The timer of a run that is open looks after that run, and stays.
        """
        is_active = mode.is_mirror and bool(row.is_enabled)
        views = {
            Mode.MIRROR: keys.view_mirrors(row.repository_id)[0],
            Mode.ORG_MIRROR: keys.view_organization_mirrors(),
        }
        row.view = views[mode] if is_active else None
        row.view_at = f"{row.namespace_id}#{row.repository_id}" if is_active else None
        if row.status.is_running:
            return
        row.next_at = due_start(row, made_at(row.run) if row.run else None, now) if is_active else None
        move_timer(transaction, MIRROR, row.repository_id, row.next_at)

    def begin_run(self, transaction: Transaction, row: MirrorRow, run: str, looked_after_at: int) -> None:
        """Notes the run that begins, if the mirror has the version that was read, and when it is looked after."""
        actions = [
            MirrorRow.status.set(SyncStatus.SYNC_NOW),
            MirrorRow.run.set(run),
            MirrorRow.run_version.set(row.settings_version),
            MirrorRow.next_at.remove(),
            MirrorRow.version.set(row.version + 1),
        ]
        transaction.update(MirrorRow.under(row.key), *actions, condition=at_version(MirrorRow.version, row.version))
        transaction.put(timer(MIRROR, row.repository_id, looked_after_at))

    def take_run(self, transaction: Transaction, row: MirrorRow) -> None:
        """Notes that a worker has taken the run, and updates `row`."""
        actions = [MirrorRow.status.set(SyncStatus.SYNCING), MirrorRow.version.set(MirrorRow.version + 1)]
        transaction.update(MirrorRow.under(row.key), *actions, condition=_runs(row))
        row.version += 1

    def end_run(
        self, transaction: Transaction, row: MirrorRow, status: SyncStatus, now: float, *, completes: bool = False
    ) -> None:
        """Notes how the run ended and when the next one begins, if it is open and the mirror has the version read."""
        tries = row.tries + 1 if status is SyncStatus.FAIL else 0
        next_at = self._next(row, status, tries, now)
        actions = [
            MirrorRow.status.set(status),
            MirrorRow.tries.set(tries),
            MirrorRow.next_at.remove() if next_at is None else MirrorRow.next_at.set(next_at),
            MirrorRow.version.set(MirrorRow.version + 1),
        ]
        if status is SyncStatus.SUCCESS:
            actions.append(MirrorRow.synced_at.set(int(now)))
            if completes or row.synced_at is None:
                actions += [MirrorRow.completed_at.set(int(now)), MirrorRow.completed_version.set(row.settings_version)]
        is_as_read = at_version(MirrorRow.version, row.version)
        transaction.update(MirrorRow.under(row.key), *actions, condition=_runs(row) & is_as_read)
        move_timer(transaction, MIRROR, row.repository_id, next_at)

    def _next(self, row: MirrorRow, status: SyncStatus, tries: int, now: float) -> int | None:
        if row.view is None:
            return None
        is_changed = status is SyncStatus.CANCEL and row.run is not None and row.settings_version != row.run_version
        if is_changed:
            return int(now)
        return (retry_at(tries, now) if status is SyncStatus.FAIL else None) or next_start(row, now)

    def remove(self, transaction: Transaction, row: MirrorRow) -> None:
        """Removes a mirror with its timer, if it has the version that was read."""
        transaction.delete(row, at_version(MirrorRow.version, row.version))
        transaction.delete(TimerRow.under(keys.timer(MIRROR, row.repository_id)))

    def resume(self, transaction: Transaction, row: MirrorRow, mode: Mode, now: float) -> None:
        """Begins the schedule of a restored repository's mirror again. The caller writes `row`."""
        self.schedule(transaction, row, mode, now)
        if row.status.is_running:
            # The deletion took the timer that looks after the run.
            transaction.put(timer(MIRROR, row.repository_id, int(now)))

    def engage(self, transaction: Transaction, robot_id: str, repository_id: str) -> None:
        """Says that a robot mirrors into a repository."""
        transaction.put(RobotMirrorRow.under(keys.robot_mirror(robot_id, repository_id)))

    def suspend(self, transaction: Transaction, row: RepositoryNameRow) -> None:
        """Ends the schedule of a deleted repository's mirror, which no longer needs its robot.

        The caller deletes the row of the name if it has the version that was read.
        """
        if row.mirror_robot is None:
            return
        mirror = MirrorRow.under(keys.mirror(row.repository_id))
        actions = [
            MirrorRow.view.remove(),
            MirrorRow.view_at.remove(),
            MirrorRow.next_at.remove(),
            MirrorRow.version.set(MirrorRow.version + 1),
        ]
        transaction.update(mirror, *actions, condition=MirrorRow.pk.exists())
        transaction.delete(RobotMirrorRow.under(keys.robot_mirror(row.mirror_robot, row.repository_id)))
        transaction.delete(TimerRow.under(keys.timer(MIRROR, row.repository_id)))

    def put(self, transaction: Transaction, row: MirrorRow, stored_version: int | None) -> None:
        """Writes a mirror if it has the version that was read; None for a new one."""
        row.version = 0 if stored_version is None else stored_version + 1
        transaction.put(row, at_version(MirrorRow.version, stored_version))


def _runs(row: MirrorRow) -> Condition:
    """Returns the condition that the run that was read is open."""
    condition: Condition = (MirrorRow.run == row.run) & MirrorRow.status.is_in(SyncStatus.SYNC_NOW, SyncStatus.SYNCING)
    return condition
