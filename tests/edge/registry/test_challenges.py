"""The 401 challenge."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from chalice.app import Request

from app import app
from chalicelib.domain.digests import Digest
from chalicelib.edge.registry.challenges import challenge
from chalicelib.settings import settings
from tests.support.app_client import Answer, AppClient, basic
from tests.support.builders import push_image

DIGEST = Digest.of(b"")
START = 'Bearer realm="https://registry.test/v2/auth",service="registry.test"'


@pytest.fixture(autouse=True)
def _url(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CLOUDBERTH_URL", "https://registry.test")
    settings.cache_clear()
    yield
    settings.cache_clear()


def request_for(method: str, target: str) -> Request:
    """Returns a request as the application passes it to views."""
    event = AppClient.event(method, target, {"Host": "evil.test"})
    pattern, values = app.router.match(event["path"])
    event["requestContext"]["resourcePath"] = pattern
    return Request(event | {"pathParameters": dict(values)}, None)


def challenged(target: str, method: str = "GET", why: str = "") -> str:
    """Returns the part of the challenge after realm and service."""
    headers = challenge(request_for(method, target), why)
    assert headers["WWW-Authenticate"] == headers["Registry-Challenge"]
    assert headers["WWW-Authenticate"].startswith(START)
    return str(headers["WWW-Authenticate"]).removeprefix(START)


def test_realm_and_service_come_from_the_settings_not_from_the_host_header() -> None:
    assert challenge(request_for("GET", "/v2/"), "")["WWW-Authenticate"] == START
    assert challenge(None, "")["WWW-Authenticate"] == START


@pytest.mark.parametrize(
    ("method", "path", "actions"),
    [
        ("GET", "manifests/v1", "pull"),
        ("HEAD", "manifests/v1", "pull"),
        ("GET", "tags/list", "pull"),
        ("DELETE", "manifests/v1", "pull,delete"),
        ("PUT", "manifests/v1", "pull,push"),
        ("POST", "blobs/uploads/", "pull,push"),
        ("PATCH", "blobs/uploads/x", "pull,push"),
        # Only pushers may look at an upload or cancel it.
        ("GET", "blobs/uploads/x", "pull,push"),
        ("DELETE", "blobs/uploads/x", "pull,push"),
        ("POST", "blobs/uploads/x/presigned", "pull,push"),
        ("POST", "blobs/uploads/x/complete", "pull,push"),
        ("GET", f"referrers/{DIGEST}", "pull"),
        ("DELETE", f"blobs/{DIGEST}", "pull,delete"),
        ("GET", f"blobs/{DIGEST}", "pull"),
        # A push begins with HEAD: oras (Python) never asks for a token with more rights than its first.
        ("HEAD", f"blobs/{DIGEST}", "pull,push"),
    ],
)
def test_the_scope_is_what_the_request_needs(method: str, path: str, actions: str) -> None:
    assert challenged(f"/v2/a/b/{path}", method) == f',scope="repository:a/b:{actions}"'


def test_a_mount_needs_to_pull_from_its_source_too() -> None:
    assert challenged("/v2/a/b/blobs/uploads/?mount=x&from=c/d", "POST") == (
        ',scope="repository:a/b:pull,push repository:c/d:pull"'
    )


def test_the_catalog_has_a_scope_of_its_own() -> None:
    assert challenged("/v2/_catalog") == ',scope="registry:catalog:*"'


def test_the_error_stands_at_the_end() -> None:
    assert challenged("/v2/", why="invalid_token") == ',error="invalid_token"'


@pytest.mark.parametrize(
    "source", ["%22", "a%22,x=%22", "a%0d%0aX:1", "a%0ab", "%00", "caf%C3%A9/b", "%F0%9F%98%80", "a%20b", "A/b"]
)
def test_an_invalid_source_never_reaches_the_header(source: str) -> None:
    """The source stands in quotes in a header line, so characters that end either must not get in."""
    assert challenged(f"/v2/a/b/blobs/uploads/?from={source}", "POST") == ',scope="repository:a/b:pull,push"'


@pytest.mark.parametrize("name", ['a"b', 'a",scope="x', 'a"'])
def test_a_name_that_would_end_the_quotes_never_reaches_the_header(name: str) -> None:
    assert challenged(f"/v2/{name}/tags/list") == ""


# What a relay signs, and what gives tokens, needs no token.
WITHOUT_TOKEN = {"/v2/auth", "/v2/{repository}/blobs/uploads/{upload}/parts"}
ROUTES = [
    (method, pattern)
    for pattern, views in app.routes.items()
    if (pattern == "/v2" or pattern.startswith("/v2/")) and pattern not in WITHOUT_TOKEN
    for method in views
]


def scopes_of(answer: Answer) -> list[str]:
    """Returns the scopes that a challenge asks for."""
    found = re.search('scope="([^"]*)"', answer.headers["www-authenticate"])
    return found[1].split() if found else []


def obeyed(app_client: AppClient, challenge: Answer) -> dict[str, str]:
    """Returns the header with the token of a client that asks for exactly what a challenge says."""
    query = urlencode({"scope": scopes_of(challenge)}, doseq=True)
    given = app_client.ask("GET", f"/v2/auth?{query}", basic("admin", "password"))
    return {"Authorization": f"Bearer {given.json()['token']}"}


@pytest.mark.parametrize("kind", ["tag", "digest"])
@pytest.mark.parametrize(("method", "pattern"), ROUTES)
def test_a_client_that_obeys_the_challenge_of_an_operation_is_let_in(
    app_client: AppClient, method: str, pattern: str, kind: str
) -> None:
    manifest = push_image(app_client.backend, "v1")
    begun = app_client.ask("POST", "/v2/admin/app/blobs/uploads/", app_client.token("admin/app"))
    path = pattern.format(
        repository="admin/app",
        reference="v1" if kind == "tag" else manifest.digest,
        digest=manifest.digest,
        upload=begun.headers["location"].rpartition("/")[2],
    )

    path += f"?digest={DIGEST}" if method == "PUT" else ""
    body = json.dumps({"digest": str(DIGEST), "size": 0}).encode() if method == "POST" else b""

    for authorization in ({}, {"Authorization": "Bearer forged"}):
        refused = app_client.ask(method, path, authorization, body)
        assert refused.status == 401
        assert app_client.ask(method, path, obeyed(app_client, refused), body).status not in (401, 403)


def test_a_mount_obeys_its_challenge(app_client: AppClient) -> None:
    push_image(app_client.backend, "v1", repository="admin/source")
    path = f"/v2/admin/app/blobs/uploads/?mount={DIGEST}&from=admin/source"

    assert app_client.ask("POST", path, obeyed(app_client, app_client.ask("POST", path))).status in (201, 202)
