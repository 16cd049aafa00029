"""Checks of the challenge, of signing in, and of the gateway's own host."""

import base64
from collections.abc import Callable
from dataclasses import replace

import pytest

from infra.smoke.claims import Finding, Verdict
from infra.smoke.client import SmokeClient
from infra.smoke.suite import chosen, run
from tests.infra.smoke.faults import Fault, Front, PassOn, Request, Response


def changed(change: Callable[[Response], Response], status: int = 401) -> Fault:
    """Changes all answers with a status."""

    def fault(request: Request, pass_on: PassOn) -> Response:
        response = pass_on(request)
        return change(response) if response.status == status else response

    return fault


def credentials(request: Request) -> str:
    return base64.b64decode(request.header("Authorization").removeprefix("Basic ")).decode()


def renamed(response: Response) -> Response:
    value = response.header("WWW-Authenticate")
    return response.without("WWW-Authenticate").with_header("x-amzn-remapped-www-authenticate", value)


@pytest.mark.parametrize("name", ["U2", "B1", "B2"])
def test_a_sound_registry_holds(name: str, look: Callable[..., Finding]) -> None:
    assert look(name).verdict is Verdict.HOLDS


def test_a_gateway_that_renames_the_challenge_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails("U2", changed(renamed), "there is no WWW-Authenticate", "Registry-Challenge and the renamed one")


def test_a_missing_challenge_fails(assert_fails: Callable[..., None]) -> None:
    gone = changed(lambda response: response.without("WWW-Authenticate", "Registry-Challenge"))

    assert_fails("U2", gone, "no header at all")


def test_a_challenge_of_another_scheme_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails(
        "U2", changed(lambda response: response.with_header("WWW-Authenticate", 'Basic realm="x"')), "'Basic realm"
    )


def test_a_registry_that_requires_no_token_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails("U2", changed(lambda response: replace(response, status=200)), "GET /v2/ without a token: 200")


def test_a_challenge_that_the_mapping_restored_holds_and_says_so(look: Callable[..., Finding]) -> None:
    both = changed(lambda response: response.with_header("x-amzn-remapped-www-authenticate", "Bearer"))

    finding = look("U2", both)

    assert finding.verdict is Verdict.HOLDS
    assert "the mapping" in finding.evidence


def test_a_realm_on_another_host_fails_and_gets_no_password(
    fronted: Callable[..., Front], make_client: Callable[..., SmokeClient]
) -> None:
    thief = fronted()
    realm = f'Bearer realm="{thief.url}/v2/auth",service="x"'
    client = make_client(fronted(changed(lambda response: response.with_header("WWW-Authenticate", realm))).url)

    row = run(client, chosen(["B1"])[0])

    assert row.finding.verdict is Verdict.FAILS
    assert "another host" in row.finding.evidence
    assert thief.seen == []


def test_a_token_that_is_not_accepted_fails(assert_fails: Callable[..., None]) -> None:
    def fault(request: Request, pass_on: PassOn) -> Response:
        return Response(401) if request.header("Authorization").startswith("Bearer") else pass_on(request)

    assert_fails("B1", fault, "GET /v2/ with it: 401")


def test_a_token_endpoint_that_is_down_fails(assert_fails: Callable[..., None]) -> None:
    def fault(request: Request, pass_on: PassOn) -> Response:
        return (
            Response(503, body=b'{"message":"Service Unavailable"}') if "/v2/auth" in request.path else pass_on(request)
        )

    assert_fails("B1", fault, "503 by gateway")


def test_a_run_ends_with_a_right_password_so_that_nobody_is_locked_out(
    fronted: Callable[..., Front], make_client: Callable[..., SmokeClient]
) -> None:
    front = fronted()
    client = make_client(front.url)

    run(client, chosen(["B2"])[0])

    assert credentials(front.seen[-1]) == f"{client.options.user}:{client.options.password}"


def test_a_token_for_any_password_fails(assert_fails: Callable[..., None]) -> None:
    def fault(request: Request, pass_on: PassOn) -> Response:
        return Response(200, body=b'{"token":"t"}') if "/v2/auth" in request.path else pass_on(request)

    assert_fails("B2", fault, "200")


def test_without_cloudfront_the_gateways_host_is_the_registrys(look: Callable[..., Finding]) -> None:
    assert look("B3").verdict is Verdict.NOT_OFFERED


def test_behind_cloudfront_the_gateways_host_is_unknown_until_it_is_named(look: Callable[..., Finding]) -> None:
    finding = look("B3", changed(lambda response: response.with_header("X-Amz-Cf-Id", "abc")))

    assert finding.verdict is Verdict.UNKNOWN
    assert "--gateway-host" in finding.evidence


@pytest.mark.parametrize(("status", "verdict"), [(403, Verdict.HOLDS), (404, Verdict.HOLDS), (401, Verdict.FAILS)])
def test_the_gateways_host_must_refuse_everyone_and_sees_no_secret(
    status: int, verdict: Verdict, fronted: Callable[..., Front], look: Callable[..., Finding]
) -> None:
    gateway = fronted(lambda request, pass_on: Response(status))

    assert look("B3", gateway=gateway.url).verdict is verdict
    assert [request.header("Authorization") for request in gateway.seen] == [""]
