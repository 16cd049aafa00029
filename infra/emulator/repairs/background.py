"""Work beside the requests, on the emulator's one loop: what it does there waits for no lock and is never half done."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from infra.emulator.repairs.private import demand

Message = MutableMapping[str, Any]


def every(emulator: Any, seconds: float, work: Callable[[], None]) -> None:
    """Runs `work` every so many seconds, from the emulator's start to its end."""
    demand(emulator, "app")
    served = emulator.app

    async def with_work(
        scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        # ASGI: this scope lives as long as the server.
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
            # The emulator's own logger: a fault shows in its log, and the next round tries again.
            logging.getLogger("ministack").exception("what runs beside the requests failed")
