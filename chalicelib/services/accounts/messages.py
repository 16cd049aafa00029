"""Manages the messages that superusers publish to everybody."""

from contextlib import suppress
from uuid import uuid4

from chalicelib.domain.messages import Message, check_message
from chalicelib.domain.permissions import Actor
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.security.access import Access
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, WriteConflict

LONGEST_UUID = 100


class Messages:
    """Lists, publishes and removes messages."""

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores) -> None:
        self._access, self._usage_log, self._store, self._clock = access, usage_log, stores.messages, stores.clock

    def all(self) -> list[Message]:
        """Returns all messages, oldest first, for any caller."""
        return [row.to_message() for row in self._store.all()]

    def create(self, actor: Actor, content: str, severity: str, media_type: str) -> Message:
        """Publishes a message. Raises FieldInvalid, Unauthenticated, Denied."""
        superuser_id = self._access.superuser(actor)
        check_message(content, severity, media_type)
        message = Message(str(uuid4()), content, severity, media_type)
        transaction = Transaction()
        self._store.add(transaction, message, int(self._clock()))
        metadata = {"uuid": message.uuid, "severity": severity}
        self._usage_log.record_for_namespace(actor, transaction, "create_global_message", superuser_id, metadata)
        transaction.commit()
        return message

    def delete(self, actor: Actor, uuid: str) -> None:
        """Removes a message; does nothing if it does not exist. Raises Unauthenticated, Denied."""
        superuser_id = self._access.superuser(actor)
        if not 1 <= len(uuid) <= LONGEST_UUID:
            return
        transaction = Transaction()
        self._store.remove(transaction, uuid)
        self._usage_log.record_for_namespace(actor, transaction, "delete_global_message", superuser_id, {"uuid": uuid})
        with suppress(WriteConflict):
            transaction.commit()
