"""Positions in the usage log: ULIDs, which sort by time, their numbers and their days."""

import datetime

from chalicelib.domain.ids import ALPHABET, LENGTH

DAY_S = 86400
RANDOM_BITS = 80


def number_of(position: str) -> int:
    """Returns a ULID as a number, which sorts in the same order."""
    number = 0
    for character in position:
        number = number << 5 | ALPHABET.index(character)
    return number


def position_of(number: int) -> str:
    """Returns the ULID of a number."""
    return "".join(ALPHABET[number >> 5 * place & 31] for place in range(LENGTH - 1, -1, -1))


def earliest(at: float) -> str:
    """Returns the lowest ULID of a moment, which is in seconds since the epoch."""
    return position_of(int(at * 1000) << RANDOM_BITS)


def before(position: str) -> str:
    """Returns the ULID just before one."""
    return position_of(number_of(position) - 1)


def past(position: str) -> str:
    """Returns the ULID just after one."""
    return position_of(number_of(position) + 1)


def day_of(position: str) -> str:
    """Returns the day of a ULID in UTC, as `2026-08-31`."""
    return day_text(number_of(position[:10]) // 1000)


def day_start(day: str) -> int:
    """Returns when a day begins in UTC, in seconds since the epoch."""
    return int(datetime.datetime.fromisoformat(day).replace(tzinfo=datetime.UTC).timestamp())


def day_text(at: float) -> str:
    """Returns the day in UTC, as `2026-08-31`, of a time in seconds since the epoch."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).date().isoformat()
