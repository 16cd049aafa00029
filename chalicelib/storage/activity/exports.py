"""Files of the usage log while they are written and kept."""

import json
from enum import StrEnum

from pynamodb.attributes import UnicodeAttribute

from chalicelib.storage import keys
from chalicelib.storage.attributes import EnumText, Integer, OptionalBytes, OptionalText
from chalicelib.storage.table import Row, Transaction, absent, get


class ExportState(StrEnum):
    """Being written, being told to whom it was made for, and kept until its end."""

    WRITING = "writing"
    TELLING = "telling"
    KEPT = "kept"


class ExportRow(Row):
    """A file, how far it is written, and whom it is told to.

    `after` is the ULID of the last record that a part holds, `until` the last that the file shall hold; `parts` are the
    ETags of its parts, in JSON, `begun` how often they were begun anew. `sealed` is what opens the file, kept for whom
    it is told to. No TTL: its timer ends it.
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
    # What the usage log tells of the token that asked, in JSON.
    application = UnicodeAttribute(default="{}")
    callback_url = OptionalText()
    key_id = OptionalText()
    sealed = OptionalBytes()
    calls = Integer(default=0)
    ends_at = Integer()
    version = Integer(default=0)

    @property
    def target(self) -> str:
        """What its timer is for, and its key in the bucket is made of."""
        return keys.export_target(self.pk)

    @property
    def etags(self) -> list[str]:
        """The ETags of its parts, in order."""
        found: list[str] = json.loads(self.parts)
        return found

    def add_part(self, etag: str, after: str, *, is_whole: bool) -> None:
        """Notes a part that was written, with the last record that it holds."""
        self.parts, self.after, self.is_whole = json.dumps([*self.etags, etag]), after, int(is_whole)

    def begin_anew(self) -> None:
        """Forgets every part."""
        self.multipart_id, self.parts, self.after, self.is_whole = "", "[]", "", 0
        self.begun += 1


class ExportStore:
    """Files in the table."""

    def find(self, target: str) -> ExportRow | None:
        """A file by the hash of what opens it."""
        return get(ExportRow, keys.export(target))

    def add(self, transaction: Transaction, row: ExportRow) -> None:
        """Adds a new one to a transaction."""
        transaction.put(row, absent())

    def put(self, transaction: Transaction, row: ExportRow) -> None:
        """Adds a change of one to a transaction, on condition that nobody changed it since it was read."""
        read, row.version = row.version, row.version + 1
        transaction.put(row, ExportRow.version == read)

    def save(self, row: ExportRow) -> None:
        """Writes a change of one by itself. Raises WriteConflict when somebody changed it since it was read."""
        transaction = Transaction()
        self.put(transaction, row)
        transaction.commit()

    def remove(self, row: ExportRow) -> None:
        """Forgets one."""
        row.delete()
