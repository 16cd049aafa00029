"""The Chalice app over a backend, called with the events of a gateway."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app import app
from chalicelib import settings as setting
from chalicelib import wiring
from infra.local.events import from_answer, to_event
from tests.support.backends import Backend

Lines = dict[str, str] | list[tuple[str, str]]


def basic(name: str, secret: str) -> dict[str, str]:
    """Returns the header of basic authentication."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


class Answer:
    """A response as a client sees it."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.status, self.body = status, body
        self.lines = [(name.decode(), value.decode()) for name, value in headers]
        self.headers = dict(self.lines)

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The first error code in OCI's format."""
        code: str = self.json()["errors"][0]["code"]
        return code


class AppClient:
    """One app over one backend."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def token(self, *repositories: str, name: str = "admin", actions: str = "pull,push,delete") -> dict[str, str]:
        """Returns the header with a token for these repositories."""
        return {"Authorization": f"Bearer {self.backend.token(name, *repositories, actions=actions)}"}

    def ask(self, method: str, target: str, headers: Lines | None = None, body: bytes = b"") -> Answer:
        """Sends a request for a path with its query, as the gateway does."""
        return self.send(self.event(method, target, headers, body))

    @staticmethod
    def send(event: dict[str, Any]) -> Answer:
        """Sends an event."""
        return Answer(*from_answer(app(event, None), event["httpMethod"]))

    @staticmethod
    def event(method: str, target: str, headers: Lines | None = None, body: bytes = b"") -> dict[str, Any]:
        """Returns the event of a request; a header may have several lines."""
        path, _, query = target.partition("?")
        lines = headers.items() if isinstance(headers, dict) else headers or ()
        scope = {
            "method": method,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in lines],
            "http_version": "1.1",
            "client": ("127.0.0.9", 50000),
        }
        return to_event(scope, body)


@contextmanager
def opened(backend: Backend, patch: pytest.MonkeyPatch) -> Iterator[AppClient]:
    """A client of the app over a backend, whose settings the app reads from the environment, until it is closed."""
    for name in setting.Settings.__dataclass_fields__:
        value = getattr(backend.settings, name)
        text = {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
        patch.setenv(f"CLOUDBERTH_{name.upper()}", text)
    # The backend has services with a clock that can be moved: the app must not build others.
    patch.setattr(wiring, "Services", lambda _: backend.services)
    setting.settings.cache_clear()
    wiring.services.cache_clear()
    yield AppClient(backend)
    setting.settings.cache_clear()
    wiring.services.cache_clear()
