"""The request of the moment in the domain's words."""

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
wanted: list[Callable[[], Any]] = []
found: list[Any] = []


@app.route("/", methods=["GET", "POST"])
def view() -> Reply:
    """Asks what a test wants to know."""
    found.append(wanted.pop()())
    return empty(204, {})


def asked(what: Callable[[], Any], target: str = "/", headers: Lines | None = None, body: bytes = b"") -> Any:
    """What a view would see."""
    wanted.append(what)
    app(AppClient.event("POST" if body else "GET", target, headers, body), None)
    return found.pop()


def refused(**headers: str) -> Unauthenticated:
    def attempt() -> Unauthenticated:
        with pytest.raises(Unauthenticated) as caught:
            request.actor()
        return caught.value

    error: Unauthenticated = asked(attempt, "/", headers)
    return error


def test_of_several_values_the_last_counts_and_all_can_be_had() -> None:
    assert asked(lambda: request.parameter("n"), "/?n=1&n=2") == "2"
    assert asked(lambda: request.parameters("n"), "/?n=1&m=3&n=2") == ["1", "2"]


def test_a_parameter_that_is_not_there_is_told_from_an_empty_one() -> None:
    assert asked(lambda: request.parameter("n"), "/?m=1") is None
    assert asked(lambda: request.parameters("n")) == []
    assert asked(lambda: request.parameter("n"), "/?n=") == ""


def test_parameters_are_unquoted() -> None:
    assert asked(lambda: request.parameter("last"), "/?last=a%2Fb%20c+d%C3%A9") == "a/b c d\u00e9"


def test_headers_are_found_in_any_case_and_empty_where_missing() -> None:
    assert asked(lambda: request.header("content-range"), "/", {"Content-Range": "0-1"}) == "0-1"
    assert asked(lambda: request.header("content-range")) == ""


@pytest.mark.parametrize(
    "body", [b"text", b"\xff\x00\xfe", b'{"a":\r\n1}', bytes(range(256)) * 10, "caf\u00e9".encode()]
)
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/octet-stream"])
def test_the_body_is_the_exact_bytes_that_were_sent(body: bytes, content_type: str) -> None:
    assert asked(request.body, "/", {"Content-Type": content_type}, body) == body


def test_no_body_is_no_bytes() -> None:
    assert asked(request.body) == b""


def test_whoever_brings_no_token_is_nobody_from_somewhere() -> None:
    actor: Actor = asked(request.actor)

    assert actor.is_anonymous
    assert actor.address == "127.0.0.9"
    assert actor.grants == {}


def test_whoever_brings_a_token_is_known_with_grants_and_address(app_client: AppClient) -> None:
    actor: Actor = asked(request.actor, "/", app_client.token("admin/app"))

    assert (actor.name, actor.address) == ("admin", "127.0.0.9")
    assert set(actor.grants) == {"admin/app"}


def test_the_scheme_may_be_written_in_any_case(app_client: AppClient) -> None:
    token = app_client.token()["Authorization"].partition(" ")[2]

    assert asked(request.actor, "/", {"Authorization": f"bEARER  {token}"}).name == "admin"


def test_a_password_is_no_token_and_told_where_to_go(app_client: AppClient) -> None:
    assert "the challenge says where" in str(refused(Authorization="Basic YWRtaW46cGFzc3dvcmQ="))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "\u00e9", "." * 1000, "eyJhbGciOiJub25lIn0.e30."])
def test_a_token_that_is_not_ours_is_refused_by_oauths_word(app_client: AppClient, token: str) -> None:
    assert refused(Authorization=f"Bearer {token}").why == "invalid_token"


def test_a_token_that_has_ended_is_refused_even_when_it_was_believed_before(app_client: AppClient) -> None:
    token = app_client.token()
    asked(request.actor, "/", token)
    app_client.backend.clock.ahead_s = app_client.backend.settings.token_s + 1

    assert refused(**token).why == "invalid_token"


def test_a_flag_is_read_as_quay_reads_it() -> None:
    for text, meant in (("true", True), ("1", True), ("yes", True), ("false", False), ("False", False), ("0", False)):
        assert asked(lambda: request.flag("on"), f"/?on={text}") is meant
    assert asked(lambda: request.flag("on", True)) is True
    assert asked(lambda: request.flag("on")) is False


def test_a_number_is_whole_and_not_below_0() -> None:
    assert asked(lambda: request.number("limit", 7), "/?limit=5") == 5
    assert asked(lambda: request.number("limit", 7)) == 7
    for text in ("-1", "1.5", "x", "", "9" * 19, "%D9%A3"):

        def refuse() -> str:
            with pytest.raises(FieldInvalid) as caught:
                request.number("limit", 7)
            return caught.value.field

        assert asked(refuse, f"/?limit={text}") == "limit"


def test_name_and_password_are_read_from_basic() -> None:
    def shown(text: str) -> dict[str, str]:
        return {"Authorization": text}

    assert asked(request.credentials) is None
    assert asked(request.credentials, headers=shown("Basic YTpiOmM=")) == ("a", "b:c")
    for bad in ("Bearer x", "Basic", "Basic !!!", "Basic YWI=", "Basic /w=="):

        def refuse() -> bool:
            with pytest.raises(Unauthenticated):
                request.credentials()
            return True

        assert asked(refuse, headers=shown(bad))
