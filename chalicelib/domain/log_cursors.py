"""Positions in what lies in the order of time: ULIDs, the numbers and the days that they are of."""

import datetime

from chalicelib.domain.ids import ALPHABET, LENGTH

DAY_S = 86400
RANDOM_BITS = 80


def number_of(position: str) -> int:
    """A ULID as a number, which sorts as it does."""
    number = 0
    for character in position:
        number = number << 5 | ALPHABET.index(character)
    return number


def position_of(number: int) -> str:
    """The ULID of a number."""
    return "".join(ALPHABET[number >> 5 * place & 31] for place in range(LENGTH - 1, -1, -1))


def earliest(at: float) -> str:
    """The lowest ULID of a moment, in seconds since the epoch."""
    return position_of(int(at * 1000) << RANDOM_BITS)


def before(position: str) -> str:
    """The ULID just before one."""
    return position_of(number_of(position) - 1)


def past(position: str) -> str:
    """The ULID just after one."""
    return position_of(number_of(position) + 1)


def day_of(position: str) -> str:
    """The day in UTC, `2026-08-31`, of a ULID."""
    return day_text(number_of(position[:10]) // 1000)


def day_start(day: str) -> int:
    """Seconds since the epoch at which a day in UTC begins."""
    return int(datetime.datetime.fromisoformat(day).replace(tzinfo=datetime.UTC).timestamp())


def day_text(at: float) -> str:
    """The day in UTC, `2026-08-31`, of a second since the epoch."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).date().isoformat()
