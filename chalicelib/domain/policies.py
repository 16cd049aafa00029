"""Policies: which tags are pruned, and which may not change once they are there."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.tags import PERIOD, SECONDS

LONGEST_PATTERN = 256
# A place has no more of a kind: what a push looks at stands in one item.
MOST = 20
MOST_TAGS = 10**9


class Method(StrEnum):
    """What pruning goes by: how many tags there are, or how long each has been there."""

    NUMBER = "number_of_tags"
    AGE = "creation_date"


@dataclass(frozen=True, slots=True)
class TagNames:
    """Which tags: those whose names a pattern takes, or, with `matches` off, all others; without a pattern all."""

    pattern: str | None = None
    matches: bool = True


@dataclass(frozen=True, slots=True)
class Prune:
    """What is pruned of the tags that are named: all but the `most` latest, or those older than `age_s` seconds.

    `value` is what was asked for, as it was written.
    """

    method: Method
    value: int | str

    @classmethod
    def parse(cls, method: str, value: object) -> "Prune":
        """What somebody asks for. Raises FieldInvalid in Quay's words."""
        if method not in list(Method):
            raise FieldInvalid("", "Invalid method provided")
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        is_good = _is_age(value) if method == Method.AGE else _is_number(value)
        if not is_good or not isinstance(value, int | str):
            raise FieldInvalid("", "Invalid value given for method type")
        return cls(Method(method), value)

    @property
    def most(self) -> int | None:
        """How many tags stay, None where it goes by age."""
        return int(self.value) if self.method is Method.NUMBER else None

    @property
    def age_s(self) -> int | None:
        """After how many seconds a tag goes, None where it goes by number."""
        found = PERIOD.fullmatch(str(self.value)) if self.method is Method.AGE else None
        return int(found[1]) * SECONDS[found[2]] if found else None

    def takes(self, rank: int, started_at: int, now: float) -> bool:
        """Whether a tag goes that is the `rank`th of those named, the latest being the first."""
        if self.most is not None:
            return rank > self.most
        return started_at + (self.age_s or 0) <= now


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST_TAGS


def _is_age(value: object) -> bool:
    found = PERIOD.fullmatch(value) if isinstance(value, str) else None
    return found is not None and int(found[1]) > 0


class PolicyKind(StrEnum):
    """What a policy is for."""

    PRUNE = "prune"
    IMMUTABILITY = "immutability"


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy: what is pruned of the tags that are named, or, with `prune` None, that these may not change."""

    uuid: str
    names: TagNames
    prune: Prune | None = None

    @property
    def kind(self) -> PolicyKind:
        """What it is for."""
        return PolicyKind.PRUNE if self.prune else PolicyKind.IMMUTABILITY

    def is_like(self, other: "Policy") -> bool:
        """Whether another one says the same. Of two for the same pattern neither may be about all other tags."""
        if self.prune is None:
            return other.prune is None and self.names.pattern == other.names.pattern
        return (self.prune, self.names) == (other.prune, other.names)


def to_text(rules: Sequence[TagNames]) -> str | None:
    """Rules in one text, so that they lie where a push looks anyway; None for none."""
    return json.dumps([[rule.pattern, rule.matches] for rule in rules], ensure_ascii=False) if rules else None


def from_text(text: str | None) -> list[TagNames]:
    """The rules of such a text."""
    return [TagNames(pattern, matches) for pattern, matches in json.loads(text)] if text else []
