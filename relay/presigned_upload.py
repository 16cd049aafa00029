"""Sends one blob from a file through presigned addresses, which have no limit of size, with only the user's own rights.

The registry presigns one PUT up to 5 GB, whose checksum S3 verifies. Above that it presigns parts, and hashes the bytes
itself before the blob becomes visible. A request that fails is retried, starting at the part that failed.
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

# The number of parts that are sent at once.
PARALLEL = 2
# The age in seconds up to which a presigned address is used; it is valid for ten minutes.
FRESH_S = 300
# How often S3 may reject a new address as expired before the upload fails.
MAX_EXPIRED = 3
# How long the registry may hash without progress, in seconds.
HASHING_STALL_S = 900
POLL_S = 1.0


@dataclass(slots=True)
class PresignedUpload:
    """One blob to send. `credentials` returns the user's current credentials; `patience_s` is in seconds."""

    registry: Registry
    record: ResumeRecord
    source: FileSlice
    digest: str
    credentials: Callable[[], Credentials]
    patience_s: float
    line: ProgressLine
    # The registry's last response with addresses, and with a token that outlives the user's own.
    presigned: Json = field(default_factory=dict)

    def send(self) -> Mapping[str, str]:
        """Sends the blob and returns the headers of the 201. Raises Refused, RelayError, requests.RequestException."""
        if not self.record.is_put:
            presigned = self._presign(1)
            if presigned["way"] == "put":
                self._put(presigned)
            else:
                self._put_parts(presigned)
            self.record.is_put = True
            self.record.write()
        return self._complete()

    def _backoff(self) -> Backoff:
        return Backoff(self.patience_s)

    def _presign(self, first: int) -> Json:
        location, size = self.record.location, self.source.size
        self.presigned = self._backoff().run(
            lambda: self.registry.presign(location, self._current_credentials(), self.digest, size, first)
        )
        self.record.location = f"{location.rpartition('/')[0]}/{self.presigned['upload']}"
        self.record.write()
        return self.presigned

    def _current_credentials(self) -> Credentials:
        return self.credentials().with_upload_token(self.presigned)

    def _put(self, presigned: Json) -> None:
        """Sends the blob in one PUT; each retry starts from the first byte and uses a new address."""
        addresses = iter([presigned])

        def attempt() -> str:
            presigned_put = next(addresses, None) or self._presign(1)
            return self._send(self.source, presigned_put["address"], presigned_put["headers"])

        _retry_expired(self._backoff(), attempt)

    def _send(self, source: FileSlice, address: str, headers: Mapping[str, str] | None = None) -> str:
        with SliceReader(source, self.line.advance) as reader:
            try:
                return put_presigned(self.registry.session, address, reader, headers)
            except BaseException:
                self.line.advance(-reader.bytes_read)
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
            etag = _retry_expired(self._backoff(), lambda: self._send(self._part(number), addresses.of(number)))
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
            response = self._backoff().run(request_completion)
            if response.status_code == requests.codes.created:
                return response.headers
            hashing.update(int(response.json().get("hashed", 0)), self.source.size)
            self.line.show_note(f"the registry has hashed {hashing.hashed / 1e6:.0f} MB")
            time.sleep(_seconds(response.headers.get("Retry-After", "")))


class PartAddresses:
    """The presigned addresses of parts, requested again when they are missing or old; it is thread-safe."""

    def __init__(self, presign: Callable[[int], Json], parts: Iterable[Json]) -> None:
        self._presign, self._lock = presign, threading.Lock()
        self._store(parts)

    def _store(self, parts: Iterable[Json]) -> None:
        self._addresses = {int(part["number"]): str(part["address"]) for part in parts}
        self._fresh_until = time.monotonic() + FRESH_S

    def of(self, number: int) -> str:
        """Returns an address for a part, a new one each time: a second request means that the first one failed."""
        with self._lock:
            if number not in self._addresses or time.monotonic() > self._fresh_until:
                self._store(self._presign(number)["parts"])
            return self._addresses.pop(number)


class HashingProgress:
    """The number of bytes that the registry has hashed, and the time at which it last grew."""

    def __init__(self) -> None:
        self.hashed, self._advanced_at = 0, time.monotonic()

    def update(self, hashed: int, size: int) -> None:
        """Stores the new number. Raises Unavailable if it has not grown for too long."""
        if hashed > self.hashed:
            self.hashed, self._advanced_at = hashed, time.monotonic()
        elif time.monotonic() - self._advanced_at > HASHING_STALL_S:
            raise Unavailable(f"the registry stopped hashing at byte {hashed} of {size}: push the blob again")


def _retry_expired(backoff: Backoff, attempt: Callable[[], str]) -> str:
    """Retries within the backoff, but fails once S3 has rejected several new addresses as expired."""
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

    return backoff.run(attempt_counted)


def _in_parallel(work: Callable[[int], None], numbers: list[int]) -> None:
    """Calls `work` for all numbers, a few at once; after the first error no further ones are started."""
    with ThreadPoolExecutor(PARALLEL, "part") as pool:
        try:
            for _ in pool.map(work, numbers):
                pass
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _seconds(retry_after: str) -> float:
    return min(30.0, float(retry_after)) if retry_after.isdigit() and int(retry_after) else POLL_S
