"""The place of a round, as it is kept."""

from chalicelib.storage.lifecycle.reconcile import ReconcileStore
from tests.support.backends import Backend


def test_a_round_that_nobody_began_stands_at_its_beginning(backend: Backend) -> None:
    place = ReconcileStore().place()

    assert (place.after, place.ended_at) == ("", 0)


def test_a_round_goes_on_where_it_was_left(backend: Backend) -> None:
    store = ReconcileStore()
    place = store.place()
    place.after, place.ended_at = "in/01/02", 7
    store.put(place)

    assert (store.place().after, store.place().ended_at) == ("in/01/02", 7)
