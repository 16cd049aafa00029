"""ULIDs: identifiers that never change, are never reused, and sort by their time of creation."""

import secrets
import time

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 26


def ulid(at: float | None = None) -> str:
    """Returns a new ULID: 48 bits of milliseconds and 80 random bits, in Crockford's base 32 (https://github.com/ulid/spec)."""
    milliseconds = int((time.time() if at is None else at) * 1000)
    number = milliseconds << 80 | secrets.randbits(80)
    return "".join(ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def is_ulid(text: str) -> bool:
    """Whether `text` has the form of a ULID."""
    return len(text) == LENGTH and all(character in ALPHABET for character in text)


def made_at(identifier: str) -> float:
    """Returns when a ULID was made, in seconds since the epoch."""
    number = 0
    for character in identifier[:10]:
        number = number << 5 | ALPHABET.index(character)
    return number / 1000
