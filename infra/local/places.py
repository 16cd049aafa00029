"""Shares a few places among those who ask for them, so that nobody can hold them all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Places:
    """A number of places, of which each holder has at most a share; whoever finds none waits for one."""

    def __init__(self, count: int, share: int) -> None:
        self._free, self._share = asyncio.Semaphore(count), share
        # A holder's semaphore lives as long as somebody holds or awaits one of its places.
        self._own: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def held_by(self, holder: str) -> AsyncIterator[None]:
        """Holds a place for a holder, after waiting first for their own share and then for a free place."""
        own = self._own.setdefault(holder, asyncio.Semaphore(self._share))
        async with own, self._free:
            yield
