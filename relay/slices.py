"""Ranges of files, which are read while they are sent."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from relay.errors import RelayError

BLOCK = 1024 * 1024


def _ignore_count(_count: int) -> None:
    """Does nothing: nobody counts the bytes."""


@dataclass(frozen=True, slots=True)
class FileSlice:
    """`size` bytes of a file, starting at `offset`."""

    path: Path
    offset: int
    size: int

    def part(self, first: int, size: int) -> "FileSlice":
        """Returns at most `size` bytes of this slice, starting at byte `first`."""
        return FileSlice(self.path, self.offset + first, min(size, self.size - first))

    def read(self) -> bytes:
        """Returns all bytes of a small slice."""
        with SliceReader(self) as reader:
            return reader.read()

    def digest(self, algorithm: str, on_bytes: Callable[[int], None] = _ignore_count) -> str:
        """Returns `algorithm:hex` over all bytes. `on_bytes` gets the number of bytes of each block read."""
        hasher = hashlib.new(algorithm)
        with SliceReader(self, on_bytes) as reader:
            for content in reader:
                hasher.update(content)
        return f"{algorithm}:{hasher.hexdigest()}"


class SliceReader:
    """Reads a slice as a request body of known length, in blocks. `on_bytes` gets the number of bytes of each."""

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
        """Returns at most `size` bytes, all by default. Raises RelayError if the file has become shorter."""
        wanted = self._remaining if size < 0 else min(size, self._remaining)
        content = self._file.read(wanted)
        while len(content) < wanted:
            more = self._file.read(wanted - len(content))
            if not more:
                raise RelayError(f"{self._file.name} became shorter while it was sent: do not change it, and try again")
            content += more
        self._remaining -= len(content)
        if content:
            self._on_bytes(len(content))
        return content

    @property
    def bytes_read(self) -> int:
        """The number of bytes read so far."""
        return self._size - self._remaining
