"""Words of the search: the segments of a name, and those of a query."""

import re
from collections.abc import Iterable

SEGMENTS = re.compile(r"[a-z0-9]+")
# How many segments of a name are indexed, and how many words of a query are used: each costs an item or a read.
MOST_OF_NAME, MOST_OF_QUERY = 12, 3


def words_of(name: str) -> list[str]:
    """Returns the first twelve different segments of a name, in order."""
    return list(dict.fromkeys(SEGMENTS.findall(name)))[:MOST_OF_NAME]


def query_words(text: str) -> list[str]:
    """Returns the three longest words of a query in lower case, the longest first."""
    words = dict.fromkeys(SEGMENTS.findall(text.lower()))
    return sorted(words, key=len, reverse=True)[:MOST_OF_QUERY]


def matches(name: str, words: Iterable[str]) -> bool:
    """Whether every word of a query begins one of the name's segments."""
    segments = SEGMENTS.findall(name)
    return all(any(segment.startswith(word) for segment in segments) for word in words)
