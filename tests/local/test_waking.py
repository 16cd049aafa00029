"""A process that arms a timer wakes the clockwork."""

import os
import threading

import pytest

from chalicelib.domain.timers import EXPORT
from chalicelib.storage.table import Transaction, put_all
from chalicelib.storage.timers import TimerStore, timer
from infra.local.waking import after_arming, bell, listen, ring
from tests.support.backends import Backend
from tests.support.builders import push_image


@pytest.fixture
def wakes(backend: Backend) -> list[str]:
    """Returns a list that gets the names of the AWS calls that were made before each wake."""
    found: list[str] = []
    after_arming(backend.services.stores.table.connection.client, lambda: found.append(backend.calls.names[-1]))
    backend.calls.take()
    return found


def test_every_way_of_writing_a_timer_wakes_after_the_write(backend: Backend, wakes: list[str]) -> None:
    row = timer(EXPORT, "1", 10)
    row.save()
    put_all([row])
    transaction = Transaction()
    transaction.put(row)
    transaction.commit()
    assert TimerStore().move(row, 20, "", 0)

    assert wakes == ["PutItem", "BatchWriteItem", "TransactWriteItems", "UpdateItem"]


def test_a_push_wakes_and_neither_reads_nor_writes_of_other_rows_do(backend: Backend, wakes: list[str]) -> None:
    push_image(backend, "v1")
    assert wakes
    wakes.clear()

    backend.user("bob")
    backend.services.lifecycle.timers.run(lambda: 60.0)
    row = timer(EXPORT, "1", 10)
    TimerStore().end(row)

    assert wakes == []


def test_a_bell_that_nobody_hears_never_blocks_and_is_heard_later() -> None:
    heard, rung = bell()
    for _ in range(100_000):
        ring(rung)
    woken = threading.Event()
    listener = threading.Thread(target=listen, args=(heard, woken.set))
    listener.start()
    assert woken.wait(10)
    woken.clear()
    ring(rung)
    assert woken.wait(10)

    os.close(rung)
    listener.join(10)
    assert not listener.is_alive()
    os.close(heard)
