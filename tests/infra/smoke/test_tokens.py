"""Tokens, and where a password goes."""

import json
from collections.abc import Callable

import pytest

from infra.smoke.tokens import SignInRefused, Tokens, read_token
from infra.smoke.visit import Visit
from infra.smoke.wire import exchange
from tests.infra.smoke.faults import Asked, Front, PassOn, Told


def challenged(realm: str) -> Callable[[Asked, PassOn], Told]:
    value = f'Bearer realm="{realm}",service="registry"'
    return lambda asked, pass_on: Told(401, [("Www-Authenticate", value)], b'{"token":"t","expires_in":300}')


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

    Tokens(front.url, "admin", "secret", "admin/smoke").ask()

    assert [asked.path.partition("?")[0] for asked in front.seen] == ["/v2/", "/steal"]
    assert thief.seen == []


def test_a_token_is_asked_for_once_while_it_is_good(
    fronted: Callable[..., Front], visiting: Callable[..., Visit]
) -> None:
    front = fronted()
    visit = visiting(front.url)

    for _ in range(3):
        visit.ask("GET", visit.path("tags/list"))

    assert sum("/v2/auth" in asked.path for asked in front.seen) == 1


def test_a_token_that_grows_old_is_replaced(fronted: Callable[..., Front], visiting: Callable[..., Visit]) -> None:
    def fault(asked: Asked, pass_on: PassOn) -> Told:
        told = pass_on(asked)
        if "/v2/auth" in asked.path:
            return Told(200, told.headers, json.dumps({**json.loads(told.body), "expires_in": 0}).encode())
        return told

    front = fronted(fault)
    visit = visiting(front.url)
    for _ in range(2):
        visit.ask("GET", visit.path("tags/list"))

    assert sum("/v2/auth" in asked.path for asked in front.seen) == 2


def test_a_refused_password_says_the_registrys_words(visiting: Callable[..., Visit]) -> None:
    with pytest.raises(SignInRefused, match="401 by app: UNAUTHORIZED"):
        visiting(password="wrong").tokens.authorization()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"token":"t","expires_in":"soon"}'])
def test_an_answer_without_a_token_is_refused(body: bytes, fronted: Callable[..., Front]) -> None:
    answer = exchange("GET", fronted(lambda asked, pass_on: Told(200, body=body)).url)

    with pytest.raises(SignInRefused, match="holds none"):
        read_token(answer)


def test_no_secret_is_in_what_is_shown(visiting: Callable[..., Visit]) -> None:
    visit = visiting()
    token = visit.tokens.authorization()[1].removeprefix("Bearer ")
    basic = "YWRtaW46YS1wYXNzd29yZC1mb3ItdGVzdHM="

    shown = visit.tokens.hidden(f"1 {visit.options.password} 2 {token} 3 {basic} 4")

    assert shown == "1 [hidden] 2 [hidden] 3 [hidden] 4"
    assert visit.options.password not in repr(visit.options)
