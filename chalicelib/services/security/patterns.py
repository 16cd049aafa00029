"""Matches tags with patterns that users wrote, in time linear in the length of the tag.

RE2 guarantees this because it has neither look-around nor back-references.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.policies import LONGEST_PATTERN, TagNames

# The most memory that the automaton of one pattern may take, in bytes.
MOST_MEMORY = 1024 * 1024


def check(pattern: str) -> None:
    """Raises FieldInvalid, in Quay's words, for a pattern that is too long or invalid."""
    if len(pattern) > LONGEST_PATTERN:
        raise FieldInvalid("", f"tag_pattern must be {LONGEST_PATTERN} characters or less")
    _compiled(pattern)


def finds(names: TagNames, tag: str) -> bool:
    """Whether a rule names a tag. The pattern may match anywhere in the tag, as in Quay's pruning."""
    return names.pattern is None or (_compiled(names.pattern).search(tag) is not None) is names.matches


def begins(names: TagNames, tag: str) -> bool:
    """Whether a rule names a tag. The pattern must match at the start, as in Quay's immutability policies."""
    return names.pattern is None or (_compiled(names.pattern).match(tag) is not None) is names.matches


def takes(rules: Sequence[TagNames], tag: str) -> bool:
    """Whether any of the immutability rules names a tag."""
    return any(begins(rule, tag) for rule in rules)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    # Imported here so that only installations with policies pay for the import.
    import re2

    options = re2.Options()
    options.log_errors, options.max_mem = False, MOST_MEMORY
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeError) as error:
        raw_reason = error.args[0] if isinstance(error, re2.error) else b"the pattern is not valid Unicode"
        reason = raw_reason.decode("utf-8", "replace") if isinstance(raw_reason, bytes) else str(raw_reason)
        raise FieldInvalid("", f"Invalid regex pattern: {reason}") from None
