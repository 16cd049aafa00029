"""Stores exports of the usage log, from the request until they are removed."""

import json
from enum import StrEnum

from pynamodb.attributes import UnicodeAttribute

from chalicelib.storage import keys
from chalicelib.storage.attributes import EnumText, Integer, OptionalBytes, OptionalText
from chalicelib.storage.table import Row, Transaction, absent, get


class ExportState(StrEnum):
    """The state of an export: being written, being reported to its requester, or kept until its end."""

    WRITING = "writing"
    TELLING = "telling"
    KEPT = "kept"


class ExportRow(Row):
    """An export, how far it is written, and where its URL is reported.

    `after` is the ULID of the last record in a written part, `until` that of the last record of the export. `parts` is
    a JSON list of ETags, `begun` counts restarts. `sealed` is the sealed secret of its URL, kept until it is reported.
    The row has no TTL; a timer removes it.
    """

    state = EnumText(ExportState, default=ExportState.WRITING)
    namespace_id = UnicodeAttribute()
    namespace = UnicodeAttribute()
    repository_id = OptionalText()
    repository = OptionalText()
    start = Integer()
    end = Integer()
    until = UnicodeAttribute()
    after = UnicodeAttribute(default="")
    is_whole = Integer(default=0)
    is_lost = Integer(default=0)
    begun = Integer(default=0)
    multipart_id = UnicodeAttribute(default="")
    parts = UnicodeAttribute(default="[]")
    performer = UnicodeAttribute()
    address = UnicodeAttribute()
    # What the usage log records about the requester's token, as JSON.
    application = UnicodeAttribute(default="{}")
    callback_url = OptionalText()
    key_id = OptionalText()
    sealed = OptionalBytes()
    calls = Integer(default=0)
    ends_at = Integer()
    version = Integer(default=0)

    @property
    def target(self) -> str:
        """The target of its timer, and the end of its key in the bucket."""
        return keys.export_target(self.pk)

    @property
    def etags(self) -> list[str]:
        """The ETags of its parts, in order."""
        etags: list[str] = json.loads(self.parts)
        return etags

    def add_part(self, etag: str, after: str, *, is_whole: bool) -> None:
        """Adds a written part; `after` is its last record."""
        self.parts, self.after, self.is_whole = json.dumps([*self.etags, etag]), after, int(is_whole)

    def begin_anew(self) -> None:
        """Discards every part, to write them again."""
        self.multipart_id, self.parts, self.after, self.is_whole = "", "[]", "", 0
        self.begun += 1


class ExportStore:
    """The exports in the table."""

    def find(self, target: str) -> ExportRow | None:
        """Returns an export by the hash of the secret in its URL."""
        return get(ExportRow, keys.export(target))

    def add(self, transaction: Transaction, row: ExportRow) -> None:
        """Writes a new export."""
        transaction.put(row, absent())

    def put(self, transaction: Transaction, row: ExportRow) -> None:
        """Writes an export if it still has the version that was read."""
        read, row.version = row.version, row.version + 1
        transaction.put(row, ExportRow.version == read)

    def save(self, row: ExportRow) -> None:
        """Writes an export in a transaction of its own. Raises WriteConflict when it changed since it was read."""
        transaction = Transaction()
        self.put(transaction, row)
        transaction.commit()

    def remove(self, row: ExportRow) -> None:
        """Removes an export."""
        row.delete()
