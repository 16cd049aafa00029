"""The cutter of parts, which the streamed upload and the local gateway share."""

import os
import random

import pytest

from chalicelib.domain.uploads import MEBIBYTE, part_size
from relay.parts import PartCutter


def cut(chunks: list[bytes], offset: int = 0) -> tuple[list[bytes], bytes]:
    """Returns the whole parts and the bytes after them."""
    cutter = PartCutter(offset)
    parts = [bytes(part) for chunk in chunks for part in cutter.feed(chunk)]
    return parts, cutter.rest()


def test_a_body_in_random_chunks_is_cut_into_parts_of_one_size_and_a_rest() -> None:
    content, random_sizes = os.urandom(20 * MEBIBYTE), random.Random(1)
    chunks, position = [], 0
    while position < len(content):
        size = random_sizes.randint(1, MEBIBYTE)
        chunks.append(content[position : position + size])
        position += size
    parts, rest = cut(chunks)

    assert [len(part) for part in parts] == [8 * MEBIBYTE] * 2
    assert b"".join(parts) + rest == content


def test_one_chunk_may_hold_several_parts() -> None:
    content = os.urandom(17 * MEBIBYTE)
    parts, rest = cut([content])

    assert [len(part) for part in parts] == [8 * MEBIBYTE] * 2
    assert b"".join(parts) + rest == content


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_body_that_ends_with_a_part_leaves_no_rest(count: int) -> None:
    parts, rest = cut([b"x" * (8 * MEBIBYTE)] * count)

    assert len(parts) == count
    assert rest == b""


def test_parts_grow_with_the_upload() -> None:
    """The last part of 8 MiB ends at 8000 MiB, and the next one has 16 MiB."""
    offset = 8000 * MEBIBYTE - 1
    content = os.urandom(part_size(offset) + part_size(offset + part_size(offset)) + 5)
    parts, rest = cut([content], offset)

    assert [len(part) for part in parts] == [8 * MEBIBYTE, 16 * MEBIBYTE]
    assert b"".join(parts) + rest == content
    assert len(rest) == 5
