"""Leases."""

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.leases import Lease


def test_a_lease_ends_its_length_after_now_in_whole_seconds() -> None:
    assert Lease(3600).until(1000.9) == 4600


def test_a_lease_is_short_when_less_than_half_is_left() -> None:
    lease = Lease(100)

    assert not lease.is_short(1050, 1000)
    assert lease.is_short(1049, 1000)


def test_an_ended_lease_is_short() -> None:
    assert Lease(100).is_short(900, 1000)


@given(st.integers(2, 10**6), st.integers(0, 4 * 10**9))
def test_a_fresh_lease_is_never_short(seconds: int, now: int) -> None:
    lease = Lease(seconds)

    assert not lease.is_short(lease.until(now), now)
