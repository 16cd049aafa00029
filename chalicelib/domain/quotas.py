"""Quotas: how many bytes a namespace may link, and what happens on the way there."""

import json
import re
import secrets
from dataclasses import dataclass, replace
from enum import StrEnum

from chalicelib.domain.errors import AlreadyThere, FieldInvalid, ResourceUnknown

# What a number of the table, and of Quay's database, holds.
LARGEST = 2**63 - 1
PATTERN = (
    r"^(\d+\s?(B|KiB|MiB|GiB|TiB|PiB|EiB|ZiB|YiB|Ki|Mi|Gi|Ti|Pi|Ei|Zi|Yi|KB|MB|GB|TB|PB|EB|ZB|YB|K|M|G|T|P|E|Z|Y)?)$"
)
LETTERS = "KMGTPEZY"
MOST_LIMITS = 20


class Severity(StrEnum):
    """What a limit does once it is passed: `Warning` tells, `Reject` refuses pushes."""

    WARNING = "Warning"
    REJECT = "Reject"


@dataclass(frozen=True, slots=True)
class Limit:
    """What happens above a part of a quota, in percent."""

    id: int
    severity: Severity
    percent: int


@dataclass(frozen=True, slots=True)
class Quota:
    """The bytes that a namespace may link, and its limits."""

    id: int
    limit_bytes: int
    limits: tuple[Limit, ...] = ()

    @property
    def reject_bytes(self) -> int | None:
        """The bytes above which pushes are refused, None where none ever is."""
        percents = [limit.percent for limit in self.limits if limit.severity is Severity.REJECT]
        return self.limit_bytes * min(percents) // 100 if percents else None

    def passed(self, linked: int) -> int:
        """The highest percent that warns and that so many bytes have passed, 0 where they have passed none."""
        percents = [limit.percent for limit in self.limits if limit.severity is Severity.WARNING]
        return max((percent for percent in percents if linked > self.limit_bytes * percent // 100), default=0)

    def limit(self, identifier: int) -> Limit:
        """One of its limits. Raises NothingThere."""
        found = next((limit for limit in self.limits if limit.id == identifier), None)
        if found is None:
            raise ResourceUnknown("limit", str(identifier))
        return found

    def with_limit(self, limit: Limit) -> "Quota":
        """The same with a limit, in the place of the one with its id.

        Raises AlreadyThere for a second one that refuses, or one that is there already.
        """
        others = [other for other in self.limits if other.id != limit.id]
        if any((other.severity, other.percent) == (limit.severity, limit.percent) for other in others):
            raise AlreadyThere("Quota limit already exists")
        if limit.severity is Severity.REJECT and any(other.severity is Severity.REJECT for other in others):
            raise AlreadyThere("Only one quota limit of type 'Reject' allowed.")
        if len(others) >= MOST_LIMITS:
            raise AlreadyThere(f"a quota has at most {MOST_LIMITS} limits")
        return replace(self, limits=tuple(sorted([*others, limit], key=lambda one: (one.percent, one.id))))

    def without_limit(self, identifier: int) -> "Quota":
        """The same without one of its limits. Raises NothingThere."""
        gone = self.limit(identifier)
        return replace(self, limits=tuple(limit for limit in self.limits if limit is not gone))

    def to_text(self) -> str:
        """The quota as it is kept with its namespace."""
        limits = [[limit.id, limit.severity, limit.percent] for limit in self.limits]
        return json.dumps([self.id, self.limit_bytes, limits])

    @classmethod
    def from_text(cls, text: str) -> "Quota":
        """The quota that was kept."""
        identifier, limit_bytes, limits = json.loads(text)
        return cls(identifier, limit_bytes, tuple(Limit(one, Severity(kind), part) for one, kind, part in limits))


def new_id() -> int:
    """An id of a quota or a limit: Quay's are whole numbers. One that is used again inherits nothing."""
    return secrets.randbelow(2**31 - 1) + 1


def parse_bytes(limit_bytes: int | None, limit: str | None) -> int:
    """Bytes, given as they are or in words (`5 MiB`, `10G`). Raises FieldInvalid."""
    if limit_bytes is None and limit is None:
        raise FieldInvalid("limit_bytes", "say limit_bytes, or limit in words like 5 MiB")
    field = "limit" if limit_bytes is None else "limit_bytes"
    # JSON's 5.0 is a whole number too, and comes as a float.
    number = _in_words(limit or "") if limit_bytes is None else int(limit_bytes)
    if not 0 <= number <= LARGEST:
        raise FieldInvalid(field, f"a quota has 0 to {LARGEST} bytes")
    return number


def _in_words(text: str) -> int:
    if not re.match(PATTERN, text, re.ASCII) or len(text) > 40:
        raise FieldInvalid("limit", "say a number of bytes, KiB, MiB, GiB …, like 5 MiB")
    digits = re.match(r"\d+", text)
    number = int(digits[0]) if digits else 0
    unit = text.lstrip("0123456789").strip()
    if unit in ("", "B"):
        return number
    base = 1024 if "i" in unit else 1000
    for _ in range(LETTERS.index(unit[0]) + 1):
        number *= base
    return number


def in_words(number: int) -> str:
    """Bytes as Quay writes them: `1000.0 Byte`, `1.9 MiB`."""
    amount, unit = float(number), "Byte"
    for letter in LETTERS:
        if amount < 1024:
            break
        amount, unit = amount / 1024, f"{letter}iB"
    return f"{amount:.1f} {unit}"


def parse_severity(text: str) -> Severity:
    """What a limit does. Raises FieldInvalid."""
    try:
        return Severity(text)
    except ValueError:
        raise FieldInvalid("type", "say Warning or Reject") from None


def parse_percent(number: int) -> int:
    """The part of a quota at which a limit is, in percent. Raises FieldInvalid."""
    if not 1 <= number <= 100:
        raise FieldInvalid("threshold_percent", "say 1 to 100")
    return int(number)
