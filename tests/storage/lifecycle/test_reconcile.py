"""Storage of the progress of the search for orphans."""

from chalicelib.storage.lifecycle.reconcile import ReconcileStore
from tests.support.backends import Backend


def test_without_a_round_the_search_is_at_its_beginning(backend: Backend) -> None:
    place = ReconcileStore().place()

    assert (place.after, place.ended_at) == ("", 0)


def test_a_round_continues_where_it_stopped(backend: Backend) -> None:
    store = ReconcileStore()
    place = store.place()
    place.after, place.ended_at = "in/01/02", 7
    store.put(place)

    assert (store.place().after, store.place().ended_at) == ("in/01/02", 7)
