"""One blob from a file into the registry, past all limits of bodies, with no right but its pusher's own.

The registry grants presigned addresses: one PUT whose checksum S3 verifies up to 5 GB, and parts above, whose bytes the
registry hashes itself before the blob becomes visible. What breaks is tried again, from the part that broke.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import requests

from relay.auth import Credentials
from relay.errors import RelayError, Unavailable
from relay.progress import Line
from relay.registry import Json, Outdated, Registry, put_object
from relay.resume import Ledger
from relay.retries import Patience
from relay.slices import Slice, Window

# Parts that are on their way at once.
PARALLEL = 2
# Presigned addresses are good for ten minutes; older than this they are not begun with, in seconds.
FRESH_S = 300
# How often in a row S3 may call a new address outdated.
OUTDATED = 3
# How long the registry may hash without getting further, in seconds.
HASHING_S = 900
ASK_AGAIN_S = 1.0


@dataclass(slots=True)
class Delivery:
    """A blob on its way. `credentials` gives the pusher's of the moment, `patience_s` are seconds."""

    registry: Registry
    ledger: Ledger
    source: Slice
    digest: str
    credentials: Callable[[], Credentials]
    patience_s: float
    line: Line
    # The last grant, with a token that outlives the pusher's own.
    granted: Json = field(default_factory=dict)

    def send(self) -> Mapping[str, str]:
        """Brings it there and gives the headers of the 201. Raises Refused, RelayError, requests.RequestException."""
        if not self.ledger.is_put:
            told = self._offer(1)
            if told["way"] == "put":
                self._put(told)
            else:
                self._put_parts(told)
            self.ledger.is_put = True
            self.ledger.write()
        return self._complete()

    def _patience(self) -> Patience:
        return Patience(self.patience_s)

    def _offer(self, first: int) -> Json:
        location, size = self.ledger.location, self.source.size
        self.granted = self._patience().over(
            lambda: self.registry.offer(location, self._shown(), self.digest, size, first)
        )
        self.ledger.location = f"{location.rpartition('/')[0]}/{self.granted['upload']}"
        self.ledger.write()
        return self.granted

    def _shown(self) -> Credentials:
        return self.credentials().prolonged(self.granted)

    def _put(self, told: Json) -> None:
        """All in one: what breaks is sent again from its beginning, to an address of its own."""
        addresses = iter([told])

        def attempt() -> str:
            now = next(addresses, None) or self._offer(1)
            return self._send(self.source, now["address"], now["headers"])

        _persist(self._patience(), attempt)

    def _send(self, source: Slice, address: str, headers: Mapping[str, str] | None = None) -> str:
        with Window(source, self.line.advance) as window:
            try:
                return put_object(self.registry.session, address, window, headers)
            except BaseException:
                self.line.advance(-window.taken)
                raise

    def _put_parts(self, told: Json) -> None:
        size = int(told["part_size"])
        if self.ledger.part_size != size:
            self.ledger.part_size, self.ledger.parts = size, {}
        parts = range(1, -(-self.source.size // size) + 1)
        self.line.advance(sum(self._part(number).size for number in parts if number in self.ledger.parts))
        addresses = Addresses(self._offer, told["parts"])
        written = threading.Lock()

        def bring(number: int) -> None:
            etag = _persist(self._patience(), lambda: self._send(self._part(number), addresses.of(number)))
            with written:
                self.ledger.parts[number] = etag
                self.ledger.write()

        _in_parallel(bring, [number for number in parts if number not in self.ledger.parts])

    def _part(self, number: int) -> Slice:
        return self.source.part((number - 1) * self.ledger.part_size, self.ledger.part_size)

    def _complete(self) -> Mapping[str, str]:
        """Asks until the blob is visible: above 5 GB the registry hashes it first."""
        parts, hashing = sorted(self.ledger.parts.items()), Hashing()

        def ask() -> requests.Response:
            location, size = self.ledger.location, self.source.size
            return self.registry.complete(location, self._shown(), self.digest, size, parts)

        while True:
            answer = self._patience().over(ask)
            if answer.status_code == requests.codes.created:
                return answer.headers
            hashing.has(int(answer.json().get("hashed", 0)), self.source.size)
            self.line.say(f"the registry has hashed {hashing.hashed / 1e6:.0f} MB")
            time.sleep(_seconds(answer.headers.get("Retry-After", "")))


class Addresses:
    """Granted addresses of parts, granted anew where they are missing or old; for several threads at once."""

    def __init__(self, offer: Callable[[int], Json], parts: Iterable[Json]) -> None:
        self._offer, self._lock = offer, threading.Lock()
        self._take(parts)

    def _take(self, parts: Iterable[Json]) -> None:
        self._known = {int(part["number"]): str(part["address"]) for part in parts}
        self._until = time.monotonic() + FRESH_S

    def of(self, number: int) -> str:
        """The address of a part, each time another one: a part that is asked for twice has failed once."""
        with self._lock:
            if number not in self._known or time.monotonic() > self._until:
                self._take(self._offer(number)["parts"])
            return self._known.pop(number)


class Hashing:
    """How far the registry has hashed, and since when it has not come further."""

    def __init__(self) -> None:
        self.hashed, self._since = 0, time.monotonic()

    def has(self, hashed: int, size: int) -> None:
        """Raises Unavailable when it stands still for too long."""
        if hashed > self.hashed:
            self.hashed, self._since = hashed, time.monotonic()
        elif time.monotonic() - self._since > HASHING_S:
            raise Unavailable(f"the registry stopped at byte {hashed} of {size} that it has to hash: push it again")


def _persist(patience: Patience, attempt: Callable[[], str]) -> str:
    """Tries as long as there is patience, but believes S3 when it refuses new addresses as well."""
    outdated = 0

    def counted() -> str:
        nonlocal outdated
        try:
            return attempt()
        except Outdated as error:
            outdated += 1
            if outdated >= OUTDATED:
                raise RelayError(str(error)) from error
            raise

    return patience.over(counted)


def _in_parallel(work: Callable[[int], None], numbers: list[int]) -> None:
    """Does the work of all numbers, a few at once; the first error ends it as soon as those few are done."""
    with ThreadPoolExecutor(PARALLEL, "part") as pool:
        try:
            for _ in pool.map(work, numbers):
                pass
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _seconds(retry_after: str) -> float:
    return min(30.0, float(retry_after)) if retry_after.isdigit() and int(retry_after) else ASK_AGAIN_S
