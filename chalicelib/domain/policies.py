"""Policies: which tags are pruned, and which are immutable."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.tags import PERIOD, SECONDS

LONGEST_PATTERN = 256
# How many policies of a kind a namespace or a repository may have: all that a push checks must fit into one item.
MOST = 20
MOST_TAGS = 10**9


class Method(StrEnum):
    """The criterion of pruning: the number of tags, or the age of each."""

    NUMBER = "number_of_tags"
    AGE = "creation_date"


@dataclass(frozen=True, slots=True)
class TagNames:
    """Tags whose names match the pattern or, if `matches` is false, all others; without a pattern, all tags."""

    pattern: str | None = None
    matches: bool = True


@dataclass(frozen=True, slots=True)
class Prune:
    """A rule of pruning: all but the `most` latest tags go, or those older than `age_s` seconds.

    `value` is the number or age as it was written.
    """

    method: Method
    value: int | str

    @classmethod
    def parse(cls, method: str, value: object) -> "Prune":
        """Parses a rule of the API. Raises FieldInvalid with Quay's messages."""
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
        """How many tags stay; None if the rule goes by age."""
        return int(self.value) if self.method is Method.NUMBER else None

    @property
    def age_s(self) -> int | None:
        """After how many seconds a tag goes; None if the rule goes by number."""
        match = PERIOD.fullmatch(str(self.value)) if self.method is Method.AGE else None
        return int(match[1]) * SECONDS[match[2]] if match else None

    def takes(self, rank: int, started_at: int, now: float) -> bool:
        """Whether the rule prunes the tag that is number `rank` of the policy's tags, counted from 1 for the latest."""
        if self.most is not None:
            return rank > self.most
        return started_at + (self.age_s or 0) <= now


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST_TAGS


def _is_age(value: object) -> bool:
    match = PERIOD.fullmatch(value) if isinstance(value, str) else None
    return match is not None and int(match[1]) > 0


class PolicyKind(StrEnum):
    """What a policy does."""

    PRUNE = "prune"
    IMMUTABILITY = "immutability"


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy for a set of tags: they are pruned or, if `prune` is None, immutable."""

    uuid: str
    names: TagNames
    prune: Prune | None = None

    @property
    def kind(self) -> PolicyKind:
        """What the policy does."""
        return PolicyKind.PRUNE if self.prune else PolicyKind.IMMUTABILITY

    def is_like(self, other: "Policy") -> bool:
        """Whether another policy duplicates this one. Immutability policies do so if their patterns are equal."""
        if self.prune is None:
            return other.prune is None and self.names.pattern == other.names.pattern
        return (self.prune, self.names) == (other.prune, other.names)


def to_text(rules: Sequence[TagNames]) -> str | None:
    """Writes sets of tags into one text, which is stored in a row that a push reads anyway; None for none."""
    return json.dumps([[rule.pattern, rule.matches] for rule in rules], ensure_ascii=False) if rules else None


def from_text(text: str | None) -> list[TagNames]:
    """Reads the sets of tags of a text that `to_text` wrote."""
    return [TagNames(pattern, matches) for pattern, matches in json.loads(text)] if text else []
