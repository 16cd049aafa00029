"""SHA-2 whose state can be saved and resumed by another process.

hashlib does not expose its state, so the state of an upload between two requests is read from OpenSSL's public
SHA256_CTX and SHA512_CTX through ctypes, or computed in Python where libcrypto is not available (about 0.5 MB/s). Both
write the same portable state: the chaining words, big-endian, the count of bytes, and the bytes of the open block.
"""

import ctypes
import functools
import hashlib
import struct
from collections.abc import Sequence
from typing import Protocol


class Algorithm:
    """The sizes of one member of the SHA-2 family. `word` and `block` are bytes."""

    def __init__(self, name: str, word: int, block: int, code: str) -> None:
        self.name, self.word, self.block, self.code = name, word, block, code
        self.state_bytes = 8 * word
        self.mask = (1 << (8 * word)) - 1


ALGORITHMS = {"sha256": Algorithm("sha256", 4, 64, "I"), "sha512": Algorithm("sha512", 8, 128, "Q")}


class Hasher(Protocol):
    """The interface of both implementations."""

    algorithm: Algorithm
    count: int

    def update(self, data: bytes) -> None:
        """Adds content."""

    def hexdigest(self) -> str:
        """Returns the digest of all content so far; more may follow."""

    def state(self) -> bytes:
        """Returns the portable state, for `resume`."""


def begin(algorithm: str) -> Hasher:
    """Returns a hasher without content."""
    initial = _initial_words(ALGORITHMS[algorithm])
    return _hasher(ALGORITHMS[algorithm], initial, 0, b"")


def resume(algorithm: str, state: bytes) -> Hasher:
    """Returns the hasher whose `state()` this is."""
    shape = ALGORITHMS[algorithm]
    words = struct.unpack(f">8{shape.code}", state[: shape.state_bytes])
    (count,) = struct.unpack(">Q", state[shape.state_bytes : shape.state_bytes + 8])
    return _hasher(shape, words, count, state[shape.state_bytes + 8 :])


def _hasher(shape: Algorithm, words: Sequence[int], count: int, tail: bytes) -> Hasher:
    library = _libcrypto()
    return (
        PythonHasher(shape, words, count, tail)
        if library is None
        else OpenSSLHasher(library, shape, words, count, tail)
    )


class OpenSSLHasher:
    """libcrypto's SHA256_* or SHA512_* over a context of our own (openssl/sha.h)."""

    def __init__(
        self, library: ctypes.CDLL, algorithm: Algorithm, words: Sequence[int], count: int, tail: bytes
    ) -> None:
        self.algorithm, self.count = algorithm, count
        self._library = library
        self._context = _context_type(algorithm)()
        self._context.h[:] = words
        bits = count * 8
        self._context.low, self._context.high = bits & algorithm.mask, bits >> (8 * algorithm.word)
        ctypes.memmove(ctypes.addressof(self._context.data), tail, len(tail))
        self._context.num, self._context.length = len(tail), hashlib.new(algorithm.name).digest_size

    def update(self, data: bytes) -> None:
        self._call("Update", ctypes.byref(self._context), data, ctypes.c_size_t(len(data)))
        self.count += len(data)

    def hexdigest(self) -> str:
        copy = type(self._context).from_buffer_copy(self._context)
        result = ctypes.create_string_buffer(self.algorithm.state_bytes)
        self._call("Final", result, ctypes.byref(copy))
        return result.raw.hex()

    def state(self) -> bytes:
        words = struct.pack(f">8{self.algorithm.code}", *self._context.h)
        return words + struct.pack(">Q", self.count) + bytes(self._context.data)[: self._context.num]

    def _call(self, name: str, *arguments: object) -> None:
        function = getattr(self._library, f"{self.algorithm.name.upper()}_{name}")
        if function(*arguments) != 1:
            raise RuntimeError(f"libcrypto refused {self.algorithm.name} {name}")


@functools.cache
def _context_type(algorithm: Algorithm) -> type[ctypes.Structure]:
    word = ctypes.c_uint32 if algorithm.word == 4 else ctypes.c_uint64
    fields: list[tuple[str, object]] = [
        ("h", word * 8),
        ("low", word),
        ("high", word),
        ("data", ctypes.c_ubyte * algorithm.block),
        ("num", ctypes.c_uint),
        ("length", ctypes.c_uint),
    ]
    return type(f"{algorithm.name}_ctx", (ctypes.Structure,), {"_fields_": fields})


@functools.cache
def _libcrypto() -> ctypes.CDLL | None:
    """Returns the libcrypto that hashlib has loaded, or the system's; None if neither passes the test."""
    for path in (*_loaded_libraries(), "libcrypto.so.3", "libcrypto.3.dylib"):
        try:
            library = ctypes.CDLL(path)
            if all(_passes(library, shape) for shape in ALGORITHMS.values()):
                return library
        except (OSError, AttributeError):
            continue
    return None


