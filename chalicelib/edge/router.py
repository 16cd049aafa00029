"""The router: matches paths to declared routes, which chalice itself leaves to API Gateway.

The gateway has decoded the path once (infra/local/events.py plays it). Nothing here decodes it again: what is escaped
still was escaped twice, and no name, tag or digest has such characters.
"""

import re
from collections.abc import Iterable, Mapping

# A repository's name spans slashes, which some clients escape.
PARAMETER_PATTERNS = {"repository": ".*?"}
PLACEHOLDER = re.compile(r"{(\w+)}")


class Router:
    """Matches a path to the pattern with the most segments, then the most literal one."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._routes = [(pattern, _compile(pattern)) for pattern in sorted(patterns, key=_rank)]

    def match(self, path: str) -> tuple[str | None, Mapping[str, str]]:
        """Returns the pattern of a decoded path and its parameters."""
        for pattern, expression in self._routes:
            if found := expression.fullmatch(path):
                return pattern, found.groupdict()
        return None, {}


def _rank(pattern: str) -> tuple[int, list[tuple[bool, str]]]:
    parts = pattern.split("/")
    return -len(parts), [(part.startswith("{"), part) for part in parts]


def _compile(pattern: str) -> re.Pattern[str]:
    parts = PLACEHOLDER.split(pattern)
    return re.compile(
        "".join(
            re.escape(part) if index % 2 == 0 else f"(?P<{part}>{PARAMETER_PATTERNS.get(part, '[^/]+')})"
            for index, part in enumerate(parts)
        )
        + ("" if pattern.endswith("/") else "/?"),
        re.DOTALL,
    )
