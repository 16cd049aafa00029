"""Ends an operation before one of its AWS calls, like a process that dies there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from threading import get_ident
from uuid import uuid4

from botocore.exceptions import EndpointConnectionError
from pynamodb.signals import pre_dynamodb_send

from tests.support import invariants
from tests.support.backends import Backend

# Calls that change nothing: a crash before one of them leaves the same state as one before the next write.
READS = ("GetItem", "BatchGetItem", "Query", "Scan", "GetObject", "HeadObject", "ListObjectsV2", "ListParts")


class Crash(BaseException):
    """The process dies; no code may catch this."""


@contextmanager
def crash_before(backend: Backend, number: int) -> Iterator[None]:
    """Raises Crash before the call of this number, counted from 1."""
    numbers = count(1)

    def called(*_: object, **__: object) -> None:
        if next(numbers) == number:
            raise Crash

    with before_calls(backend, called):
        yield


@contextmanager
def crash_in_state(backend: Backend, number: int) -> Iterator[None]:
    """Raises Crash before the first call in the state of this number; state 1 is the first, each write begins one."""
    seen, is_new = 0, True

    def called(*_: object, operation_name: str = "", event_name: str = "", **__: object) -> None:
        nonlocal seen, is_new
        seen += is_new
        if seen == number:
            raise Crash
        is_new = (operation_name or event_name.rpartition(".")[2]) not in READS

    with before_calls(backend, called):
        yield


@contextmanager
def before_calls(backend: Backend, called: Callable[..., None]) -> Iterator[None]:
    """Calls `called` before every AWS call, with `operation_name` (DynamoDB) or `event_name` (S3)."""
    bucket_events, identity = backend.services.stores.objects.client.meta.events, uuid4().hex
    bucket_events.register("before-send.s3", called, unique_id=identity)
    try:
        with pre_dynamodb_send.connected_to(called):
            yield
    finally:
        bucket_events.unregister("before-send.s3", unique_id=identity)


@contextmanager
def silence(backend: Backend, what: str) -> Iterator[None]:
    """Deletes the `table`, or lets the `bucket` not answer."""
    if what == "table":
        backend.services.stores.table.connection.delete_table(backend.settings.table)
        yield
        return

    def refuse(*_: object, event_name: str = "", **__: object) -> None:
        if event_name:
            raise EndpointConnectionError(endpoint_url="http://nowhere.test")

    with before_calls(backend, refuse):
        yield


@contextmanager
def just_before_commit(backend: Backend, other: Callable[[], object]) -> Iterator[None]:
    """Runs another operation completely before the first transaction of this one."""
    begun: list[int] = []

    def called(*_: object, operation_name: str = "", **__: object) -> None:
        if operation_name == "TransactWriteItems" and not begun:
            begun.append(get_ident())
            other()

    with before_calls(backend, called):
        yield
    assert begun, "there was no transaction"


def crash_everywhere(backend: Backend, prepare: Callable[[int], Callable[[], object]]) -> int:
    """Crashes an operation in every state between its calls, and repeats it each time; returns the number of states.

    `prepare` prepares a round and returns the operation. The invariants are checked after every crash and repetition.
    """
    for number in count(1):
        operation = prepare(number)
        try:
            with crash_in_state(backend, number):
                operation()
        except Crash:
            invariants.check(backend)
            operation()
            invariants.check(backend)
        else:
            invariants.check(backend)
            return number - 1
    raise AssertionError("an operation ends")


@contextmanager
def meanwhile(backend: Backend, number: int, other: Callable[[], object]) -> Iterator[list[str]]:
    """Runs another operation completely before the call of this number; yields a list that has an entry once it ran."""
    numbers, done = count(1), list[str]()

    def called(*_: object, **__: object) -> None:
        if not done and next(numbers) == number:
            done.append("done")
            other()

    with before_calls(backend, called):
        yield done
