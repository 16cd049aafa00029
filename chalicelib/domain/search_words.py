"""Words by which names are found: a name's segments, and those of what somebody looks for."""

import re
from collections.abc import Iterable

SEGMENTS = re.compile(r"[a-z0-9]+")
# A name is found by so many of its segments, a question is heard for so many: each costs an item or a query.
MOST_OF_NAME, MOST_ASKED = 12, 3


def words_of(name: str) -> list[str]:
    """A name's segments, each once, in order; the first twelve."""
    return list(dict.fromkeys(SEGMENTS.findall(name)))[:MOST_OF_NAME]


def asked_for(text: str) -> list[str]:
    """The words of a question, in lower case, the longest first; the first three."""
    found = dict.fromkeys(SEGMENTS.findall(text.lower()))
    return sorted(found, key=len, reverse=True)[:MOST_ASKED]


def matches(name: str, asked: Iterable[str]) -> bool:
    """Whether every word that is asked for begins one of the name's segments."""
    segments = SEGMENTS.findall(name)
    return all(any(segment.startswith(word) for segment in segments) for word in asked)
