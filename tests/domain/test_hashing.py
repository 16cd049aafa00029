"""Resumable hashing: both implementations agree with hashlib and with each other, wherever content is cut."""

import hashlib
import itertools
import os
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain import hashing
from chalicelib.domain.hashing import ALGORITHMS, OpenSSLHasher, PythonHasher

CONTENT = os.urandom(1024)
names = st.sampled_from(sorted(ALGORITHMS))


def in_python(name: str) -> PythonHasher:
    shape = ALGORITHMS[name]
    return PythonHasher(shape, hashing._initial_words(shape), 0, b"")


def resumed_in_python(name: str, state: bytes) -> PythonHasher:
    shape = ALGORITHMS[name]
    words = struct.unpack(f">8{shape.code}", state[: shape.state_bytes])
    (count,) = struct.unpack(">Q", state[shape.state_bytes : shape.state_bytes + 8])
    return PythonHasher(shape, words, count, state[shape.state_bytes + 8 :])


def expected(name: str, content: bytes) -> str:
    return hashlib.new(name, content).hexdigest()


def test_this_machine_uses_openssl() -> None:
    """Without OpenSSL large layers would take minutes, so a machine that lacks it must be noticed."""
    assert all(isinstance(hashing.begin(name), OpenSSLHasher) for name in ALGORITHMS)


@given(names, st.lists(st.integers(0, len(CONTENT)), max_size=5))
def test_a_state_resumed_after_any_byte_hashes_as_hashlib_does(name: str, cuts: list[int]) -> None:
    hasher, places = hashing.begin(name), [0, *sorted(cuts), len(CONTENT)]
    for start, end in itertools.pairwise(places):
        hasher = hashing.resume(name, hasher.state())
        hasher.update(CONTENT[start:end])

        assert hasher.count == end
        assert hasher.hexdigest() == expected(name, CONTENT[:end])


@settings(max_examples=60)
@given(names, st.binary(max_size=400), st.integers(0, 400))
def test_both_implementations_agree_and_resume_each_others_state(name: str, content: bytes, cut: int) -> None:
    python, openssl = in_python(name), hashing.begin(name)
    for hasher in (python, openssl):
        hasher.update(content[:cut])

    assert python.state() == openssl.state()
    crossed = [resumed_in_python(name, openssl.state()), hashing.resume(name, python.state())]
    for hasher in crossed:
        hasher.update(content[cut:])

        assert hasher.hexdigest() == expected(name, content)


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("size", [0, 1, 55, 56, 63, 64, 65, 111, 112, 119, 120, 127, 128, 129, 255, 256, 257])
def test_the_boundaries_of_blocks_and_of_padding_hash_as_hashlib_does(name: str, size: int) -> None:
    for hasher in (in_python(name), hashing.begin(name)):
        hasher.update(CONTENT[:size])

        assert hasher.hexdigest() == expected(name, CONTENT[:size])


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_digest_can_be_read_before_more_content_follows(name: str) -> None:
    for hasher in (in_python(name), hashing.begin(name)):
        hasher.update(CONTENT[:100])
        hasher.hexdigest()
        state = hasher.state()
        hasher.hexdigest()

        assert hasher.state() == state
        hasher.update(CONTENT[100:])
        assert hasher.hexdigest() == expected(name, CONTENT)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_state_fits_into_an_item(name: str) -> None:
    shape = ALGORITHMS[name]
    hasher = hashing.begin(name)
    hasher.update(CONTENT[: shape.block - 1])

    assert len(hasher.state()) == shape.state_bytes + 8 + shape.block - 1


@pytest.mark.parametrize("name", ALGORITHMS)
def test_counts_beyond_32_bits_are_kept(name: str) -> None:
    """The state claims 5 GB, which would take too long to hash here; both implementations must pad it alike."""
    shape = ALGORITHMS[name]
    far = hashing.begin(name).state()[: shape.state_bytes] + struct.pack(">Q", 5 * 1024**3)
    python, openssl = resumed_in_python(name, far), hashing.resume(name, far)
    for hasher in (python, openssl):
        hasher.update(b"more")

    assert python.state() == openssl.state()
    assert python.hexdigest() == openssl.hexdigest()
    assert openssl.count == 5 * 1024**3 + 4


def test_the_computed_constants_equal_the_standards() -> None:
    """FIPS 180-4 sections 4.2.2, 4.2.3, 5.3.3 and 5.3.5."""
    short, long = ALGORITHMS["sha256"], ALGORITHMS["sha512"]

    assert hashing._initial_words(short)[::7] == (0x6A09E667, 0x5BE0CD19)
    assert hashing._initial_words(long)[::7] == (0x6A09E667F3BCC908, 0x5BE0CD19137E2179)
    assert hashing._constants(short)[::63] == (0x428A2F98, 0xC67178F2)
    assert hashing._constants(long)[::79] == (0x428A2F98D728AE22, 0x6C44198C4A475817)
