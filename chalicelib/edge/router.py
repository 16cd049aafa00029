"""The router: matches paths to declared routes, which chalice itself leaves to API Gateway."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

# A repository's name spans slashes. Under /v2 it is taken raw, with its escapes: the grammar of names refuses the rest.
# Elsewhere, clients that were generated from the API's documents escape its slashes.
PARAMETER_PATTERNS = {"repository": ".*?"}
RAW_PREFIX = "/v2/"
PLACEHOLDER = re.compile(r"{(\w+)}")


class Router:
    """Matches a path to the pattern with the most segments, then the most literal one."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._routes = [(pattern, _compile(pattern)) for pattern in sorted(patterns, key=_rank)]

    def match(self, path: str) -> tuple[str | None, Mapping[str, str]]:
        """Returns the pattern of a raw path and its parameters, unquoted except for the repository under /v2."""
        for pattern, expression in self._routes:
            if found := expression.fullmatch(path):
                raw = PARAMETER_PATTERNS if pattern.startswith(RAW_PREFIX) else ()
                parameters = found.groupdict().items()
                return pattern, {name: value if name in raw else unquote(value) for name, value in parameters}
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
