"""One container has every store, each built on first use."""

from functools import cached_property

from chalicelib.storage.stores import Stores
from tests.support.backends import Backend


def test_every_store_is_built_on_first_use_and_kept(backend: Backend) -> None:
    stores = backend.stores_at(backend.clock)
    annotated = {
        name: value.func.__annotations__["return"]
        for name, value in vars(Stores).items()
        if isinstance(value, cached_property)
    }
    built = {name: getattr(stores, name) for name in annotated}

    assert len(built) > 20
    assert {name: type(store).__name__ for name, store in built.items()} == {
        name: kind if isinstance(kind, str) else kind.__name__ for name, kind in annotated.items()
    }
    assert all(getattr(stores, name) is store for name, store in built.items())


def test_a_container_shares_its_settings_and_its_clock(backend: Backend) -> None:
    stores = backend.stores_at(lambda: 7.0)

    assert stores.clock() == 7.0
    assert stores.settings is backend.settings
    assert stores.lease.seconds == backend.settings.lease_s
