"""Finds the tag by which a manifest was pulled: docker and containerd HEAD the tag, and then GET the digest it named.

A lookup is remembered by the process that answered it, and written for the others. On AWS, one whose token may push is
not: each push looks up its tags, and a client that pulls asks for a token to pull. With `hourly`, a lookup is written
once an hour, and read once an hour for a digest that is pulled.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from chalicelib.domain.pulls import LOOKUP_S, Puller, hour_of
from chalicelib.storage.activity.lookups import LookupStore
from chalicelib.telemetry import logger

REMEMBERED = 20_000
V = TypeVar("V")


class Recent(Generic[V]):
    """The last values that a process stored; the oldest is dropped first."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self._limit, self._lock = limit, threading.Lock()

    def put(self, key: Hashable, value: V) -> None:
        """Stores a value, as the newest."""
        with self._lock:
            self._values.pop(key, None)
            self._append(key, value)

    def add(self, key: Hashable, value: V) -> bool:
        """Stores a value unless the key has one. Returns whether it was stored."""
        with self._lock:
            if key in self._values:
                return False
            self._append(key, value)
            return True

    def _append(self, key: Hashable, value: V) -> None:
        self._values[key] = value
        if len(self._values) > self._limit:
            self._values.popitem(last=False)

    def get(self, key: Hashable) -> V | None:
        """Returns a value; None if it was not stored, or dropped."""
        return self._values.get(key)

    def take(self, key: Hashable) -> V | None:
        """Removes a value and returns it."""
        with self._lock:
            return self._values.pop(key, None)


class Lookups:
    """The lookups of tags. They never make a request fail: an error of the table only goes to the log.

    `writes_pushers` tells whether lookups whose token may push are written, too.
    """

    def __init__(
        self, store: LookupStore, hourly: bool, clock: Callable[[], float], *, writes_pushers: bool = False
    ) -> None:
        self._store, self._hourly, self._clock, self._writes_pushers = store, hourly, clock, writes_pushers
        self._last: Recent[tuple[str, float]] = Recent()
        self._written: Recent[bool] = Recent()
        self._read: Recent[str] = Recent()

    def add(self, puller: Puller, tag: str, digest: str, *, may_push: bool) -> None:
        """Remembers that a puller, whose token may push or not, looked up a tag that names a digest."""
        now = self._clock()
        self._last.put((puller, digest), (tag, now))
        key = puller, digest, tag, hour_of(now)
        is_private = may_push and not self._writes_pushers
        if is_private or (self._hourly and self._written.get(key)):
            return
        try:
            self._store.put(puller, digest, tag, int(now))
        except Exception:  # noqa: BLE001 - a failed record never makes a lookup fail
            logger.exception("lookup not recorded")
            return
        self._written.put(key, True)

    def tag_of(self, puller: Puller, digest: str) -> str:
        """Returns the tag that a puller of a digest has looked up before; empty if there is none.

        With `hourly`, the answer is the same for the whole hour unless another lookup comes; otherwise a lookup is for
        one pull.
        """
        now, key = self._clock(), (puller, digest)
        last = self._last.get(key) if self._hourly else self._last.take(key)
        if last is not None and now - last[1] < LOOKUP_S:
            return last[0]
        found = self._read.get((key, hour_of(now))) if self._hourly else None
        if found is None:
            found = self._stored(puller, digest, now)
            self._read.put((key, hour_of(now)), found)
        return found

    def _stored(self, puller: Puller, digest: str, now: float) -> str:
        try:
            row = self._store.get(puller, digest)
        except Exception:  # noqa: BLE001 - a failed read never makes a pull fail
            logger.exception("lookup not read")
            return ""
        if row is None or now - row.at >= LOOKUP_S:
            return ""
        used = puller, digest, row.tag, row.at
        is_used = not self._hourly and self._read.get(used) is not None
        self._read.put(used, row.tag)
        return "" if is_used else row.tag
