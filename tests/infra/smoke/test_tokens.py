"""Tokens are requested once, and the password goes only to the named host."""

import json
from collections.abc import Callable

import pytest

from infra.smoke.client import SmokeClient
from infra.smoke.tokens import SignInRefused, Tokens, read_token
from infra.smoke.wire import exchange
from tests.infra.smoke.faults import Front, PassOn, Request, Response


def challenged(realm: str) -> Callable[[Request, PassOn], Response]:
    value = f'Bearer realm="{realm}",service="registry"'
    return lambda request, pass_on: Response(401, [("Www-Authenticate", value)], b'{"token":"t","expires_in":300}')


@pytest.mark.parametrize(
    ("realm", "leads_here"),
    [
        ("http://localhost:5000/v2/auth", True),
        ("http://127.0.0.1:5000/v2/auth", True),
        ("http://localhost:5001/v2/auth", False),
        ("https://localhost:5000/v2/auth", False),
        ("http://registry.example:5000/v2/auth", False),
        ("", False),
    ],
)
def test_the_realm_has_to_be_on_the_same_host(realm: str, leads_here: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = Tokens("http://localhost:5000", "admin", "secret", "admin/smoke")
    monkeypatch.setattr(tokens, "realm", lambda: {"realm": realm})

    assert tokens.leads_here() is leads_here


def test_a_password_goes_to_the_named_host_only(fronted: Callable[..., Front]) -> None:
    thief = fronted()
    front = fronted(challenged(f"{thief.url}/steal"))

    Tokens(front.url, "admin", "secret", "admin/smoke").request_token()

    assert [request.path.partition("?")[0] for request in front.seen] == ["/v2/", "/steal"]
    assert thief.seen == []


def test_a_token_is_requested_once_while_it_is_valid(
    fronted: Callable[..., Front], make_client: Callable[..., SmokeClient]
) -> None:
    front = fronted()
    client = make_client(front.url)

    for _ in range(3):
        client.request("GET", client.path("tags/list"))

    assert sum("/v2/auth" in request.path for request in front.seen) == 1


def test_an_expired_token_is_replaced(fronted: Callable[..., Front], make_client: Callable[..., SmokeClient]) -> None:
    def fault(request: Request, pass_on: PassOn) -> Response:
        response = pass_on(request)
        if "/v2/auth" in request.path:
            return Response(200, response.headers, json.dumps({**json.loads(response.body), "expires_in": 0}).encode())
        return response

    front = fronted(fault)
    client = make_client(front.url)
    for _ in range(2):
        client.request("GET", client.path("tags/list"))

    assert sum("/v2/auth" in request.path for request in front.seen) == 2


def test_a_refused_password_shows_the_registrys_message(make_client: Callable[..., SmokeClient]) -> None:
    with pytest.raises(SignInRefused, match="401 by app: UNAUTHORIZED"):
        make_client(password="wrong").tokens.authorization()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"token":"t","expires_in":"soon"}'])
def test_an_answer_without_a_token_is_refused(body: bytes, fronted: Callable[..., Front]) -> None:
    answer = exchange("GET", fronted(lambda request, pass_on: Response(200, body=body)).url)

    with pytest.raises(SignInRefused, match="contains none"):
        read_token(answer)


def test_no_secret_is_in_what_is_shown(make_client: Callable[..., SmokeClient]) -> None:
    client = make_client()
    token = client.tokens.authorization()[1].removeprefix("Bearer ")
    basic = "YWRtaW46YS1wYXNzd29yZC1mb3ItdGVzdHM="

    shown = client.tokens.hidden(f"1 {client.options.password} 2 {token} 3 {basic} 4")

    assert shown == "1 [hidden] 2 [hidden] 3 [hidden] 4"
    assert client.options.password not in repr(client.options)
