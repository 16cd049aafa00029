"""People and programs that ask the API: with a session and its CSRF token, with an OAuth token, or with nothing."""

from __future__ import annotations

import json
from typing import Any

from tests.support.app_client import Answer, AppClient

API = "/api/v1"
UNSAFE = ("POST", "PUT", "DELETE")


class ApiClient:
    """One browser, or one program with a token. Paths begin behind /api/v1 unless they begin with it or with `//`."""

    def __init__(self, app_client: AppClient, token: str = "") -> None:
        self.app_client, self.backend, self.token = app_client, app_client.backend, token
        self.cookie, self.csrf = "", ""

    def sign_in(self, name: str, password: str = "password") -> ApiClient:
        """Signs in, which must succeed."""
        answer = self.post("/signin", {"username": name, "password": password})
        assert answer.status == 200, answer.body
        return self

    def get(self, path: str, **headers: str) -> Answer:
        """Sends a GET."""
        return self.ask("GET", path, None, **headers)

    def post(self, path: str, body: object = None, **headers: str) -> Answer:
        """Sends a POST."""
        return self.ask("POST", path, body, **headers)

    def put(self, path: str, body: object = None, **headers: str) -> Answer:
        """Sends a PUT."""
        return self.ask("PUT", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Answer:
        """Sends a DELETE."""
        return self.ask("DELETE", path, None, **headers)

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Sends a request as a page's script does: with cookie and CSRF token, which the response may renew."""
        if method in UNSAFE and not self.csrf and not self.token:
            self.csrf = self._send("GET", "/csrf_token", {}, b"").json()["csrf_token"]
        lines = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            lines.setdefault("Content-Type", "application/json")
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        target = path[1:] if path.startswith("//") else path if path.startswith(API) else API + path
        return self._send(method, target, lines, content)

    def _send(self, method: str, target: str, headers: dict[str, str], content: bytes) -> Answer:
        own: dict[str, str] = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if self.cookie:
            own["Cookie"] = f"session={self.cookie}"
        if self.csrf and method in UNSAFE:
            own["X-CSRF-Token"] = self.csrf
        answer = self.app_client.ask(method, target, own | headers, content)
        self._keep(answer)
        return answer

    def _keep(self, answer: Answer) -> None:
        headers: dict[str, Any] = {name.lower(): value for name, value in answer.lines}
        if cookie := headers.get("set-cookie", ""):
            self.cookie = cookie.partition(";")[0].partition("=")[2]
        self.csrf = headers.get("x-next-csrf-token", self.csrf)
