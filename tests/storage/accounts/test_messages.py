"""Storage of messages to all users."""

import pytest

from chalicelib.domain.messages import Message
from chalicelib.storage.accounts.messages import MessageStore
from chalicelib.storage.table import Transaction, WriteConflict
from tests.support.backends import Backend


def test_messages_are_listed_in_the_order_of_their_creation(backend: Backend) -> None:
    store = MessageStore()
    for number, uuid in ((2, "a"), (1, "b")):
        transaction = Transaction()
        store.add(transaction, Message(uuid, "hello", "info", "text/plain"), number)
        transaction.commit()

    assert [row.to_message() for row in store.all()] == [
        Message("b", "hello", "info", "text/plain"),
        Message("a", "hello", "info", "text/plain"),
    ]


def test_a_missing_message_cannot_be_removed(backend: Backend) -> None:
    transaction = Transaction()
    MessageStore().remove(transaction, "a")

    with pytest.raises(WriteConflict):
        transaction.commit()
