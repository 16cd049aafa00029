"""Exports the usage log of some days into one file, which is kept for a week.

The file is written after the response, part by part: the timer of an export calls `advance` until the export is over.
The progress is saved after each part, so that an export continues there after a crash. Then its callback is called.
"""

import heapq
import json
from collections.abc import Callable, Iterator
from itertools import islice

from chalicelib.domain.errors import BlobUploadInvalid, FieldInvalid, OutgoingFailed, OutgoingRefused, ResourceUnknown
from chalicelib.domain.events import Event
from chalicelib.domain.exports import END, FAILURE, SUCCESS, Export, record
from chalicelib.domain.ids import ulid
from chalicelib.domain.log_cursors import DAY_S, before, earliest, past
from chalicelib.domain.permissions import Actor
from chalicelib.domain.timers import EXPORT, Due, HasTime, Later, pause_s
from chalicelib.domain.usage_log import Period, UsageLogQuery, with_quays_words
from chalicelib.remote.messages import OutgoingRequest
from chalicelib.remote.outgoing import Outgoing
from chalicelib.services.activity.usage_log_reader import LogOwner, UsageLogReader
from chalicelib.services.security.sealing import Envelope, hashed, random_secret
from chalicelib.storage import bucket_keys, keys
from chalicelib.storage.activity.exports import ExportRow, ExportState
from chalicelib.storage.activity.usage_log import LogRow, runs_of_namespace, runs_of_repository
from chalicelib.storage.objects import ObjectGone
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, WriteConflict
from chalicelib.storage.timers import timer
from chalicelib.telemetry import logger

KEPT_S = 7 * DAY_S
# S3 accepts no part of less than 5 MiB, except the last.
PART_BYTES = 6 * 1024 * 1024
READ_AT_ONCE = 1000
# How often writing a file is started, and how often a callback is called, before the export gives up.
MOST_TRIES, MOST_CALLS = 8, 10
# How long a callback may take to respond.
CALL_S = 10.0


