"""Storage of quotas, and of the sizes that they limit."""

import pytest

from chalicelib.domain import timers
from chalicelib.domain.quotas import Limit, Quota, Severity
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.accounts.quotas import linked_bytes, quota_of, room_of, set_quota, wake
from chalicelib.storage.table import Transaction, WriteConflict, get
from chalicelib.storage.timers import timer
from tests.support.backends import Backend
from tests.support.builders import a_blob
from tests.support.rows import due_at

QUOTA = Quota(7, 1000, (Limit(1, Severity.REJECT, 90),))


def test_a_quota_is_read_back_with_its_namespace(backend: Backend) -> None:
    key = keys.namespace(backend.account().id)
    row = get(NamespaceRow, key)
    assert row is not None
    assert quota_of(row) is None

    set_quota(row, QUOTA)
    row.save()
    assert quota_of(get(NamespaceRow, key)) == QUOTA
    set_quota(row, None)
    row.save()
    assert quota_of(get(NamespaceRow, key)) is None
    assert quota_of(None) is None


def test_the_bytes_of_all_repositories_are_summed_in_one_read(backend: Backend) -> None:
    for number in range(20):
        a_blob(backend, bytes([number]) * 10, f"admin/{number % 3}")
    identifier = backend.account().id
    backend.calls.take()

    assert linked_bytes(identifier) == 200
    assert backend.calls.take() == ["BatchGetItem"]
    assert linked_bytes("nobody") == 0


def test_of_two_concurrent_pushes_under_a_quota_one_is_a_write_conflict(backend: Backend) -> None:
    first, second = room_of("1"), room_of("1")
    transaction = Transaction()
    first.take(transaction)
    transaction.commit()

    transaction = Transaction()
    second.take(transaction)
    with pytest.raises(WriteConflict):
        transaction.commit()
    assert room_of("1").version == 1


def test_a_warning_and_a_push_do_not_conflict(backend: Backend) -> None:
    pushing, warning = room_of("1"), room_of("1")
    for write in (lambda it: pushing.take(it), lambda it: warning.warn(it, 50)):
        transaction = Transaction()
        write(transaction)
        transaction.commit()

    assert (room_of("1").version, room_of("1").warned) == (1, 50)


def test_one_check_of_the_limits_is_scheduled_for_many_pushes(backend: Backend) -> None:
    for now in (1000, 1030):
        wake("1", now)

    assert due_at(timers.QUOTA, "1") == 1060
    timer(timers.QUOTA, "1", 90_000).save()
    wake("1", 2000)
    assert due_at(timers.QUOTA, "1") == 2060
