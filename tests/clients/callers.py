"""Who asks the API of a running stack: people in a browser, and programs with a token, over nothing but `requests`."""

from __future__ import annotations

import uuid
from typing import Any

import requests

from tests.clients.registry import Installation

PASSWORD = "password-1"
# All but what only superusers have.
SCOPES = "repo:read repo:write repo:admin repo:create user:read user:admin org:admin"


class Caller:
    """One program. Paths begin at the host; redirects are told, not followed."""

    def __init__(self, stack: Installation, token: str = "") -> None:
        self.stack = stack
        self.http = requests.Session()
        self.http.trust_env = False
        if token:
            self.http.headers["Authorization"] = f"Bearer {token}"

    def ask(self, method: str, path: str, body: object = None, **options: Any) -> requests.Response:
        """Asks, with a body of JSON where there is one."""
        if body is not None:
            options["json"] = body
        return self.http.request(method, self.stack.url + path, allow_redirects=False, timeout=60, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        """Reads."""
        return self.ask("GET", path, **options)

    def post(self, path: str, body: object = None, **options: Any) -> requests.Response:
        """Makes something."""
        return self.ask("POST", path, body, **options)

    def put(self, path: str, body: object = None, **options: Any) -> requests.Response:
        """Changes something."""
        return self.ask("PUT", path, body, **options)

    def delete(self, path: str, **options: Any) -> requests.Response:
        """Removes something."""
        return self.ask("DELETE", path, **options)


class Person(Caller):
    """Somebody in a browser, signed in: a cookie, and a CSRF token with every request, which answers may renew."""

    def __init__(self, stack: Installation, name: str, password: str = PASSWORD) -> None:
        super().__init__(stack)
        self.name, self.password = name, password

    def ask(self, method: str, path: str, body: object = None, **options: Any) -> requests.Response:
        """Asks as a page's script does."""
        answer = super().ask(method, path, body, **options)
        if following := answer.headers.get("X-Next-CSRF-Token"):
            self.http.headers["X-CSRF-Token"] = following
        return answer

    @property
    def csrf(self) -> str:
        """The CSRF token that the next request shows."""
        return str(self.http.headers["X-CSRF-Token"])

    def arrive(self) -> None:
        """Opens the first page: a session of nobody yet."""
        self.http.headers["X-CSRF-Token"] = self.get("/csrf_token").json()["csrf_token"]

    def sign_up(self) -> Person:
        """Becomes a user of the registry."""
        self.arrive()
        told = {"username": self.name, "password": self.password, "email": f"{self.name}@example.com"}
        self._expect(self.post("/api/v1/user/", told), 200)
        return self

    def sign_in(self) -> Person:
        """Comes back."""
        self.arrive()
        self._expect(self.post("/api/v1/signin", {"username": self.name, "password": self.password}), 200)
        return self

    def organization(self, name: str = "") -> str:
        """A new organization that this person owns; its name."""
        name = name or fresh("org")
        self._expect(self.post("/api/v1/organization/", {"name": name, "email": f"{name}@example.com"}), 201)
        return name

    def program(self, organization: str, scopes: str = SCOPES) -> Caller:
        """A program with a token of an application of the organization, which acts as this person."""
        path = f"/api/v1/organization/{organization}/applications"
        made = self._expect(self.post(path, {"name": "automation"}), 200)
        given = self._expect(self.post(f"{path}/{made['client_id']}/tokens", {"name": "ci", "scope": scopes}), 200)
        return Caller(self.stack, given["token"])

    @staticmethod
    def _expect(answer: requests.Response, status: int) -> Any:
        assert answer.status_code == status, answer.text
        return answer.json()


def fresh(kind: str) -> str:
    """A name that nobody has."""
    return f"{kind}{uuid.uuid4().hex[:10]}"


def person(stack: Installation) -> Person:
    """Somebody who has just signed up."""
    return Person(stack, fresh("user")).sign_up()
