"""Wakes the clockwork when a process of the stack arms a timer, so that it may rest while nothing is due.

The workers write a byte into a pipe that the supervisor opened; only the clockwork reads it.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from chalicelib.storage import keys

WRITES = ("PutItem", "UpdateItem", "BatchWriteItem", "TransactWriteItems")
# How the key of any timer begins in a request to DynamoDB.
TIMER = f'"{keys.timer("", "")[0].partition("#")[0]}#'.encode()
ARMS = "arms a timer"


def after_arming(client: Any, wake: Callable[[], None]) -> None:
    """Lets a client of DynamoDB call `wake` after each write of a timer, whoever makes it."""

    def note(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        context[ARMS] = TIMER in params["body"]

    def tell(context: dict[str, Any], **_: object) -> None:
        if context.get(ARMS):
            wake()

    for write in WRITES:
        client.meta.events.register(f"before-call.dynamodb.{write}", note)
        client.meta.events.register(f"after-call.dynamodb.{write}", tell)


def ring(descriptor: int) -> None:
    """Writes into the pipe. If it is full, the clockwork has enough to read."""
    with suppress(BlockingIOError):
        os.write(descriptor, b"\0")


def listen(descriptor: int, wake: Callable[[], None]) -> None:
    """Calls `wake` after each write into the pipe, until its last writer closes it."""
    while os.read(descriptor, 4096):
        wake()


def bell() -> tuple[int, int]:
    """Opens the pipe; returns the ends to read from and to write into."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    return reader, writer
