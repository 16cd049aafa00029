"""ministack, saving its state every few seconds; by itself it saves only at a clean stop.

Run by ministack's own Python. It touches a private name of ministack 1.5.33, which requirements/ministack.txt pins.
"""

import asyncio
import importlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

SNAPSHOT_S = 20.0
Message = MutableMapping[str, Any]


def main() -> None:
    """Serves like `python -m ministack`, and saves beside that."""
    ministack: Any = importlib.import_module("ministack.app")
    served = ministack.app
    running: list[asyncio.Task[None]] = []

    async def with_snapshots(
        scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if scope["type"] == "lifespan":
            running.append(asyncio.create_task(_save_again_and_again(ministack)))
        await served(scope, receive, send)

    ministack.app = with_snapshots
    ministack.main()


async def _save_again_and_again(ministack: Any) -> None:
    while True:
        await asyncio.sleep(SNAPSHOT_S)
        ministack.save_all(ministack._build_persistence_save_dict())  # noqa: SLF001  (there is no public way)


if __name__ == "__main__":
    main()
