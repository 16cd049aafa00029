"""Tests that the places of a relay are shared among accounts."""

import threading

import pytest

from relay.errors import NoPlace
from relay.places import Places


def test_a_holder_has_at_most_its_share_and_others_find_a_place() -> None:
    places, release, held = Places(3, 2, 60), threading.Event(), threading.Semaphore(0)

    def hold() -> None:
        with places.held_by("mallory"):
            held.release()
            release.wait(20)

    threads = [threading.Thread(target=hold) for _ in range(12)]
    for thread in threads:
        thread.start()
    assert held.acquire(timeout=20)
    assert held.acquire(timeout=20)
    with places.held_by("bob"):
        assert not held.acquire(timeout=0.05)
    release.set()
    for thread in threads:
        thread.join(20)

    assert not any(thread.is_alive() for thread in threads)
    assert not places._held


def test_who_waited_long_enough_is_turned_away_and_a_free_place_is_taken() -> None:
    places = Places(1, 1, 0.05)

    with places.held_by("mallory"), pytest.raises(NoPlace, match="try again"), places.held_by("bob"):
        pass

    with places.held_by("bob"):
        assert places._held == {"bob": 1}
