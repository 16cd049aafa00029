"""The current request: its actor, parameters, headers, body and credentials."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.errors import FieldInvalid, Unauthenticated
from chalicelib.domain.permissions import Actor
from chalicelib.edge import request
from chalicelib.edge.application import RegistryApp
from chalicelib.edge.response import Reply, empty
from tests.support.app_client import AppClient, Lines

app = RegistryApp("asked")
functions: list[Callable[[], Any]] = []
results: list[Any] = []


@app.route("/", methods=["GET", "POST"])
def view() -> Reply:
    """Calls the function of the test within a request."""
    results.append(functions.pop()())
    return empty(204, {})


def within_request(what: Callable[[], Any], target: str = "/", headers: Lines | None = None, body: bytes = b"") -> Any:
    """Returns the result of a function that is called within a request."""
    functions.append(what)
    app(AppClient.event("POST" if body else "GET", target, headers, body), None)
    return results.pop()


def refused(**headers: str) -> Unauthenticated:
    def attempt() -> Unauthenticated:
        with pytest.raises(Unauthenticated) as caught:
            request.actor()
        return caught.value

    error: Unauthenticated = within_request(attempt, "/", headers)
    return error


def test_the_last_of_several_values_counts_and_all_can_be_read() -> None:
    assert within_request(lambda: request.parameter("n"), "/?n=1&n=2") == "2"
    assert within_request(lambda: request.parameters("n"), "/?n=1&m=3&n=2") == ["1", "2"]


def test_a_missing_parameter_differs_from_an_empty_one() -> None:
    assert within_request(lambda: request.parameter("n"), "/?m=1") is None
    assert within_request(lambda: request.parameters("n")) == []
    assert within_request(lambda: request.parameter("n"), "/?n=") == ""


def test_parameters_are_unquoted() -> None:
    assert within_request(lambda: request.parameter("last"), "/?last=a%2Fb%20c+d%C3%A9") == "a/b c d\u00e9"


def test_headers_ignore_case_and_are_empty_if_missing() -> None:
    assert within_request(lambda: request.header("content-range"), "/", {"Content-Range": "0-1"}) == "0-1"
    assert within_request(lambda: request.header("content-range")) == ""


@pytest.mark.parametrize(
    "body", [b"text", b"\xff\x00\xfe", b'{"a":\r\n1}', bytes(range(256)) * 10, "caf\u00e9".encode()]
)
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/octet-stream"])
def test_the_body_is_the_exact_bytes_that_were_sent(body: bytes, content_type: str) -> None:
    assert within_request(request.body, "/", {"Content-Type": content_type}, body) == body


def test_a_missing_body_is_empty() -> None:
    assert within_request(request.body) == b""


def test_a_request_without_a_token_is_anonymous_with_an_address() -> None:
    actor: Actor = within_request(request.actor)

    assert actor.is_anonymous
    assert actor.address == "127.0.0.9"
    assert actor.grants == {}


def test_a_request_with_a_token_has_its_grants_and_an_address(app_client: AppClient) -> None:
    actor: Actor = within_request(request.actor, "/", app_client.token("admin/app"))

    assert (actor.name, actor.address) == ("admin", "127.0.0.9")
    assert set(actor.grants) == {"admin/app"}


def test_the_scheme_may_be_written_in_any_case(app_client: AppClient) -> None:
    token = app_client.token()["Authorization"].partition(" ")[2]

    assert within_request(request.actor, "/", {"Authorization": f"bEARER  {token}"}).name == "admin"


def test_a_password_instead_of_a_token_is_challenged(app_client: AppClient) -> None:
    assert "the challenge says where" in str(refused(Authorization="Basic YWRtaW46cGFzc3dvcmQ="))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "\u00e9", "." * 1000, "eyJhbGciOiJub25lIn0.e30."])
def test_an_invalid_token_is_refused_with_oauth_s_error(app_client: AppClient, token: str) -> None:
    assert refused(Authorization=f"Bearer {token}").why == "invalid_token"


def test_an_expired_token_is_refused_even_if_it_was_accepted_before(app_client: AppClient) -> None:
    token = app_client.token()
    within_request(request.actor, "/", token)
    app_client.backend.clock.ahead_s = app_client.backend.settings.token_s + 1

    assert refused(**token).why == "invalid_token"


def test_a_flag_is_read_as_quay_reads_it() -> None:
    for text, meant in (("true", True), ("1", True), ("yes", True), ("false", False), ("False", False), ("0", False)):
        assert within_request(lambda: request.flag("on"), f"/?on={text}") is meant
    assert within_request(lambda: request.flag("on", True)) is True
    assert within_request(lambda: request.flag("on")) is False


def test_a_number_is_whole_and_not_below_0() -> None:
    assert within_request(lambda: request.number("limit", 7), "/?limit=5") == 5
    assert within_request(lambda: request.number("limit", 7)) == 7
    for text in ("-1", "1.5", "x", "", "9" * 19, "%D9%A3"):

        def refuse() -> str:
            with pytest.raises(FieldInvalid) as caught:
                request.number("limit", 7)
            return caught.value.field

        assert within_request(refuse, f"/?limit={text}") == "limit"


def test_name_and_password_are_read_from_basic() -> None:
    def basic_header(text: str) -> dict[str, str]:
        return {"Authorization": text}

    assert within_request(request.credentials) is None
    assert within_request(request.credentials, headers=basic_header("Basic YTpiOmM=")) == ("a", "b:c")
    for bad in ("Bearer x", "Basic", "Basic !!!", "Basic YWI=", "Basic /w=="):

        def refuse() -> bool:
            with pytest.raises(Unauthenticated):
                request.credentials()
            return True

        assert within_request(refuse, headers=basic_header(bad))
