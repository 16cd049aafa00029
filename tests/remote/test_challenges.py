"""Challenges are parsed, and answered by tokens that are kept."""

from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from chalicelib.domain.errors import OutgoingRefused
from chalicelib.domain.errors.upstreams import (
    UpstreamDenied,
)
from chalicelib.remote.challenges import parse_challenges
from tests.support.fake_server import respond
from tests.support.registry_clients import NOW, client
from tests.support.upstream import Upstream, on


@pytest.mark.parametrize(
    ("header", "parsed"),
    [
        ('Bearer realm="https://a/b?c=d",service="x y",scope="repository:a/b:pull,push"',
         [("bearer", {"realm": "https://a/b?c=d", "service": "x y", "scope": "repository:a/b:pull,push"})]),
        ('Basic realm="a", Bearer realm="https://t"', [("basic", {"realm": "a"}), ("bearer", {"realm": "https://t"})]),
        ("BEARER Realm=https://t, service=x", [("bearer", {"realm": "https://t", "service": "x"})]),
        (r'Basic realm="a \"quoted\" name"', [("basic", {"realm": 'a "quoted" name'})]),
        ("", []),
    ],
)  # fmt: skip
def test_challenges_are_parsed(header: str, parsed: list[tuple[str, dict[str, str]]]) -> None:
    assert [(one.scheme, dict(one.parameters)) for one in parse_challenges(header)] == parsed


def test_one_login_serves_all_requests_until_the_token_ends(upstream: Upstream) -> None:
    upstream.password, now = "s3cret", [NOW]
    upstream.add_image("latest")
    with client(upstream, clock=lambda: now[0], user="puller", password="s3cret") as registry:
        for _ in range(5):
            assert registry.head("latest")
        assert upstream.logins == 1
        now[0] += 290
        assert registry.head("latest")
    assert upstream.logins == 2


@pytest.mark.parametrize("known", [{}, {"user": "puller", "password": "wrong"}])
def test_wrong_credentials_are_told_without_the_password(upstream: Upstream, known: dict[str, Any]) -> None:
    upstream.password = "s3cret"
    with client(upstream, **known) as registry, pytest.raises(UpstreamDenied) as caught:
        registry.head("latest")
    assert "wrong" not in str(caught.value)
    assert caught.value.field == "external_registry_username"
    assert ("puller" if known else "say a username") in str(caught.value)


def test_basic_authentication_is_answered_and_not_repeated_when_it_is_refused(upstream: Upstream) -> None:
    upstream.add_image("latest")

    def basic(handler: BaseHTTPRequestHandler, _: str) -> bool:
        if handler.headers.get("Authorization", "").startswith("Basic cHVsbGVyOmdvb2Q="):
            return False
        respond(handler, b"{}", 401, WWW_Authenticate='Basic realm="registry"')
        return True

    upstream.fault = basic
    with client(upstream, user="puller", password="good") as registry:
        assert registry.head("latest")
    before = len(upstream.server.asked)
    with client(upstream, user="puller", password="bad") as registry, pytest.raises(UpstreamDenied):
        registry.head("latest")
    assert len(upstream.server.asked) - before <= 3


def test_a_realm_on_a_private_address_is_not_called(upstream: Upstream) -> None:
    challenge = 'Bearer realm="http://169.254.169.254/latest",service="x"'
    upstream.fault = on("manifests", lambda handler: respond(handler, b"", 401, WWW_Authenticate=challenge))
    with client(upstream, user="u", password="p") as registry, pytest.raises(OutgoingRefused):
        registry.head("latest")
