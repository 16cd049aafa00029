"""An OIDC issuer like that of a CI, on loopback; tests can change its keys and break its documents."""

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
    """Returns a cached key for an algorithm, since making an RSA key is slow."""
    options: Any = {"kid": f"{kind}-{number}", "use": "sig"}
    if kind == "RS256":
        return RSAKey.generate_key(2048, options, private=True)
    return ECKey.generate_key("P-256", options, private=True)


class Issuer:
    """Issues tokens for the subject `job`, and serves its keys; `asked` lists the paths that were requested."""

    def __init__(self) -> None:
        self.signs: RSAKey | ECKey = a_key()
        self.keys: list[Any] = [a_key().as_dict(private=False)]
        self.about: dict[str, Any] = {}
        self.pages: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        self._server = FakeServer(self._answer)
        self.url = self._server.url

    @contextmanager
    def running(self) -> Iterator[Issuer]:
        """Yields the issuer while it answers."""
        with self._server.running():
            yield self

    @property
    def asked(self) -> list[str]:
        """The paths that were requested."""
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
        """Signs with this key from now on, and serves only this one."""
        self.signs, self.keys = key, [key.as_dict(private=False)]

    def token(self, backend: Backend, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Returns a token for the backend; a claim or header of None is left out."""
        now = int(backend.clock())
        payload = {
            "iss": self.url, "sub": "job", "aud": backend.settings.url, "iat": now, "nbf": now, "exp": now + 300
        } | claims  # fmt: skip
        payload = {name: value for name, value in payload.items() if value is not None}
        algorithm = "RS256" if isinstance(self.signs, RSAKey) else "ES256"
        jose_header = {"alg": algorithm, "typ": "JWT", "kid": self.signs.kid} | (header or {})
        jose_header = {name: value for name, value in jose_header.items() if value is not None}
        return jwt.encode(jose_header, payload, self.signs, algorithms=[algorithm])
