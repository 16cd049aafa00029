"""The stores of a process, over one table and one bucket."""

from chalicelib.storage.stores import Stores
from tests.support.backends import Backend


def test_every_store_is_created_once_and_clock_and_lease_are_those_of_the_settings(backend: Backend) -> None:
    stores = backend.services.stores
    names = [name for name in (*vars(Stores), *vars(stores)) if not name.startswith("_")]

    assert len(names) > 30
    assert {name for name in names if getattr(stores, name) is not getattr(stores, name)} == set()
    assert (stores.clock, stores.lease.seconds) == (backend.clock, backend.settings.lease_s)
