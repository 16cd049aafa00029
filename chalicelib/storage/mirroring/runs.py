"""Stores the runs of mirrors, and the tags and blobs that a run still has to copy."""

from collections.abc import Iterator, Mapping, Sequence

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.domain.digests import Digest
from chalicelib.domain.mirror_runs import (
    KEPT_RUNS,
    KEPT_S,
    LEASE_S,
    RunCause,
    RunPhase,
    TagChange,
    TagDifference,
    TagOutcome,
)
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.storage import keys
from chalicelib.storage.attributes import EnumText, Integer, OptionalDigest, OptionalInteger, OptionalText
from chalicelib.storage.table import (
    Row,
    Transaction,
    WriteConflict,
    absent,
    get,
    put_all,
    query,
    query_backwards,
    remove_all,
    update_if,
)


class MirrorRunRow(Row):
    """A run of a mirror. Times are in seconds since the epoch.

    `worker` has the whole run until `lease_until` while it compares or removes tags; `tries` counts such workers.
    `pending` counts the tags that are not settled; the others count those that are, and `bytes_done` their bytes.
    `waits_until` is when upstream wants to be asked again.
    """

    cause = EnumText(RunCause)
    asked_by = UnicodeAttribute(default="")
    phase = EnumText(RunPhase, default=RunPhase.COMPARING)
    status = EnumText(SyncStatus, default=SyncStatus.SYNC_NOW)
    settings_version = Integer()
    began_at = Integer()
    ended_at = OptionalInteger()
    worker = UnicodeAttribute(default="")
    lease_until = Integer(default=0)
    tries = Integer(default=0)
    waits_until = OptionalInteger()
    matched = Integer(default=0)
    pending = Integer(default=0)
    same = Integer(default=0)
    added = Integer(default=0)
    changed = Integer(default=0)
    removed = Integer(default=0)
    skipped = Integer(default=0)
    failed = Integer(default=0)
    bytes_done = Integer(default=0)
    # The last tag that was compared, and whether tags that did not change are completed.
    place = UnicodeAttribute(default="")
    completes = Integer(default=0)
    # The robot's name, by whom the run is recorded.
    robot = UnicodeAttribute(default="")
    reason = UnicodeAttribute(default="")
    warning = UnicodeAttribute(default="")

    @property
    def id(self) -> str:
        """The run's ULID."""
        return self.sk.partition("#")[2]

    @property
    def is_open(self) -> bool:
        """Whether the run has not ended."""
        return self.phase is not RunPhase.ENDED


class MirroredTagRow(Row):
    """A tag that a run copies or removes. `worker` has it until `lease_until`, and `tries` counts the workers.

    `spent_s` are the seconds that earlier workers worked on it, as far as they told.
    """

    tag = UnicodeAttribute()
    change = EnumText(TagChange)
    digest = OptionalDigest()
    outcome = EnumText(TagOutcome, default=TagOutcome.WAITING)
    worker = UnicodeAttribute(default="")
    lease_until = Integer(default=0)
    tries = Integer(default=0)
    began_at = OptionalInteger()
    spent_s = Integer(default=0)
    ended_at = OptionalInteger()
    bytes_done = Integer(default=0)
    reason = UnicodeAttribute(default="")
    expires_at = Integer()


class MirroredBlobRow(Row):
    """A blob that a worker of a run fetches until `lease_until`. `upload_id` is the upload that has its first bytes."""

    worker = UnicodeAttribute()
    lease_until = Integer()
    upload_id = OptionalText()
    expires_at = Integer()


class UpstreamRow(Row):
    """Another registry as one of its users sees it: it wants not to be asked before `not_before`."""

    not_before = Integer()
    expires_at = Integer()


