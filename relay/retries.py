"""Retries of requests that failed because of an outage or a broken connection."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

import requests

from relay.errors import Unavailable

T = TypeVar("T")
FIRST_S, LONGEST_S = 0.5, 15.0
# The errors after which a retry may succeed.
TRANSIENT = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError, Unavailable)


class Backoff:
    """Exponential backoff with jitter, which gives up when no attempt has succeeded for `seconds`."""

    def __init__(self, seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
        self._seconds, self._sleep = seconds, sleep
        self.restart()

    def restart(self) -> None:
        """Starts the time anew after a success."""
        self._next_s, self._until = FIRST_S, time.monotonic() + self._seconds

    def wait(self) -> bool:
        """Waits before the next attempt; returns False at once if the time is over."""
        left = self._until - time.monotonic()
        if left <= 0:
            return False
        self._sleep(min(left, self._next_s * random.uniform(0.5, 1)))  # noqa: S311  (the jitter is no secret)
        self._next_s = min(LONGEST_S, self._next_s * 2)
        return True

    def run(self, attempt: Callable[[], T]) -> T:
        """Retries `attempt` and returns its result. Raises what the last attempt raised."""
        while True:
            try:
                result = attempt()
            except TRANSIENT:
                if not self.wait():
                    raise
            else:
                self.restart()
                return result
