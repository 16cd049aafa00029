"""Paths to declared routes, at any depth: chalice itself leaves the matching to API Gateway."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

# A repository's name spans slashes. Under /v2 it is taken as it stands, escapes and all: its grammar refuses what is no
# name. Elsewhere clients that were made from a document of the API escape its slashes.
SHAPES = {"repository": ".*?"}
AS_IT_STANDS = "/v2/"
PLACEHOLDER = re.compile(r"{(\w+)}")


class Router:
    """Matches a path to the longest, then most literal, of the patterns."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._routes = [(pattern, _compile(pattern)) for pattern in sorted(patterns, key=_rank)]

    def match(self, path: str) -> tuple[str | None, Mapping[str, str]]:
        """The pattern of a raw path and the values of its parameters, unquoted but for the repository."""
        for pattern, expression in self._routes:
            if found := expression.fullmatch(path):
                kept = SHAPES if pattern.startswith(AS_IT_STANDS) else ()
                values = found.groupdict().items()
                return pattern, {name: value if name in kept else unquote(value) for name, value in values}
        return None, {}


def _rank(pattern: str) -> tuple[int, list[tuple[bool, str]]]:
    parts = pattern.split("/")
    return -len(parts), [(part.startswith("{"), part) for part in parts]


def _compile(pattern: str) -> re.Pattern[str]:
    parts = PLACEHOLDER.split(pattern)
    return re.compile(
        "".join(
            re.escape(part) if index % 2 == 0 else f"(?P<{part}>{SHAPES.get(part, '[^/]+')})"
            for index, part in enumerate(parts)
        )
        + "/?",
        re.DOTALL,
    )