class MirrorRunStore:
    """The runs in the table."""

    def get(self, repository_id: str, run: str | None) -> MirrorRunRow | None:
        """Returns a run of a mirror."""
        return get(MirrorRunRow, keys.mirror_run(repository_id, run)) if run else None

    def latest(self, repository_id: str, limit: int) -> list[MirrorRunRow]:
        """Returns the last runs of a mirror, newest first."""
        return list(query_backwards(MirrorRunRow, keys.mirror_run(repository_id), limit))

    def add(self, transaction: Transaction, row: MirrorRunRow) -> None:
        """Writes a new run."""
        transaction.put(row, absent())

    def take(self, transaction: Transaction, row: MirrorRunRow, worker: str, now: int) -> None:
        """Gives a run to its first worker and updates `row`."""
        row.worker, row.lease_until, row.tries = worker, now + LEASE_S, row.tries + 1
        actions = [
            MirrorRunRow.status.set(SyncStatus.SYNCING),
            MirrorRunRow.worker.set(row.worker),
            MirrorRunRow.lease_until.set(row.lease_until),
            MirrorRunRow.tries.set(row.tries),
        ]
        transaction.update(MirrorRunRow.under(row.key), *actions, condition=_open() & (MirrorRunRow.lease_until <= now))

    def keep_comparison(self, row: MirrorRunRow) -> None:
        """Writes how far a worker's comparison is, and what it found. Raises WriteConflict if it lost the run."""
        names = ["phase", "place", "matched", "same", "pending", "warning"]
        names += ["added", "changed", "bytes_done"] if row.cause is RunCause.PLAN else []
        actions: list[Action] = [getattr(MirrorRunRow, name).set(getattr(row, name)) for name in names]
        if row.phase is not RunPhase.COMPARING:
            actions += [MirrorRunRow.lease_until.set(0), MirrorRunRow.tries.set(0)]
        written = MirrorRunRow.under(row.key)
        if not update_if(written, actions, _open() & (MirrorRunRow.worker == row.worker)):
            raise WriteConflict

    def end(self, transaction: Transaction, row: MirrorRunRow, status: SyncStatus, reason: str, now: int) -> None:
        """Ends a run unless it has ended."""
        values = {"phase": RunPhase.ENDED, "status": status, "reason": reason, "ended_at": now, "lease_until": 0}
        values |= {"matched": row.matched, "same": row.same, "warning": row.warning}
        values |= {"removed": row.removed} if row.cause is RunCause.PLAN else {}
        actions = [getattr(MirrorRunRow, name).set(value) for name, value in values.items()]
        transaction.update(MirrorRunRow.under(row.key), *actions, condition=_open())

    def wait(self, row: MirrorRunRow, until: int) -> None:
        """Lets a run wait until a second, without a worker; one that waited for upstream is not counted."""
        actions: list[Action] = [MirrorRunRow.waits_until.set(until), MirrorRunRow.lease_until.set(0)]
        if row.phase is RunPhase.COMPARING:
            actions.append(MirrorRunRow.tries.set(MirrorRunRow.tries - 1))
        update_if(MirrorRunRow.under(row.key), actions, _open())

    def put_run_back(self, row: MirrorRunRow) -> None:
        """Leaves a run to the next worker, without counting this one."""
        actions: list[Action] = [MirrorRunRow.lease_until.set(0), MirrorRunRow.tries.set(MirrorRunRow.tries - 1)]
        update_if(MirrorRunRow.under(row.key), actions, _open() & (MirrorRunRow.worker == row.worker))

    def claim(self, row: MirrorRunRow, worker: str, now: int) -> bool:
        """Gives a run to a worker and updates `row`; returns False if it has ended or another one has it."""
        is_free = (MirrorRunRow.lease_until <= now) | (MirrorRunRow.worker == worker)
        actions: list[Action] = [
            MirrorRunRow.worker.set(worker),
            MirrorRunRow.lease_until.set(now + LEASE_S),
            MirrorRunRow.tries.set(MirrorRunRow.tries + 1),
            MirrorRunRow.waits_until.remove(),
        ]
        return update_if(row, actions, _open() & is_free)

    def renew(self, row: MirrorRunRow, now: int) -> bool:
        """Renews a worker's lease on a run; returns False if it has the run no more."""
        actions: list[Action] = [MirrorRunRow.lease_until.set(now + LEASE_S)]
        return update_if(row, actions, _open() & (MirrorRunRow.worker == row.worker))

    def forget_old(self, rows: Sequence[MirrorRunRow]) -> None:
        """Removes all but the last runs; `rows` are newest first."""
        if old := rows[KEPT_RUNS:]:
            remove_all(row.key for row in old)

    def add_tags(self, run: str, differences: Sequence[TagDifference], now: int) -> None:
        """Writes the tags that a run copies or removes; the same ones may be written again."""
        put_all(
            MirroredTagRow.under(
                keys.mirrored_tag(run, one.tag),
                tag=one.tag,
                change=one.change,
                digest=one.digest,
                expires_at=now + KEPT_S,
            )
            for one in differences
        )

    def add_plan(self, run: str, differences: Sequence[TagDifference], sizes: Mapping[str, int], now: int) -> None:
        """Writes what a run would do with tags, and how many bytes it would fetch for each."""
        put_all(
            MirroredTagRow.under(
                keys.mirrored_tag(run, one.tag),
                tag=one.tag,
                change=one.change,
                digest=one.digest,
                outcome=TagOutcome.PLANNED,
                bytes_done=sizes.get(one.tag, 0),
                expires_at=now + KEPT_S,
            )
            for one in differences
        )

    def tags(self, run: str, after: str = "", page: int | None = None) -> Iterator[MirroredTagRow]:
        """Yields the tags of a run after a tag, in order."""
        past = keys.mirrored_tag(run, after)[1] if after else ""
        return query(MirroredTagRow, keys.mirrored_tag(run), after=past, page=page)

    def claim_tag(self, run: str, tag: str, worker: str, now: int) -> MirroredTagRow | None:
        """Gives a tag to a worker and returns its row; None if it is settled, gone, or another worker has it."""
        row = MirroredTagRow.under(keys.mirrored_tag(run, tag))
        open_ones = MirroredTagRow.outcome.is_in(TagOutcome.WAITING, TagOutcome.COPYING)
        actions: list[Action] = [
            MirroredTagRow.outcome.set(TagOutcome.COPYING),
            MirroredTagRow.worker.set(worker),
            MirroredTagRow.lease_until.set(now + LEASE_S),
            MirroredTagRow.tries.set(MirroredTagRow.tries + 1),
            MirroredTagRow.began_at.set(MirroredTagRow.began_at | now),
        ]
        is_copied = open_ones & (MirroredTagRow.change != TagChange.REMOVE)
        return row if update_if(row, actions, is_copied & (MirroredTagRow.lease_until <= now)) else None

    def renew_tag(self, row: MirroredTagRow, now: int, spent_s: int, bytes_done: int) -> bool:
        """Renews a worker's lease on a tag; returns False if it has the tag no more.

        `spent_s` are the seconds that this worker and those before it have worked on it.
        """
        actions: list[Action] = [
            MirroredTagRow.lease_until.set(now + LEASE_S),
            MirroredTagRow.bytes_done.set(bytes_done),
            MirroredTagRow.spent_s.set(spent_s),
        ]
        return update_if(MirroredTagRow.under(row.key), actions, _has_tag(row))

    def put_back(self, row: MirroredTagRow, spent_s: int) -> None:
        """Leaves a tag to the next worker, without counting this one. Does nothing if it has the tag no more."""
        actions: list[Action] = [
            MirroredTagRow.outcome.set(TagOutcome.WAITING),
            MirroredTagRow.lease_until.set(0),
            MirroredTagRow.tries.set(MirroredTagRow.tries - 1),
            MirroredTagRow.spent_s.set(spent_s),
        ]
        update_if(row, actions, _has_tag(row))

    def settle(self, transaction: Transaction, run: MirrorRunRow, row: MirroredTagRow) -> None:
        """Settles a tag that a worker has, and adds it to the counts of its run, which must be open."""
        transaction.update(MirroredTagRow.under(row.key), *_settled(row), condition=_has_tag(row))
        counts = {"pending": -1, "bytes_done": row.bytes_done} | _counted(row)
        transaction.update(MirrorRunRow.under(run.key), *_added(counts), condition=_open())

    def settle_removal(self, run: MirrorRunRow, row: MirroredTagRow) -> None:
        """Settles a tag that a worker of the run has removed, once, and counts it in `run`, too."""
        transaction, counts = Transaction(), _counted(row)
        is_waiting = MirroredTagRow.outcome == TagOutcome.WAITING
        transaction.update(MirroredTagRow.under(row.key), *_settled(row), condition=is_waiting)
        transaction.update(MirrorRunRow.under(run.key), *_added(counts), condition=_open())
        transaction.commit()
        for name, number in counts.items():
            setattr(run, name, getattr(run, name) + number)

    def has_tag(self, run: MirrorRunRow, row: MirroredTagRow) -> bool:
        """Whether a worker still has a tag of an open run."""
        tag, stored = get(MirroredTagRow, row.key), get(MirrorRunRow, run.key)
        is_held = tag is not None and tag.worker == row.worker and tag.outcome is TagOutcome.COPYING
        return is_held and stored is not None and stored.is_open

    def claim_blob(self, run: str, digest: Digest, worker: str, now: int) -> MirroredBlobRow | None:
        """Gives a blob to a worker, with the upload of an earlier one; None if another worker fetches it."""
        row = MirroredBlobRow.under(keys.mirrored_blob(run, digest))
        actions: list[Action] = [
            MirroredBlobRow.worker.set(worker),
            MirroredBlobRow.lease_until.set(now + LEASE_S),
            MirroredBlobRow.expires_at.set(now + KEPT_S),
        ]
        is_free = MirroredBlobRow.pk.does_not_exist() | (MirroredBlobRow.lease_until <= now)
        return row if update_if(row, actions, is_free | (MirroredBlobRow.worker == worker)) else None

    def keep_upload(self, row: MirroredBlobRow, upload_id: str) -> None:
        """Notes the upload of a blob, which a later worker continues."""
        row.upload_id = upload_id
        update_if(row, [MirroredBlobRow.upload_id.set(upload_id)], MirroredBlobRow.worker == row.worker)

    def renew_blob(self, row: MirroredBlobRow, now: int) -> None:
        """Renews a worker's lease on a blob."""
        lease = MirroredBlobRow.lease_until.set(now + LEASE_S)
        update_if(MirroredBlobRow.under(row.key), [lease], MirroredBlobRow.worker == row.worker)

    def release_blob(self, row: MirroredBlobRow) -> None:
        """Leaves a blob to whoever wants it."""
        update_if(row, [MirroredBlobRow.lease_until.set(0)], MirroredBlobRow.worker == row.worker)

    def not_before(self, host: str, username: str) -> int:
        """Returns when another registry may be asked again, in seconds since the epoch; 0 for now."""
        row = get(UpstreamRow, keys.upstream(host, username))
        return row.not_before if row else 0

    def limit(self, host: str, username: str, until: int) -> None:
        """Notes that another registry wants not to be asked before a second."""
        UpstreamRow.under(keys.upstream(host, username), not_before=until, expires_at=until).save()


def _settled(row: MirroredTagRow) -> list[Action]:
    names = ("outcome", "ended_at", "bytes_done", "reason")
    return [
        MirroredTagRow.lease_until.set(0),
        *(getattr(MirroredTagRow, name).set(getattr(row, name)) for name in names),
    ]


def _counted(row: MirroredTagRow) -> dict[str, int]:
    """Returns the count that a settled tag is in; none if it was counted when the tags were compared."""
    special = {TagOutcome.FAILED: "failed", TagOutcome.SKIPPED: "skipped"}.get(row.outcome)
    name = special or row.change.counted_as
    return {name: 1} if name else {}


def _added(counts: Mapping[str, int]) -> list[Action]:
    return [getattr(MirrorRunRow, name).set(getattr(MirrorRunRow, name) + number) for name, number in counts.items()]


def _open() -> Condition:
    condition: Condition = MirrorRunRow.pk.exists() & (MirrorRunRow.phase != RunPhase.ENDED)
    return condition


def _has_tag(row: MirroredTagRow) -> Condition:
    condition: Condition = (MirroredTagRow.worker == row.worker) & (MirroredTagRow.outcome == TagOutcome.COPYING)
    return condition
