"""The chalice app over a backend, asked with the events that a gateway would make."""

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
    """The header of a name with its secret."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


class Answer:
    """What a client would see. `length` is the Content-Length, which counts on HEAD too."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.status, self.body = status, body
        self.lines = [(name.decode(), value.decode()) for name, value in headers]
        self.headers = dict(self.lines)

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The first code of OCI's error format."""
        code: str = self.json()["errors"][0]["code"]
        return code


class AppClient:
    """One app over one backend."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def token(self, *repositories: str, name: str = "admin", actions: str = "pull,push,delete") -> dict[str, str]:
        """The header of someone with a token for these repositories."""
        return {"Authorization": f"Bearer {self.backend.token(name, *repositories, actions=actions)}"}

    def ask(self, method: str, target: str, headers: Lines | None = None, body: bytes = b"") -> Answer:
        """Asks for a path with its query, as the gateway does."""
        return self.send(self.event(method, target, headers, body))

    @staticmethod
    def send(event: dict[str, Any]) -> Answer:
        """Asks with an event as it stands."""
        return Answer(*from_answer(app(event, None), event["httpMethod"]))

    @staticmethod
    def event(method: str, target: str, headers: Lines | None = None, body: bytes = b"") -> dict[str, Any]:
        """The event of a request; header lines may stand several times."""
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
    # The backend has the services already, with a clock to be moved: the app shall not build them a second time.
    patch.setattr(wiring, "Services", lambda _: backend.services)
    setting.settings.cache_clear()
    wiring.services.cache_clear()
    yield AppClient(backend)
    setting.settings.cache_clear()
    wiring.services.cache_clear()