def _loaded_libraries() -> list[str]:
    try:
        with open("/proc/self/maps", encoding="ascii", errors="replace") as maps:
            return sorted({line.split()[-1] for line in maps if "libcrypto" in line})
    except OSError:
        return []


def _passes(library: ctypes.CDLL, shape: Algorithm) -> bool:
    """Whether the library computes the same as hashlib when it is interrupted within a block and resumed."""
    content = bytes(range(256)) * 2
    first = OpenSSLHasher(library, shape, _initial_words(shape), 0, b"")
    first.update(content[:300])
    state = first.state()
    words = struct.unpack(f">8{shape.code}", state[: shape.state_bytes])
    second = OpenSSLHasher(library, shape, words, 300, state[shape.state_bytes + 8 :])
    second.update(content[300:])
    return second.hexdigest() == hashlib.new(shape.name, content).hexdigest()


class PythonHasher:
    """FIPS 180-4 in plain Python, for hosts without a usable libcrypto."""

    def __init__(self, algorithm: Algorithm, words: Sequence[int], count: int, tail: bytes) -> None:
        self.algorithm, self.count = algorithm, count
        self._words, self._tail = list(words), tail

    def update(self, data: bytes) -> None:
        self.count += len(data)
        self._words, self._tail = self._absorb(self._words, self._tail + data)

    def hexdigest(self) -> str:
        block, length = self.algorithm.block, 2 * self.algorithm.word
        padding = b"\x80" + bytes(-(len(self._tail) + 1 + length) % block)
        words, _ = self._absorb(self._words, self._tail + padding + (self.count * 8).to_bytes(length, "big"))
        return struct.pack(f">8{self.algorithm.code}", *words).hex()

    def state(self) -> bytes:
        words = struct.pack(f">8{self.algorithm.code}", *self._words)
        return words + struct.pack(">Q", self.count) + self._tail

    def _absorb(self, words: list[int], data: bytes) -> tuple[list[int], bytes]:
        size = self.algorithm.block
        whole = len(data) - len(data) % size
        for start in range(0, whole, size):
            words = _compress(self.algorithm, words, data[start : start + size])
        return words, data[whole:]


ROTATIONS = {
    4: ((7, 18, 3), (17, 19, 10), (6, 11, 25), (2, 13, 22)),
    8: ((1, 8, 7), (19, 61, 6), (14, 18, 41), (28, 34, 39)),
}


def _compress(shape: Algorithm, words: list[int], block: bytes) -> list[int]:
    """Returns the chaining words after one more block (FIPS 180-4 sections 6.2.2 and 6.4.2)."""
    mask, width = shape.mask, 8 * shape.word
    low, high, big_one, big_zero = ROTATIONS[shape.word]
    constants = _constants(shape)

    def turn(value: int, places: int) -> int:
        return (value >> places | value << (width - places)) & mask

    schedule = list(struct.unpack(f">16{shape.code}", block))
    for index in range(16, len(constants)):
        before, after = schedule[index - 15], schedule[index - 2]
        small_zero = turn(before, low[0]) ^ turn(before, low[1]) ^ before >> low[2]
        small_one = turn(after, high[0]) ^ turn(after, high[1]) ^ after >> high[2]
        schedule.append((schedule[index - 16] + small_zero + schedule[index - 7] + small_one) & mask)
    a, b, c, d, e, f, g, h = words
    for constant, word in zip(constants, schedule, strict=True):
        one = turn(e, big_one[0]) ^ turn(e, big_one[1]) ^ turn(e, big_one[2])
        zero = turn(a, big_zero[0]) ^ turn(a, big_zero[1]) ^ turn(a, big_zero[2])
        first = h + one + (e & f ^ ~e & g) + constant + word
        second = zero + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = (first + second) & mask, a, b, c, (d + first) & mask, e, f, g
    return [(old + new) & mask for old, new in zip(words, (a, b, c, d, e, f, g, h), strict=True)]


@functools.cache
def _constants(shape: Algorithm) -> tuple[int, ...]:
    """Returns the first bits of the fractional parts of the primes' cube roots (FIPS 180-4 section 4.2)."""
    rounds, bits = (64, 32) if shape.word == 4 else (80, 64)
    return tuple(_root(prime << (3 * bits), 3) & shape.mask for prime in _primes(rounds))


@functools.cache
def _initial_words(shape: Algorithm) -> tuple[int, ...]:
    """Returns the first bits of the fractional parts of the primes' square roots (FIPS 180-4 section 5.3)."""
    bits = 8 * shape.word
    return tuple(_root(prime << (2 * bits), 2) & shape.mask for prime in _primes(8))


def _primes(count: int) -> list[int]:
    primes: list[int] = []
    candidate = 2
    while len(primes) < count:
        if all(candidate % prime for prime in primes):
            primes.append(candidate)
        candidate += 1
    return primes


def _root(number: int, degree: int) -> int:
    """Returns the integer root, rounded down."""
    low, high = 0, 1 << (number.bit_length() // degree + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= number else (low, middle - 1)
    return low
