"""Places are shared so that nobody holds them all, and are free again whatever ends their holder."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from infra.local.places import Places


def run(what: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(what, 20))


async def hold(places: Places, holder: str, held: list[str], release: asyncio.Event) -> None:
    async with places.held_by(holder):
        held.append(holder)
        await release.wait()


def test_a_holder_has_at_most_its_share_and_others_find_a_place() -> None:
    async def scenario() -> tuple[list[str], list[str]]:
        held: list[str] = []
        places, release = Places(4, 2), asyncio.Event()
        tasks = [asyncio.create_task(hold(places, "mallory", held, release)) for _ in range(12)]
        await asyncio.sleep(0)
        tasks += [asyncio.create_task(hold(places, name, held, release)) for name in ("bob", "carol", "dave")]
        for _ in range(10):
            await asyncio.sleep(0)
        before = list(held)
        release.set()
        await asyncio.gather(*tasks)
        return before, held

    before, all_held = run(scenario())
    assert before == ["mallory", "mallory", "bob", "carol"]
    assert sorted(all_held) == ["bob", "carol", "dave", *["mallory"] * 12]


@pytest.mark.parametrize("end", [ValueError, asyncio.CancelledError])
def test_a_place_is_free_again_however_its_holder_ends(end: type[BaseException]) -> None:
    async def scenario() -> int:
        places, served = Places(1, 1), 0
        for _ in range(3):
            try:
                async with places.held_by("bob"):
                    served += 1
                    raise end
            except end:
                pass
        return served

    assert run(scenario()) == 3


def test_nothing_is_kept_of_holders_that_have_left() -> None:
    async def scenario() -> int:
        places = Places(4, 2)
        for number in range(100):
            async with places.held_by(f"account {number}"):
                pass
        return len(places._own)

    assert run(scenario()) <= 1
