"""Copies a tag of a run for a worker that has it by a lease, and settles it in one transaction."""

from collections.abc import Callable

from chalicelib.domain.errors import RegistryError, Unavailable
from chalicelib.domain.errors.upstreams import UpstreamLimited
from chalicelib.domain.events import MIRROR_TAG_FAILED, MIRROR_TAG_SUCCESS
from chalicelib.domain.ids import ulid
from chalicelib.domain.mirror_runs import LONGEST_REASON, MOST_TRIES, RunPhase, TagChange, TagOutcome
from chalicelib.domain.mirrors import MirrorSettings
from chalicelib.domain.names import Tag
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.mirroring.blob_copies import CopyJob
from chalicelib.services.mirroring.endings import RunEndings
from chalicelib.services.mirroring.pulse import OutOfTime, Pulse, PulseRules, RunStopped, TagTooSlow
from chalicelib.services.mirroring.runs import OpenRun, robot_actor
from chalicelib.services.mirroring.tag_copies import TagCopies, TagJob
from chalicelib.services.mirroring.upstreams import Upstreams
from chalicelib.storage.mirroring.runs import MirroredTagRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, WriteConflict, retry_on_conflict

GIVEN_UP = f"{MOST_TRIES} workers ended while they copied this tag"


class TagWorkers:
    """Copies tags of runs. `usage_log` records each, `endings` ends the run after the last one."""

    def __init__(
        self, usage_log: UsageLog, stores: Stores, endings: RunEndings, upstreams: Upstreams, copies: TagCopies
    ) -> None:
        self._usage_log, self._endings, self._upstreams, self._copies = usage_log, endings, upstreams, copies
        self._runs, self._robots = endings.runs, endings.robots
        self._store, self._clock = stores.mirror_runs, stores.clock

    def copy(self, found: OpenRun, tag: str, left_s: Callable[[], float]) -> None:
        """Copies a tag, unless it is settled or another worker has it; ends the run after the last one."""
        run = found.run
        if run.phase is not RunPhase.COPYING or (run.waits_until or 0) > self._clock():
            return
        row = self._store.claim_tag(run.id, tag, ulid(self._clock()), int(self._clock()))
        if row is None:
            return
        if row.tries > MOST_TRIES:
            row.outcome, row.reason = TagOutcome.FAILED, GIVEN_UP
            self._settle(found, row)
        else:
            self._copy(found, row, left_s)
        self._endings.end_if_settled(found, left_s)

    def _copy(self, found: OpenRun, row: MirroredTagRow, left_s: Callable[[], float]) -> None:
        settings, began = self._upstreams.settings(found.mirror), self._clock()

        def spent_s() -> int:
            return row.spent_s + int(self._clock() - began)

        def renew(bytes_done: int) -> bool:
            return self._store.renew_tag(row, int(self._clock()), spent_s(), bytes_done)

        until = began + settings.timeout_s - row.spent_s
        pulse = Pulse(PulseRules(left_s, lambda: self._runs.is_going_on(found), renew, self._clock, until))
        try:
            row.outcome, row.reason = self._outcome(found, row, pulse, settings)
        except UpstreamLimited as limited:
            # What it waits for upstream is not the tag's time, which begins anew.
            self._store.put_back(row, 0)
            self._upstreams.wait(found.run, limited)
        except OutOfTime:
            self._store.put_back(row, spent_s())
            self._runs.send_tags(found.repository.id, found.run, [row.tag])
        except RunStopped:
            return
        else:
            row.bytes_done = pulse.bytes_done
            self._settle(found, row)

    def _outcome(
        self, found: OpenRun, row: MirroredTagRow, pulse: Pulse, settings: MirrorSettings
    ) -> tuple[TagOutcome, str]:
        """Copies a tag and returns how that went. Raises UpstreamLimited, OutOfTime, RunStopped, Unavailable."""
        try:
            with self._upstreams.opened(settings.source) as registry:
                actor = self._robots.actor(found.mirror.robot_id, found.repository)
                is_alone = found.run.pending == 1
                job = CopyJob(registry, found.repository, actor, found.run.id, row.worker, pulse, is_alone)
                return self._copies.copy(TagJob(job, Tag(row.tag), row.change, settings.architectures)), ""
        except TagTooSlow:
            return TagOutcome.FAILED, f"it took longer than {settings.timeout_s} seconds"
        except (UpstreamLimited, Unavailable):
            raise
        except RegistryError as error:
            return TagOutcome.FAILED, str(error)[:LONGEST_REASON]

    def _settle(self, found: OpenRun, row: MirroredTagRow) -> None:
        """Settles a tag with its record, unless the run has ended or another worker has the tag."""
        row.ended_at = int(self._clock())

        def attempt() -> None:
            transaction = Transaction()
            self._store.settle(transaction, found.run, row)
            self._record(transaction, found, row)
            try:
                transaction.commit()
            except WriteConflict:
                if self._store.has_tag(found.run, row):
                    raise

        retry_on_conflict(attempt)

    def _record(self, transaction: Transaction, found: OpenRun, row: MirroredTagRow) -> None:
        """Records a tag as Quay does, but not one that was only completed."""
        is_failed = row.outcome is TagOutcome.FAILED
        if row.change is TagChange.COMPLETE and not is_failed:
            return
        name = found.repository.name
        metadata = {"verb": "end", "namespace": name.namespace, "repo": name.repository, "tag": row.tag}
        metadata["message"] = row.reason or f"Source '{found.mirror.reference}:{row.tag}' {row.outcome}"
        actor = robot_actor(found.mirror.robot_id, found.run.robot)
        kind = MIRROR_TAG_FAILED if is_failed else MIRROR_TAG_SUCCESS
        self._usage_log.record_for_repository(actor, transaction, kind, found.repository, metadata)
