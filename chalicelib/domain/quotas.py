"""Quotas: how many bytes a namespace may link, and the limits at which the registry warns or refuses."""

import json
import re
import secrets
from dataclasses import dataclass, replace
from enum import StrEnum

from chalicelib.domain.errors import AlreadyThere, FieldInvalid, ResourceUnknown

# The largest number that Quay's database holds; the table holds more.
LARGEST = 2**63 - 1
PATTERN = (
    r"^(\d+\s?(B|KiB|MiB|GiB|TiB|PiB|EiB|ZiB|YiB|Ki|Mi|Gi|Ti|Pi|Ei|Zi|Yi|KB|MB|GB|TB|PB|EB|ZB|YB|K|M|G|T|P|E|Z|Y)?)$"
)
LETTERS = "KMGTPEZY"
MOST_LIMITS = 20


class Severity(StrEnum):
    """What a limit does once it is exceeded: `Warning` warns the owners, `Reject` refuses pushes."""

    WARNING = "Warning"
    REJECT = "Reject"


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit: what happens above a percentage of the quota."""

    id: int
    severity: Severity
    percent: int


@dataclass(frozen=True, slots=True)
class Quota:
    """How many bytes a namespace may link, and its limits."""

    id: int
    limit_bytes: int
    limits: tuple[Limit, ...] = ()

    @property
    def reject_bytes(self) -> int | None:
        """The bytes above which pushes are refused; None if no limit refuses."""
        percents = [limit.percent for limit in self.limits if limit.severity is Severity.REJECT]
        return self.limit_bytes * min(percents) // 100 if percents else None

    def passed(self, linked: int) -> int:
        """Returns the highest percentage with a warning that `linked` bytes exceed, 0 if they exceed none."""
        percents = [limit.percent for limit in self.limits if limit.severity is Severity.WARNING]
        return max((percent for percent in percents if linked > self.limit_bytes * percent // 100), default=0)

    def limit(self, identifier: int) -> Limit:
        """Returns one of its limits. Raises ResourceUnknown."""
        for limit in self.limits:
            if limit.id == identifier:
                return limit
        raise ResourceUnknown("limit", str(identifier))

    def with_limit(self, limit: Limit) -> "Quota":
        """Returns the quota with a limit added, or replaced if one has its id.

        Raises AlreadyThere for a duplicate, a second limit that refuses, or too many limits.
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
        """Returns the quota without one of its limits. Raises ResourceUnknown."""
        removed = self.limit(identifier)
        return replace(self, limits=tuple(limit for limit in self.limits if limit is not removed))

    def to_text(self) -> str:
        """Writes the quota into the text that is stored with its namespace."""
        limits = [[limit.id, limit.severity, limit.percent] for limit in self.limits]
        return json.dumps([self.id, self.limit_bytes, limits])

    @classmethod
    def from_text(cls, text: str) -> "Quota":
        """Reads a quota that `to_text` wrote."""
        identifier, limit_bytes, limits = json.loads(text)
        return cls(identifier, limit_bytes, tuple(Limit(one, Severity(kind), part) for one, kind, part in limits))


def new_id() -> int:
    """Returns a random id for a quota or a limit, a whole number as in Quay. Nothing depends on it being unique."""
    return secrets.randbelow(2**31 - 1) + 1


def parse_bytes(limit_bytes: int | None, limit: str | None) -> int:
    """Returns bytes that are given as a number or with a unit (`5 MiB`, `10G`). Raises FieldInvalid."""
    if limit_bytes is None and limit is None:
        raise FieldInvalid("limit_bytes", "give limit_bytes, or limit with a unit like 5 MiB")
    field = "limit" if limit_bytes is None else "limit_bytes"
    # JSON's 5.0 is a whole number too, but is parsed as a float.
    number = _in_words(limit or "") if limit_bytes is None else int(limit_bytes)
    if not 0 <= number <= LARGEST:
        raise FieldInvalid(field, f"a quota has from 0 to {LARGEST} bytes")
    return number


def _in_words(text: str) -> int:
    if not re.match(PATTERN, text, re.ASCII) or len(text) > 40:
        raise FieldInvalid("limit", "give a number of bytes, KiB, MiB, GiB …, like 5 MiB")
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
    """Returns bytes as Quay writes them: `1000.0 Byte`, `1.9 MiB`."""
    amount, unit = float(number), "Byte"
    for letter in LETTERS:
        if amount < 1024:
            break
        amount, unit = amount / 1024, f"{letter}iB"
    return f"{amount:.1f} {unit}"


def parse_severity(text: str) -> Severity:
    """Parses the severity of a limit. Raises FieldInvalid."""
    try:
        return Severity(text)
    except ValueError:
        raise FieldInvalid("type", "say Warning or Reject") from None


def parse_percent(number: int) -> int:
    """Checks the percentage of a quota at which a limit takes effect. Raises FieldInvalid."""
    if not 1 <= number <= 100:
        raise FieldInvalid("threshold_percent", "say 1 to 100")
    return int(number)
