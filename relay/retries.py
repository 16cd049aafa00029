"""How long one tries again what an outage or a cut may have broken."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

import requests

from relay.errors import Unavailable

T = TypeVar("T")
FIRST_S, LONGEST_S = 0.5, 15.0
# What another attempt may mend.
TRANSIENT = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError, Unavailable)


class Backoff:
    """Waits that double, each with some chance in it, until nothing has worked for `seconds`."""

    def __init__(self, seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
        self._seconds, self._sleep = seconds, sleep
        self.restart()

    def restart(self) -> None:
        """Something worked: the time begins anew."""
        self._next_s, self._until = FIRST_S, time.monotonic() + self._seconds

    def wait(self) -> bool:
        """Waits before another attempt; False, at once, when there shall be none."""
        left = self._until - time.monotonic()
        if left <= 0:
            return False
        self._sleep(min(left, self._next_s * random.uniform(0.5, 1)))  # noqa: S311  (spreads clients, keeps no secret)
        self._next_s = min(LONGEST_S, self._next_s * 2)
        return True

    def run(self, attempt: Callable[[], T]) -> T:
        """What `ask` gives in the end. Raises what the last attempt raised."""
        while True:
            try:
                result = attempt()
            except TRANSIENT:
                if not self.wait():
                    raise
            else:
                self.restart()
                return result
