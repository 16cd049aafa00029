"""An issuer of tokens, as a CI has one: on loopback, with keys that change, and documents that can be broken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from tests.support.backends import Backend
from tests.support.fake_server import FakeServer, respond

DISCOVERY, KEYS = "/.well-known/openid-configuration", "/keys"
PERMITTED = "127.0.0.0/8"


@cache
def a_key(kind: str = "RS256", number: int = 0) -> RSAKey | ECKey:
    """A key for an algorithm; making one of RSA takes its time."""
    options: Any = {"kid": f"{kind}-{number}", "use": "sig"}
    if kind == "RS256":
        return RSAKey.generate_key(2048, options, private=True)
    return ECKey.generate_key("P-256", options, private=True)


class Issuer:
    """Gives tokens about the subject `job`, and answers for its keys; `asked` counts what was fetched."""

    def __init__(self) -> None:
        self.signs: RSAKey | ECKey = a_key()
        self.keys: list[Any] = [a_key().as_dict(private=False)]
        self.about: dict[str, Any] = {}
        self.pages: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        self._server = FakeServer(self._answer)
        self.url = self._server.url

    @contextmanager
    def running(self) -> Iterator[Issuer]:
        """The issuer, while it answers."""
        with self._server.running():
            yield self

    @property
    def asked(self) -> list[str]:
        """What was fetched."""
        return [line.removeprefix("GET ") for line, _ in self._server.asked]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        about = {"issuer": self.url, "jwks_uri": self.url + KEYS} | self.about
        pages = {DISCOVERY: about, KEYS: {"keys": self.keys}}
        if handler.path in self.pages:
            status, content, headers = self.pages[handler.path]
            respond(handler, content, status, **headers)
        elif handler.path in pages:
            respond(handler, json.dumps(pages[handler.path]).encode())
        else:
            respond(handler, b"", 404)

    def sign_with(self, key: RSAKey | ECKey) -> None:
        """From now on this key signs, and is the one that is told."""
        self.signs, self.keys = key, [key.as_dict(private=False)]

    def token(self, backend: Backend, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token for the backend; None leaves a claim out."""
        now = int(backend.clock())
        said = {
            "iss": self.url, "sub": "job", "aud": backend.settings.url, "iat": now, "nbf": now, "exp": now + 300
        } | claims  # fmt: skip
        said = {name: value for name, value in said.items() if value is not None}
        algorithm = "RS256" if isinstance(self.signs, RSAKey) else "ES256"
        told = {"alg": algorithm, "typ": "JWT", "kid": self.signs.kid} | (header or {})
        told = {name: value for name, value in told.items() if value is not None}
        return jwt.encode(told, said, self.signs, algorithms=[algorithm])
