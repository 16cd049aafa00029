"""One body on its way into S3: hashed as it passes, in parts of bounded size."""

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib.domain import hashing
from chalicelib.domain.uploads import SMALLEST_PART, part_size
from relay.credentials import Credentials
from relay.registry import Registry

# How many addresses are asked for at once: 256 MB of parts.
GRANT = 32
# They are good for ten minutes; older than this none is begun with, in seconds: a slow part takes minutes itself.
FRESH_S = 180


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a body brought its upload: where to go on, and the bytes the upload has."""

    location: str
    offset: int
    upload: str


class Stream:
    """Takes a body in parts that the caller cuts to `part_size` bytes; not for several threads at once."""

    def __init__(
        self,
        registry: Registry,
        repository: str,
        location: str,
        credentials: Credentials,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry, self._repository, self._clock = registry, repository, clock
        told = registry.grant(location, credentials, 0, GRANT)
        self._hasher = hashing.resume(told["algorithm"], base64.b64decode(told["state"]))
        # The pusher's own token may be too old by the time that a long body ends.
        self.credentials = credentials.prolonged(told)
        self._before: int = told["offset"]
        self._tail = registry.get(told["tail"]) if told["tail"] else b""
        self._stored: list[tuple[int, str, int]] = []
        self._take(told)

    def _take(self, told: dict[str, Any]) -> None:
        self._location = f"/v2/{self._repository}/blobs/uploads/{told['upload']}"
        self._addresses = [(part["number"], part["address"]) for part in told["parts"]]
        self._fresh_until = self._clock() + FRESH_S
        self._tail_key, self._tail_address = told["tail_key"], told["tail_address"]

    @property
    def offset(self) -> int:
        """Bytes that were before, and that were taken in."""
        return self._hasher.count

    @property
    def part_size(self) -> int:
        """Bytes the next part shall have."""
        return part_size(self.offset)

    def put(self, content: bytes) -> None:
        """Takes in a part that is not the last."""
        self._hasher.update(content)
        whole, self._tail = self._tail + content, b""
        if len(whole) < SMALLEST_PART:
            self._tail = whole
            return
        number, address = self._next_address()
        self._stored.append((number, self._registry.put(address, whole), len(whole)))

    def _next_address(self) -> tuple[int, str]:
        if not self._addresses or self._clock() > self._fresh_until:
            first = self._addresses[0][0] if self._addresses else self._stored[-1][0] + 1
            self._take(self._registry.grant(self._location, self.credentials, first, GRANT))
        number, address = self._addresses.pop(0)
        return number, address

    def finish(self, content: bytes) -> Reached:
        """Takes in the last bytes, and reports; what is too little for a part waits in S3 for more."""
        if content:
            self.put(content)
        if self._tail:
            # The addresses may have grown old while a slow body came: these are new.
            first = self._stored[-1][0] + 1 if self._stored else 1
            self._take(self._registry.grant(self._location, self.credentials, first, 1))
            self._registry.put(self._tail_address, self._tail)
        report = {
            "before": self._before,
            "after": self.offset,
            "state": base64.b64encode(self._hasher.state()).decode("ascii"),
            "parts": self._stored,
            "tail": [self._tail_key, len(self._tail)] if self._tail else None,
        }
        told = self._registry.stored(self._location, self.credentials, report)
        return Reached(told["location"], told["offset"], told["upload"])
