"""Attempts as they are counted."""

import pytest

from chalicelib.storage.security.throttles import ThrottleStore
from tests.support.backends import Backend

STORE = ThrottleStore()


def test_a_sign_in_that_nobody_failed_has_no_row(backend: Backend) -> None:
    assert STORE.read(["bob", "carol"]) == [None, None]


def test_attempts_are_counted_up_to_a_limit(backend: Backend) -> None:
    entered = [STORE.enter("bob", 100, 2, 200) for _ in range(3)]

    assert [row.tries if row else None for row in entered] == [1, 2, None]


def test_a_sign_in_that_succeeds_forgets_what_was_counted(backend: Backend) -> None:
    STORE.enter("bob", 100, 1, 200)
    STORE.count("bob", 3, 200)
    STORE.close("bob", 150)
    STORE.open("bob")

    assert STORE.enter("bob", 100, 1, 200) is not None


@pytest.mark.parametrize(("now", "is_open"), [(100.0, False), (100.4, False), (100.5, True), (101.0, True)])
def test_a_closed_sign_in_opens_at_its_time(backend: Backend, now: float, is_open: bool) -> None:
    STORE.enter("bob", 99, 9, 200)
    STORE.close("bob", 100.5)

    assert (STORE.enter("bob", now, 9, 200) is not None) is is_open


def test_a_row_goes_by_itself(backend: Backend) -> None:
    STORE.enter("bob", 100, 9, 200)
    (row,) = STORE.read(["bob"])

    assert row is not None
    assert row.expires_at == 200
