"""Ranges of files, read as they leave."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from relay.errors import RelayError

BLOCK = 1024 * 1024


def _ignore_count(_count: int) -> None:
    """Nobody counts."""


@dataclass(frozen=True, slots=True)
class FileSlice:
    """`size` bytes of a file from `offset` on."""

    path: Path
    offset: int
    size: int

    def part(self, first: int, size: int) -> "FileSlice":
        """At most `size` bytes from byte `first` of this slice on."""
        return FileSlice(self.path, self.offset + first, min(size, self.size - first))

    def read(self) -> bytes:
        """All of it, for what is small."""
        with SliceReader(self) as window:
            return window.read()

    def digest(self, algorithm: str, on_bytes: Callable[[int], None] = _ignore_count) -> str:
        """`algorithm:hex` over all of it. `watch` is told how many bytes were read."""
        hasher = hashlib.new(algorithm)
        with SliceReader(self, on_bytes) as window:
            for content in window:
                hasher.update(content)
        return f"{algorithm}:{hasher.hexdigest()}"


class SliceReader:
    """A slice as a body for requests: has a length, is read in blocks. `watch` is told how many bytes left."""

    def __init__(self, slice_: FileSlice, on_bytes: Callable[[int], None] = _ignore_count) -> None:
        self._file = slice_.path.open("rb", buffering=0)
        self._file.seek(slice_.offset)
        self._size = self._remaining = slice_.size
        self._on_bytes = on_bytes

    def __len__(self) -> int:
        return self._size

    def __enter__(self) -> "SliceReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[bytes]:
        while content := self.read(BLOCK):
            yield content

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, all that are left by default. Raises RelayError when the file has become shorter."""
        wanted = self._remaining if size < 0 else min(size, self._remaining)
        content = self._file.read(wanted)
        while len(content) < wanted:
            more = self._file.read(wanted - len(content))
            if not more:
                raise RelayError(f"{self._file.name} became shorter while it was sent: leave it alone and try again")
            content += more
        self._remaining -= len(content)
        if content:
            self._on_bytes(len(content))
        return content

    @property
    def bytes_read(self) -> int:
        """Bytes that were read."""
        return self._size - self._remaining
