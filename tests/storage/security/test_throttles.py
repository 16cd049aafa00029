"""Storage of throttles, which count attempts."""

import pytest

from chalicelib.storage.security.throttles import ThrottleStore
from tests.support.backends import Backend

STORE = ThrottleStore()


def test_a_throttle_without_attempts_has_no_row(backend: Backend) -> None:
    assert STORE.read(["bob", "carol"]) == [None, None]


def test_attempts_are_counted_up_to_a_limit(backend: Backend) -> None:
    rows = [STORE.enter("bob", 100, 2, 200) for _ in range(3)]

    assert [row.tries if row else None for row in rows] == [1, 2, None]


def test_opening_a_throttle_resets_its_count(backend: Backend) -> None:
    STORE.enter("bob", 100, 1, 200)
    STORE.count("bob", 3, 200)
    STORE.close("bob", 150)
    STORE.open("bob")

    assert STORE.enter("bob", 100, 1, 200) is not None


@pytest.mark.parametrize(("now", "is_open"), [(100.0, False), (100.4, False), (100.5, True), (101.0, True)])
def test_a_closed_throttle_opens_at_its_time(backend: Backend, now: float, is_open: bool) -> None:
    STORE.enter("bob", 99, 9, 200)
    STORE.close("bob", 100.5)

    assert (STORE.enter("bob", now, 9, 200) is not None) is is_open


def test_a_row_has_a_time_to_live(backend: Backend) -> None:
    STORE.enter("bob", 100, 9, 200)
    (row,) = STORE.read(["bob"])

    assert row is not None
    assert row.expires_at == 200
