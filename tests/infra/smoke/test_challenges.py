"""The challenge, signing in, and the way past CloudFront."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from infra.smoke.claims import Finding, Verdict
from infra.smoke.suite import chosen, run
from infra.smoke.visit import Visit
from tests.infra.smoke.faults import Asked, Fault, Front, PassOn, Told


def changed(change: Callable[[Told], Told], status: int = 401) -> Fault:
    """Changes all answers of a status."""

    def fault(asked: Asked, pass_on: PassOn) -> Told:
        told = pass_on(asked)
        return change(told) if told.status == status else told

    return fault


def renamed(told: Told) -> Told:
    value = told.header("WWW-Authenticate")
    return told.without("WWW-Authenticate").with_header("x-amzn-remapped-www-authenticate", value)


@pytest.mark.parametrize("name", ["U2", "B1", "B2"])
def test_a_sound_registry_holds(name: str, look: Callable[..., Finding]) -> None:
    assert look(name).verdict is Verdict.HOLDS


def test_a_gateway_that_renames_the_challenge_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails("U2", changed(renamed), "there is no WWW-Authenticate", "Registry-Challenge and the renamed one")


def test_a_challenge_that_arrives_by_no_name_fails(assert_fails: Callable[..., None]) -> None:
    gone = changed(lambda told: told.without("WWW-Authenticate", "Registry-Challenge"))

    assert_fails("U2", gone, "no challenge by any name")


def test_another_scheme_is_no_challenge_of_ours(assert_fails: Callable[..., None]) -> None:
    assert_fails("U2", changed(lambda told: told.with_header("WWW-Authenticate", 'Basic realm="x"')), "'Basic realm")


def test_a_registry_that_asks_for_no_token_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails("U2", changed(lambda told: replace(told, status=200)), "GET /v2/ without a token: 200")


def test_a_challenge_that_the_mapping_restored_holds_and_says_so(look: Callable[..., Finding]) -> None:
    both = changed(lambda told: told.with_header("x-amzn-remapped-www-authenticate", "Bearer"))

    finding = look("U2", both)

    assert finding.verdict is Verdict.HOLDS
    assert "the mapping" in finding.evidence


def test_a_realm_on_another_host_fails_and_gets_no_password(
    fronted: Callable[..., Front], visiting: Callable[..., Visit]
) -> None:
    thief = fronted()
    realm = f'Bearer realm="{thief.url}/v2/auth",service="x"'
    visit = visiting(fronted(changed(lambda told: told.with_header("WWW-Authenticate", realm))).url)

    row = run(visit, chosen(["B1"])[0])

    assert row.finding.verdict is Verdict.FAILS
    assert "another host" in row.finding.evidence
    assert thief.seen == []


def test_a_token_that_is_not_believed_fails(assert_fails: Callable[..., None]) -> None:
    def fault(asked: Asked, pass_on: PassOn) -> Told:
        return Told(401) if asked.header("Authorization").startswith("Bearer") else pass_on(asked)

    assert_fails("B1", fault, "GET /v2/ with it: 401")


def test_a_token_endpoint_that_is_down_fails(assert_fails: Callable[..., None]) -> None:
    def fault(asked: Asked, pass_on: PassOn) -> Told:
        return Told(503, body=b'{"message":"Service Unavailable"}') if "/v2/auth" in asked.path else pass_on(asked)

    assert_fails("B1", fault, "503 by gateway")


def test_a_token_for_any_password_fails(assert_fails: Callable[..., None]) -> None:
    def fault(asked: Asked, pass_on: PassOn) -> Told:
        return Told(200, body=b'{"token":"t"}') if "/v2/auth" in asked.path else pass_on(asked)

    assert_fails("B2", fault, "200")


def test_the_gateways_host_is_unknown_until_it_is_named(look: Callable[..., Finding]) -> None:
    finding = look("B3")

    assert finding.verdict is Verdict.UNKNOWN
    assert "--gateway-host" in finding.evidence


@pytest.mark.parametrize(("status", "verdict"), [(403, Verdict.HOLDS), (404, Verdict.HOLDS), (401, Verdict.FAILS)])
def test_the_gateways_host_must_refuse_everyone_and_sees_no_secret(
    status: int, verdict: Verdict, fronted: Callable[..., Front], look: Callable[..., Finding]
) -> None:
    gateway = fronted(lambda asked, pass_on: Told(status))

    assert look("B3", gateway=gateway.url).verdict is verdict
    assert [asked.header("Authorization") for asked in gateway.seen] == [""]
