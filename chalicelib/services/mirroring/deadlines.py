"""Waits for another registry no longer than whoever asked can wait."""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from typing import TypeVar

from chalicelib.domain.errors.upstreams import UpstreamSlow

T = TypeVar("T")


def within(seconds: float, ask: Callable[[], T]) -> T:
    """Returns the answer, or raises UpstreamSlow if it takes longer; the thread then ends by itself."""
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except Exception as error:  # noqa: BLE001 - it is raised by whoever waits
            answer.set_exception(error)

    Thread(target=run, name="upstream", daemon=True).start()
    with suppress(TimeoutError):
        return answer.result(seconds)
    raise UpstreamSlow(seconds)
