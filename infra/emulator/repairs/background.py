"""Runs work on the emulator's one event loop, between requests, where it needs no lock and nobody sees it half done."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from infra.emulator.repairs.private import demand

Message = MutableMapping[str, Any]


def every(emulator: Any, seconds: float, work: Callable[[], None]) -> None:
    """Runs `work` every so many seconds while the emulator runs."""
    demand(emulator, "app")
    served = emulator.app

    async def with_work(
        scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        # ASGI's scope `lifespan` lasts as long as the server.
        if scope["type"] != "lifespan":
            await served(scope, receive, send)
            return
        task = asyncio.create_task(_again_and_again(seconds, work))
        try:
            await served(scope, receive, send)
        finally:
            task.cancel()

    emulator.app = with_work


async def _again_and_again(seconds: float, work: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            work()
        except Exception:
            # The error goes to the emulator's own log, and the next round tries again.
            logging.getLogger("ministack").exception("background work failed")
