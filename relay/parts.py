"""Cuts the body of an upload, which comes in chunks of any size, into parts of the sizes that S3 joins.

It does no input or output, so that a thread and an event loop can both feed it.
"""

from collections.abc import Iterator

from chalicelib.domain.uploads import part_size


class PartCutter:
    """Holds the bytes of one body that do not fill a part yet. `offset` is the size of the upload before this body."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._buffer, self._filled = bytearray(part_size(offset)), 0

    def feed(self, chunk: bytes) -> Iterator[memoryview]:
        """Yields each part that is completed by the next bytes of the body.

        A part is a view of the buffer and is valid only until the next part is requested. A caller that waits before it
        copies the part therefore saves the memory of another one. The caller has to exhaust the iterator, or bytes are
        lost.
        """
        remaining = memoryview(chunk)
        while remaining:
            count = min(len(remaining), len(self._buffer) - self._filled)
            self._buffer[self._filled : self._filled + count] = remaining[:count]
            self._filled += count
            remaining = remaining[count:]
            if self._filled == len(self._buffer):
                yield memoryview(self._buffer)
                self._start_part()

    def _start_part(self) -> None:
        self._offset += self._filled
        self._filled = 0
        size = part_size(self._offset)
        if size != len(self._buffer):
            self._buffer = bytearray(size)

    def rest(self) -> bytes:
        """Returns the bytes after the last whole part, which may be none."""
        return bytes(memoryview(self._buffer)[: self._filled])
