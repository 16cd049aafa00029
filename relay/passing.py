"""Requests that are passed on as they are, and answers that are passed back."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

import requests

from relay.patience import Patience
from relay.registry import TIMEOUT_S
from relay.wire import Begun

# RFC 9110 section 7.6.1: what concerns one connection only.
HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer")
) | {"transfer-encoding", "upgrade"}
# Where answers name the registry itself. A redirect is for the client alone: it may lead to S3.
NAMES_REGISTRY = frozenset(("www-authenticate", "registry-challenge", "link", "location"))
# Where it would speak for a connection that it is not about.
OF_TLS = frozenset(("strict-transport-security", "alt-svc"))


def onward(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The headers of a request as the registry shall see them: one value for each, framed and addressed anew."""
    joined: dict[str, str] = {}
    dropped = _dropped(headers) | {"host", "content-length", "expect"}
    for name, value in headers:
        if name.lower() not in dropped:
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def homeward(headers: Iterable[tuple[str, str]], status: int, registry: str, own: str) -> list[tuple[str, str]]:
    """The headers of an answer as the client shall see them: where the registry names itself, stands our address.

    `own` is the address under which the client knows the relay, empty to leave all names as they are.
    """
    headers = list(headers)
    dropped = _dropped(headers) | OF_TLS
    is_redirect = 300 <= status < 400
    kept = []
    for name, value in headers:
        lower = name.lower()
        if lower in dropped:
            continue
        is_ours = own and lower in NAMES_REGISTRY and not (is_redirect and lower == "location")
        kept.append((name, renamed(value, registry, own) if is_ours else value))
    return kept


def renamed(value: str, registry: str, own: str) -> str:
    """A header with our address instead of the registry's, wherever that stands as a whole."""
    return re.sub(rf"{re.escape(origin(registry))}(?::{_port(registry)})?(?=[/\"?#>]|$)", lambda _: own, value)


def origin(url: str) -> str:
    """Scheme and host, and a port that is not the scheme's own."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    standard = {"https": 443, "http": 80}.get(parts.scheme)
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in (None, standard) else "")


def _port(url: str) -> str:
    return {"https": "443", "http": "80"}.get(urlsplit(url).scheme, "")


def _dropped(headers: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Hop-by-hop headers, and those that Connection names."""
    named = [value for name, value in headers if name.lower() == "connection"]
    return HOP_BY_HOP | {word.strip().lower() for value in named for word in value.split(",")}


def ask(
    session: requests.Session,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | Begun | None,
    patience_s: float,
) -> requests.Response:
    """Passes a request on, with path and query as they came, and gives the answer before its body has been read.

    A body that is read while it goes out has its Content-Length among the headers, or comes in chunks. A registry that
    does not answer is tried again, unless some of such a body has gone. Raises requests.RequestException.
    """
    prepared = requests.Request(method, url, headers=dict(headers)).prepare()
    # requests would write escapes in its own way.
    prepared.url = url
    if isinstance(body, bytes):
        prepared.body, prepared.headers["Content-Length"] = body, str(len(body))
    elif body is not None:
        prepared.body = body  # type: ignore[assignment]  # requests takes what can be read, its types do not say so
        if "Content-Length" not in headers:
            prepared.headers.pop("Content-Length", None)

    def attempt() -> requests.Response:
        settings = session.merge_environment_settings(url, {}, True, None, None)
        return session.send(prepared, allow_redirects=False, timeout=TIMEOUT_S, **settings)

    can_repeat = body is None or isinstance(body, bytes)
    return Patience(patience_s if can_repeat else 0).over(attempt)
