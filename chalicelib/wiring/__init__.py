"""Builds the services from the stores: once per cold start, on first use, in one container for each room.

Modules that no pull needs are imported when their service is built, since each costs a cold start a millisecond or two.
"""

import time
from collections.abc import Callable
from functools import cache, cached_property
from typing import TYPE_CHECKING

from chalicelib.settings import Settings, settings
from chalicelib.storage.stores import Stores
from chalicelib.wiring.accounts import AccountsRoom
from chalicelib.wiring.activity import ActivityRoom
from chalicelib.wiring.identity import IdentityRoom
from chalicelib.wiring.registry import RegistryRoom
from chalicelib.wiring.security import SecurityRoom

if TYPE_CHECKING:
    from chalicelib.wiring.catalog import CatalogRoom
    from chalicelib.wiring.lifecycle import LifecycleRoom
    from chalicelib.wiring.mirroring import MirroringRoom


class Services:
    """All services of a process over one table, one bucket and one set of keys, by room."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.settings, self.stores = settings, Stores(settings, clock)
        self.security = SecurityRoom(self.stores)
        self.activity = ActivityRoom(self.stores, self.security)
        self.accounts = AccountsRoom(self.stores, self.security, self.activity)
        self.identity = IdentityRoom(self.stores, self.security, self.activity, self.accounts)
        self.registry = RegistryRoom(self.stores, self.security, self.activity, self.accounts)

    @cached_property
    def lifecycle(self) -> "LifecycleRoom":
        """How tags and repositories expire, are deleted, restored and collected."""
        from chalicelib.wiring.lifecycle import LifecycleRoom

        return LifecycleRoom(self.stores, self)

    @cached_property
    def mirroring(self) -> "MirroringRoom":
        """Repositories that are copied from other registries."""
        from chalicelib.wiring.mirroring import MirroringRoom

        return MirroringRoom(self.stores, self.security, self.activity, self.registry)

    @cached_property
    def catalog(self) -> "CatalogRoom":
        """Lists, search, stars and health."""
        from chalicelib.wiring.catalog import CatalogRoom

        return CatalogRoom(self.stores, self.security, self.activity)


@cache
def services() -> Services:
    """Returns the services of this process, built with its settings."""
    return Services(settings())
