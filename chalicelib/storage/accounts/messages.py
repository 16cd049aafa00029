"""Stores messages to all users."""

from pynamodb.attributes import UnicodeAttribute

from chalicelib.domain.messages import Message
from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer
from chalicelib.storage.table import Row, Transaction, absent, query


class MessageRow(Row):
    """A message to all users."""

    uuid = UnicodeAttribute()
    content = UnicodeAttribute()
    severity = UnicodeAttribute()
    media_type = UnicodeAttribute()
    created_at = Integer()

    def to_message(self) -> Message:
        """Returns the message as a value of the domain."""
        return Message(self.uuid, self.content, self.severity, self.media_type)


class MessageStore:
    """The messages in the table."""

    def all(self) -> list[MessageRow]:
        """Returns all messages, oldest first."""
        return sorted(query(MessageRow, keys.message()), key=lambda row: (row.created_at, row.uuid))

    def add(self, transaction: Transaction, message: Message, now: int) -> None:
        """Writes a new message."""
        row = MessageRow.under(
            keys.message(message.uuid),
            uuid=message.uuid,
            content=message.content,
            severity=message.severity,
            media_type=message.media_type,
            created_at=now,
        )
        transaction.put(row, absent())

    def remove(self, transaction: Transaction, uuid: str) -> None:
        """Removes a message if it exists."""
        transaction.delete(MessageRow.under(keys.message(uuid)), MessageRow.pk.exists())
