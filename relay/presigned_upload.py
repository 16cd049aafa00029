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
from relay.progress import ProgressLine
from relay.registry import AddressExpired, Json, Registry, put_presigned
from relay.resume import ResumeRecord
from relay.retries import Backoff
from relay.slices import FileSlice, SliceReader

# Parts that are on their way at once.
PARALLEL = 2
# Presigned addresses are good for ten minutes; older than this they are not begun with, in seconds.
FRESH_S = 300
# How often in a row S3 may call a new address outdated.
MAX_EXPIRED = 3
# How long the registry may hash without getting further, in seconds.
HASHING_STALL_S = 900
POLL_S = 1.0


@dataclass(slots=True)
class PresignedUpload:
    """A blob on its way. `credentials` gives the pusher's of the moment, `patience_s` are seconds."""

    registry: Registry
    record: ResumeRecord
    source: FileSlice
    digest: str
    credentials: Callable[[], Credentials]
    patience_s: float
    line: ProgressLine
    # The last grant, with a token that outlives the pusher's own.
    presigned: Json = field(default_factory=dict)

    def send(self) -> Mapping[str, str]:
        """Brings it there and gives the headers of the 201. Raises Refused, RelayError, requests.RequestException."""
        if not self.record.is_put:
            presigned = self._presign(1)
            if presigned["way"] == "put":
                self._put(presigned)
            else:
                self._put_parts(presigned)
            self.record.is_put = True
            self.record.write()
        return self._complete()

    def _patience(self) -> Backoff:
        return Backoff(self.patience_s)

    def _presign(self, first: int) -> Json:
        location, size = self.record.location, self.source.size
        self.presigned = self._patience().run(
            lambda: self.registry.presign(location, self._current_credentials(), self.digest, size, first)
        )
        self.record.location = f"{location.rpartition('/')[0]}/{self.presigned['upload']}"
        self.record.write()
        return self.presigned

    def _current_credentials(self) -> Credentials:
        return self.credentials().with_upload_token(self.presigned)

    def _put(self, presigned: Json) -> None:
        """All in one: what breaks is sent again from its beginning, to an address of its own."""
        addresses = iter([presigned])

        def attempt() -> str:
            presigned_put = next(addresses, None) or self._presign(1)
            return self._send(self.source, presigned_put["address"], presigned_put["headers"])

        _retry_expired(self._patience(), attempt)

    def _send(self, source: FileSlice, address: str, headers: Mapping[str, str] | None = None) -> str:
        with SliceReader(source, self.line.advance) as window:
            try:
                return put_presigned(self.registry.session, address, window, headers)
            except BaseException:
                self.line.advance(-window.bytes_read)
                raise

    def _put_parts(self, presigned: Json) -> None:
        size = int(presigned["part_size"])
        if self.record.part_size != size:
            self.record.part_size, self.record.parts = size, {}
        parts = range(1, -(-self.source.size // size) + 1)
        self.line.advance(sum(self._part(number).size for number in parts if number in self.record.parts))
        addresses = PartAddresses(self._presign, presigned["parts"])
        record_lock = threading.Lock()

        def send_part(number: int) -> None:
            etag = _retry_expired(self._patience(), lambda: self._send(self._part(number), addresses.of(number)))
            with record_lock:
                self.record.parts[number] = etag
                self.record.write()

        _in_parallel(send_part, [number for number in parts if number not in self.record.parts])

    def _part(self, number: int) -> FileSlice:
        return self.source.part((number - 1) * self.record.part_size, self.record.part_size)

    def _complete(self) -> Mapping[str, str]:
        """Asks until the blob is visible: above 5 GB the registry hashes it first."""
        parts, hashing = sorted(self.record.parts.items()), HashingProgress()

        def request_completion() -> requests.Response:
            location, size = self.record.location, self.source.size
            return self.registry.complete(location, self._current_credentials(), self.digest, size, parts)

        while True:
            response = self._patience().run(request_completion)
            if response.status_code == requests.codes.created:
                return response.headers
            hashing.update(int(response.json().get("hashed", 0)), self.source.size)
            self.line.show_note(f"the registry has hashed {hashing.hashed / 1e6:.0f} MB")
            time.sleep(_seconds(response.headers.get("Retry-After", "")))


class PartAddresses:
    """Granted addresses of parts, granted anew where they are missing or old; for several threads at once."""

    def __init__(self, presign: Callable[[int], Json], parts: Iterable[Json]) -> None:
        self._presign, self._lock = presign, threading.Lock()
        self._store(parts)

    def _store(self, parts: Iterable[Json]) -> None:
        self._addresses = {int(part["number"]): str(part["address"]) for part in parts}
        self._fresh_until = time.monotonic() + FRESH_S

    def of(self, number: int) -> str:
        """The address of a part, each time another one: a part that is asked for twice has failed once."""
        with self._lock:
            if number not in self._addresses or time.monotonic() > self._fresh_until:
                self._store(self._presign(number)["parts"])
            return self._addresses.pop(number)


class HashingProgress:
    """How far the registry has hashed, and since when it has not come further."""

    def __init__(self) -> None:
        self.hashed, self._advanced_at = 0, time.monotonic()

    def update(self, hashed: int, size: int) -> None:
        """Raises Unavailable when it stands still for too long."""
        if hashed > self.hashed:
            self.hashed, self._advanced_at = hashed, time.monotonic()
        elif time.monotonic() - self._advanced_at > HASHING_STALL_S:
            raise Unavailable(f"the registry stopped at byte {hashed} of {size} that it has to hash: push it again")


def _retry_expired(patience: Backoff, attempt: Callable[[], str]) -> str:
    """Tries as long as there is patience, but believes S3 when it refuses new addresses as well."""
    expired = 0

    def attempt_counted() -> str:
        nonlocal expired
        try:
            return attempt()
        except AddressExpired as error:
            expired += 1
            if expired >= MAX_EXPIRED:
                raise RelayError(str(error)) from error
            raise

    return patience.run(attempt_counted)


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
    return min(30.0, float(retry_after)) if retry_after.isdigit() and int(retry_after) else POLL_S
