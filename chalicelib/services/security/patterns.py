"""Patterns of tags, as strangers write them: matched in time that grows with what is read, no faster.

RE2 has neither look-around nor references back, which is why it can promise that.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.policies import LONGEST_PATTERN, TagNames

# What the automaton of one pattern may take, in bytes.
MOST_MEMORY = 1024 * 1024


def check(pattern: str) -> None:
    """Raises FieldInvalid, in Quay's words, for a pattern that is too long or cannot be read."""
    if len(pattern) > LONGEST_PATTERN:
        raise FieldInvalid("", f"tag_pattern must be {LONGEST_PATTERN} characters or less")
    _compiled(pattern)


def finds(names: TagNames, tag: str) -> bool:
    """Whether a tag is among those that are named; the pattern may be found anywhere in it, as Quay prunes."""
    return names.pattern is None or (_compiled(names.pattern).search(tag) is not None) is names.matches


def begins(names: TagNames, tag: str) -> bool:
    """The same, where the pattern must be found at the beginning, as Quay makes tags immutable."""
    return names.pattern is None or (_compiled(names.pattern).match(tag) is not None) is names.matches


def takes(rules: Sequence[TagNames], tag: str) -> bool:
    """Whether any of the rules by which tags may not change is about a tag."""
    return any(begins(rule, tag) for rule in rules)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    # Only who has policies pays for its import.
    import re2

    options = re2.Options()
    options.log_errors, options.max_mem = False, MOST_MEMORY
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeError) as error:
        why = error.args[0] if isinstance(error, re2.error) else b"it is no Unicode"
        shown = why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why)
        raise FieldInvalid("", f"Invalid regex pattern: {shown}") from None
