"""Shares the few bodies that a relay receives at once among accounts, so that none of them holds every place."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from relay.errors import NoPlace


class Places:
    """A number of places, of which each holder has at most a share; whoever finds none waits for one.

    Who has waited `patience_s` seconds is turned away.
    """

    def __init__(self, count: int, share: int, patience_s: float) -> None:
        self._count, self._share, self._patience_s = count, share, patience_s
        self._held: Counter[str] = Counter()
        self._changed = threading.Condition()

    @contextmanager
    def held_by(self, holder: str) -> Iterator[None]:
        """Holds a place for a holder. Raises NoPlace."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._has_place(holder), self._patience_s):
                raise NoPlace
            self._held[holder] += 1
        try:
            yield
        finally:
            with self._changed:
                self._held -= Counter({holder: 1})
                self._changed.notify_all()

    def _has_place(self, holder: str) -> bool:
        return self._held.total() < self._count and self._held[holder] < self._share
