"""Layers of any size that are generated while they are read, with the same bytes on every pass."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Body:
    """`size` bytes that do not compress; another `seed` gives another digest."""

    size: int
    seed: int

    def __iter__(self) -> Iterator[bytes]:
        block = random.Random(self.seed).randbytes(BLOCK_BYTES)
        for offset in range(0, self.size, BLOCK_BYTES):
            # The offset makes each block different, so that no store can deduplicate blocks.
            head = offset.to_bytes(8, "big") + block[8:]
            yield head[: self.size - offset] if self.size - offset < BLOCK_BYTES else head

    @cached_property
    def digest(self) -> str:
        """The sha256 digest, which takes a pass over all bytes."""
        hashed = hashlib.sha256()
        for block in self:
            hashed.update(block)
        return f"sha256:{hashed.hexdigest()}"
