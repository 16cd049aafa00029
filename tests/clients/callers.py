"""Clients of the API of a running stack over `requests`: users in a browser, and programs with a token."""

from __future__ import annotations

import uuid
from typing import Any

import requests

from tests.clients.registry import Installation
from tests.support.stack import Stack

PASSWORD = "password-1"
# All scopes except the superusers'.
SCOPES = "repo:read repo:write repo:admin repo:create user:read user:admin org:admin"


class Caller:
    """One program. Paths start after the host; redirects are not followed."""

    def __init__(self, stack: Installation, token: str = "") -> None:
        self.stack = stack
        self.http = requests.Session()
        self.http.trust_env = False
        if token:
            self.http.headers["Authorization"] = f"Bearer {token}"

    def ask(self, method: str, path: str, body: object = None, **options: Any) -> requests.Response:
        """Sends a request, with a JSON body if there is one."""
        if body is not None:
            options["json"] = body
        return self.http.request(method, self.stack.url + path, allow_redirects=False, timeout=60, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        """Sends a GET."""
        return self.ask("GET", path, **options)

    def post(self, path: str, body: object = None, **options: Any) -> requests.Response:
        """Sends a POST."""
        return self.ask("POST", path, body, **options)

    def put(self, path: str, body: object = None, **options: Any) -> requests.Response:
        """Sends a PUT."""
        return self.ask("PUT", path, body, **options)

    def delete(self, path: str, **options: Any) -> requests.Response:
        """Sends a DELETE."""
        return self.ask("DELETE", path, **options)


class Person(Caller):
    """A user in a browser, with a cookie and with a CSRF token in every request, which responses may renew."""

    def __init__(self, stack: Installation, name: str, password: str = PASSWORD) -> None:
        super().__init__(stack)
        self.name, self.password = name, password

    def ask(self, method: str, path: str, body: object = None, **options: Any) -> requests.Response:
        """Sends a request as a page's script does."""
        answer = super().ask(method, path, body, **options)
        if following := answer.headers.get("X-Next-CSRF-Token"):
            self.http.headers["X-CSRF-Token"] = following
        return answer

    @property
    def csrf(self) -> str:
        """The CSRF token of the next request."""
        return str(self.http.headers["X-CSRF-Token"])

    def arrive(self) -> None:
        """Gets the CSRF token of an anonymous session."""
        self.http.headers["X-CSRF-Token"] = self.get("/csrf_token").json()["csrf_token"]

    def sign_up(self) -> Person:
        """Signs up as a new user."""
        self.arrive()
        account = {"username": self.name, "password": self.password, "email": f"{self.name}@example.com"}
        self._expect(self.post("/api/v1/user/", account), 200)
        return self

    def sign_in(self) -> Person:
        """Signs in again."""
        self.arrive()
        self._expect(self.post("/api/v1/signin", {"username": self.name, "password": self.password}), 200)
        return self

    def organization(self, name: str = "") -> str:
        """Creates an organization of this user; returns its name."""
        name = name or fresh("org")
        self._expect(self.post("/api/v1/organization/", {"name": name, "email": f"{name}@example.com"}), 201)
        return name

    def program(self, organization: str, scopes: str = SCOPES) -> Caller:
        """Returns a program with a token of a new application of the organization, which acts as this user."""
        path = f"/api/v1/organization/{organization}/applications"
        application = self._expect(self.post(path, {"name": "automation"}), 200)
        created = self._expect(
            self.post(f"{path}/{application['client_id']}/tokens", {"name": "ci", "scope": scopes}), 200
        )
        return Caller(self.stack, created["token"])

    @staticmethod
    def _expect(answer: requests.Response, status: int) -> Any:
        assert answer.status_code == status, answer.text
        return answer.json()


def fresh(kind: str) -> str:
    """Returns a unique name."""
    return f"{kind}{uuid.uuid4().hex[:10]}"


def person(stack: Stack) -> Person:
    """Returns a user who has just signed up."""
    return Person(stack, fresh("user")).sign_up()
