"""Challenges of other registries, and the tokens that answer them.

https://distribution.github.io/distribution/spec/auth/token/ and RFC 9110 section 11.6.1
"""

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from chalicelib.domain.errors.upstreams import UpstreamDenied, UpstreamUnreachable
from chalicelib.domain.upstreams import Credentials
from chalicelib.remote.streams import Streams

SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.~_-]*")
PARAMETER = re.compile(r'\s*,?\s*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))')
LARGEST_TOKEN = 256 * 1024
# Seconds: how long a token without an end is valid (as the specification says), and how long before its end we stop.
DEFAULT_LIFE_S, SPARE_S = 60, 15


@dataclass(frozen=True, slots=True)
class UpstreamChallenge:
    """One challenge: its scheme in lower case, and its parameters."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(header: str) -> list[UpstreamChallenge]:
    """Parses `WWW-Authenticate`; what cannot be parsed is left out."""
    challenges: list[UpstreamChallenge] = []
    position = 0
    while match := SCHEME.search(header, position):
        position, parameters = match.end(), {}
        while parameter := PARAMETER.match(header, position):
            name, quoted, bare = parameter.groups()
            parameters[name.lower()] = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else bare
            position = parameter.end()
        challenges.append(UpstreamChallenge(match[0].lower(), parameters))
    return challenges


class UpstreamAuthorization:
    """The `Authorization` header for one repository of a registry, shared by all threads that pull from it."""

    def __init__(
        self, streams: Streams, host: str, credentials: Credentials | None, clock: Callable[[], float]
    ) -> None:
        self._streams, self._host, self._credentials, self._clock = streams, host, credentials, clock
        self._header, self._ends = "", 0.0
        self._lock = threading.Lock()

    def header(self) -> dict[str, str]:
        """Returns the headers that authorize a request now; none before the first challenge."""
        return {"Authorization": self._header} if self._header and self._clock() < self._ends else {}

    def answer(self, header: str, refused: Mapping[str, str], scope: str) -> None:
        """Answers a challenge to a request that had the headers `refused`; one of many threads asks for a token.

        Raises UpstreamDenied, UpstreamUnreachable.
        """
        with self._lock:
            if self.header() and self.header() != dict(refused):
                return
            challenges = {one.scheme: one.parameters for one in reversed(parse_challenges(header))}
            if "bearer" in challenges and "realm" in challenges["bearer"]:
                self._header, self._ends = self._token(challenges["bearer"], scope)
            elif "basic" in challenges and self._credentials and not refused:
                self._header, self._ends = self._credentials.basic, float("inf")
            else:
                raise self.denied()

    def denied(self) -> UpstreamDenied:
        """Returns the error for a registry that refuses the credentials."""
        return UpstreamDenied(self._host, self._credentials.username if self._credentials else "")

    def _token(self, parameters: Mapping[str, str], scope: str) -> tuple[str, float]:
        asked = {name: parameters[name] for name in ("service",) if name in parameters}
        asked["scope"] = parameters.get("scope", scope)
        realm, begun = parameters["realm"], self._clock()
        headers = {"Authorization": self._credentials.basic} if self._credentials else {}
        url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(asked)}"
        with self._streams.open("GET", url, headers) as stream:
            if stream.status in (400, 401, 403):
                raise self.denied()
            if stream.status != 200:
                raise UpstreamUnreachable(f"the token service of {self._host} answers {stream.status}")
            token, life_s = _read_token(stream.content(LARGEST_TOKEN), self._host)
        return f"Bearer {token}", begun + max(life_s - SPARE_S, life_s / 2)


def _read_token(content: bytes, host: str) -> tuple[str, float]:
    try:
        document = json.loads(content)
        token = document.get("token") or document.get("access_token")
        life_s = float(document.get("expires_in") or DEFAULT_LIFE_S)
    except (ValueError, AttributeError, TypeError, RecursionError):
        token, life_s = None, 0.0
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise UpstreamUnreachable(f"the token service of {host} sends no token")
    return token, life_s