class Exports:
    """Exports the usage log into files."""

    def __init__(
        self, stores: Stores, usage_log_reader: UsageLogReader, envelope: Callable[[], Envelope], outgoing: Outgoing
    ) -> None:
        self._usage_log_reader, self._usage_log, self._store, self._objects = (
            usage_log_reader,
            stores.usage_log,
            stores.exports,
            stores.objects,
        )
        self._envelope, self._outgoing, self._url = envelope, outgoing, stores.settings.url
        self._presign_s, self._clock = stores.settings.presign_s, stores.clock

    def begin(
        self,
        actor: Actor,
        owner: LogOwner,
        query: UsageLogQuery,
        callback_url: str | None = None,
        email: str | None = None,
    ) -> str:
        """Starts an export of the records of some days, until now, and returns the id that opens the file.

        Raises FieldInvalid for a callback that is not https and public, and for an e-mail address, as no mail is sent;
        Unauthenticated, Denied, NotFound as reading the log does.
        """
        log, now = self._usage_log_reader.readable_log(actor, owner), self._clock()
        period = query.period(now)
        if email:
            raise FieldInvalid("callback_email", "no mail is sent from here: use callback_url")
        identifier = random_secret("")
        row = ExportRow.under(
            keys.export(hashed(identifier)),
            namespace_id=log.namespace_id,
            namespace=log.namespace,
            repository_id=log.repository_id,
            repository=log.repository,
            start=period.start,
            end=period.end,
            until=min(period.newest, before(earliest(now + 1))),
            performer=actor.name,
            address=actor.address,
            application=json.dumps(dict(actor.application)),
            ends_at=int(now) + KEPT_S,
        )
        if callback_url:
            self._check(callback_url)
            row.callback_url = callback_url
            row.key_id, row.sealed = self._envelope().seal(row.pk, identifier)
        transaction = Transaction()
        self._store.add(transaction, row)
        transaction.put(timer(EXPORT, row.target, int(now)))
        transaction.commit()
        return identifier

    def _check(self, callback_url: str) -> None:
        """Raises FieldInvalid for a URL that could never be called. Its host is resolved only when it is called."""
        try:
            self._outgoing.check_url(callback_url)
        except OutgoingRefused as error:
            raise FieldInvalid("callback_url", str(error)) from None

    def address(self, actor: Actor, identifier: str) -> str:
        """Returns the presigned URL of a file, for whoever has its id. Raises ResourceUnknown."""
        row = self._store.find(hashed(identifier))
        if row is None or row.state == ExportState.WRITING or row.is_lost or row.ends_at <= self._clock():
            raise ResourceUnknown("export", actor.name)
        key = bucket_keys.export(row.target)
        return self._objects.address("get_object", key, self._presign_s, ResponseContentType="application/json")

    def advance(self, due: Due, has_time: HasTime) -> Later | None:
        """Does the next step of an export, for its timer."""
        row = self._store.find(due.target)
        if row is None:
            return None
        try:
            if row.state == ExportState.WRITING:
                return self._write(row, due, has_time)
            return self._call_back(row) if row.state == ExportState.TELLING else self._expire(row)
        except WriteConflict:
            # Another process that holds the timer now is ahead.
            return Later(int(self._clock()) + pause_s(1))

    def _write(self, row: ExportRow, due: Due, has_time: HasTime) -> Later | None:
        try:
            is_whole = self._write_parts(row, has_time)
        except (ObjectGone, BlobUploadInvalid):
            # S3 no longer has the parts, or two processes wrote one: the file is written again from the start.
            return self._begin_anew(row)
        except WriteConflict:
            raise
        except Exception:
            if due.tries + 1 < MOST_TRIES:
                raise
            logger.exception("export given up", target=row.target)
            return self._give_up(row)
        return self._settle(row, SUCCESS, {}) if is_whole else Later(int(self._clock()), row.after)

    def _begin_anew(self, row: ExportRow) -> Later | None:
        row.begin_anew()
        if row.begun > MOST_TRIES:
            return self._give_up(row)
        self._store.save(row)
        return Later(int(self._clock()) + pause_s(row.begun))

    def _give_up(self, row: ExportRow) -> Later | None:
        row.is_lost = 1
        return self._settle(row, FAILURE, {"error": "it could not be written"})

    def _write_parts(self, row: ExportRow, has_time: HasTime) -> bool:
        """Writes part after part and returns whether the file is complete."""
        key = bucket_keys.export(row.target)
        if not row.multipart_id:
            row.multipart_id = self._objects.begin_parts(key)
            self._store.save(row)
        while not row.is_whole:
            if (part := self._part(row, has_time)) is None:
                return False
            content, after, is_whole = part
            etag = self._objects.put_part(key, row.multipart_id, len(row.etags) + 1, content)
            row.add_part(etag, after, is_whole=is_whole)
            self._store.save(row)
        self._objects.finish_parts(key, row.multipart_id, list(enumerate(row.etags, start=1)))
        return True

    def _part(self, row: ExportRow, has_time: HasTime) -> tuple[bytes, str, bool] | None:
        """Returns the next part, the position of its last record, and whether it ends the file; None if time is up."""
        content = bytearray(b"" if row.etags else _export(row).head())
        after, records = row.after, self._records(row)
        while has_time():
            page = list(islice(records, READ_AT_ONCE))
            for record_row in page:
                metadata = with_quays_words(record_row.kind, json.loads(record_row.metadata), record_row.performer)
                content += record(record_row.kind, record_row.at, record_row.address, record_row.performer, metadata)
                after = record_row.sk
            if len(page) < READ_AT_ONCE:
                return bytes(content + END), after, True
            if len(content) >= PART_BYTES:
                return bytes(content), after, False
        return None

    def _records(self, row: ExportRow) -> Iterator[LogRow]:
        """Returns the records after those already written, oldest first."""
        runs = runs_of_repository(row.repository_id) if row.repository_id else runs_of_namespace(row.namespace_id)
        first = past(row.after) if row.after else Period(row.start, row.end).oldest
        lists = [self._usage_log.oldest(run, first, row.until, READ_AT_ONCE) for run in runs]
        return heapq.merge(*lists, key=lambda one: one.sk)

    def _settle(self, row: ExportRow, kind: str, details: dict[str, object]) -> Later | None:
        """Records the outcome, in the transaction that moves the export to its next state."""
        row.state = ExportState.TELLING if row.callback_url and row.state == ExportState.WRITING else ExportState.KEPT
        transaction = Transaction()
        self._store.put(transaction, row)
        self._usage_log.record(transaction, self._event(row, kind, details))
        transaction.commit()
        return Later(int(self._clock()) if row.state == ExportState.TELLING else row.ends_at)

    def _event(self, row: ExportRow, kind: str, details: dict[str, object]) -> Event:
        now = self._clock()
        metadata: dict[str, object] = {**json.loads(row.application), "namespace": row.namespace}
        metadata |= {"repo": row.repository} if row.repository else {}
        metadata |= {"url": row.callback_url} if row.callback_url else {}
        return Event(
            ulid(now),
            now,
            kind,
            row.namespace_id,
            row.repository_id,
            row.performer,
            row.address,
            {**metadata, **details},
        )

    def _call_back(self, row: ExportRow) -> Later | None:
        """Calls the callback of an export. It gives up after MOST_CALLS calls, and records that."""
        identifier = self._envelope().open(row.pk, row.key_id or "", row.sealed or b"")
        address = None if row.is_lost else f"{self._url}/exportedlogs/{identifier}"
        try:
            self._call(row.callback_url or "", _export(row).announcement(identifier, address))
        except Exception as error:  # noqa: BLE001 - any failure of a callback is retried
            row.calls += 1
            logger.info("export not told", target=row.target, calls=row.calls, why=type(error).__name__)
            if row.calls >= MOST_CALLS:
                return self._settle(row, FAILURE, {"error": f"the callback was not taken in {row.calls} calls"})
            self._store.save(row)
            return Later(int(self._clock()) + pause_s(row.calls))
        row.state = ExportState.KEPT
        self._store.save(row)
        return Later(row.ends_at)

    def _call(self, url: str, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        response = self._outgoing.request(OutgoingRequest("POST", url, headers, body, timeout_s=CALL_S))
        if not 200 <= response.status < 300:
            raise OutgoingFailed(f"the callback responded with {response.status}")

    def _expire(self, row: ExportRow) -> Later | None:
        if row.ends_at > self._clock():
            return Later(row.ends_at)
        self._objects.delete(bucket_keys.export(row.target))
        self._store.remove(row)
        return None


def _export(row: ExportRow) -> Export:
    return Export(row.start, row.end, row.namespace, row.repository)
