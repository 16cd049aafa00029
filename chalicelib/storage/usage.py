"""The usage log and the outbox as they are kept."""

import json

from pynamodb.attributes import UnicodeAttribute

from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer, OptionalInteger, OptionalText
from chalicelib.storage.table import Row, Transaction, put_all


class LogRow(Row):
    """One record of the usage log. `metadata` is JSON."""

    at = Integer()
    kind = UnicodeAttribute()
    namespace_id = UnicodeAttribute()
    repository_id = OptionalText()
    performer = UnicodeAttribute()
    address = UnicodeAttribute()
    metadata = UnicodeAttribute()
    version = Integer(default=1)
    expires_at = OptionalInteger()
    view = UnicodeAttribute()
    view_at = UnicodeAttribute()


class OutboxRow(Row):
    """An event that someone waits for. No TTL: it goes when it has been handed on."""

    kind = UnicodeAttribute()
    event = UnicodeAttribute()
    due = UnicodeAttribute()
    due_at = Integer()


class UsageStore:
    """The usage log in the table. `retention_s` is how long a record stays."""

    def __init__(self, retention_s: int) -> None:
        self._retention_s = retention_s

    def record(self, transaction: Transaction, event: Event, waits: set[str] | None = None) -> None:
        """Writes what happened in the transaction that lets it happen, and for whom waits once more."""
        transaction.put(self._log_row(event, "c"))
        notified = events.NOTIFIED.get(event.kind)
        if notified and waits and notified in waits:
            transaction.put(_outbox_row(event, notified))

    def write_pulls(self, pulls: list[Event]) -> None:
        """Writes records of pulls, 25 a call; one written twice is written once."""
        put_all(self._log_row(pull, "p#0") for pull in pulls)

    def _log_row(self, event: Event, shard: str) -> LogRow:
        key = keys.log(event.namespace_id, event.repository_id, event.at, shard, event.id)
        return LogRow.under(
            key,
            at=int(event.at),
            kind=event.kind,
            namespace_id=event.namespace_id,
            repository_id=event.repository_id,
            performer=event.performer,
            address=event.address,
            metadata=json.dumps(event.metadata, separators=(",", ":")),
            expires_at=int(event.at) + self._retention_s,
            view=key[0],
            view_at=key[1],
        )


def _outbox_row(event: Event, notified: str) -> OutboxRow:
    body = {"id": event.id, "at": event.at, "kind": event.kind, "metadata": event.metadata}
    body |= {"namespace": event.namespace_id, "repository": event.repository_id, "performer": event.performer}
    return OutboxRow.under(
        keys.outbox(event.id),
        kind=notified,
        event=json.dumps(body),
        due=keys.due("outbox", event.id),
        due_at=int(event.at),
    )
