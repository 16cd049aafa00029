"""Checks of bodies fail behind a proxy that refuses or loses them."""

from collections.abc import Callable

import pytest

from infra.smoke.claims import Finding, Verdict
from infra.smoke.content import MEBIBYTE
from tests.infra.smoke.faults import Fault, PassOn, Request, Reset, Response

BARE = Response(413, [("Content-Type", "application/json")], b'{"message":"Request Too Long"}')
BROKEN = Response(500, [("Content-Type", "application/json")], b'{"message":"Internal Server Error"}')


def above(size: int, answer: Response | None, method: str = "") -> Fault:
    """Gives bodies above a size this answer, or closes the connection for None."""

    def fault(request: Request, pass_on: PassOn) -> Response:
        if len(request.body) <= size or method not in ("", request.method):
            return pass_on(request)
        if answer is None:
            raise Reset
        return answer

    return fault


@pytest.mark.parametrize("name", ["C3", "U5", "U11", "U6"])
def test_a_sound_registry_holds(name: str, look: Callable[..., Finding]) -> None:
    assert look(name).verdict is Verdict.HOLDS


def test_api_gateway_alone_holds_its_sizes_and_is_named(look: Callable[..., Finding]) -> None:
    finding = look("C3", above(4 * MEBIBYTE, BARE))

    assert finding.verdict is Verdict.HOLDS
    assert 'PATCH of 9 MB: 413 by gateway: {"message":"Request Too Long"}' in finding.evidence


def test_a_refused_manifest_of_4_mib_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails("C3", above(4 * MEBIBYTE - 1, BARE), "manifest of 4 MiB: 413")


@pytest.mark.parametrize(("answer", "word"), [(BROKEN, "500 by gateway"), (None, "no answer")])
def test_anything_but_413_for_a_large_patch_fails(
    answer: Response | None, word: str, assert_fails: Callable[..., None]
) -> None:
    assert_fails("C3", above(10 * MEBIBYTE, answer, "PATCH"), f"of 11 MB: {word}")


def test_a_refusal_in_another_format_behind_cloudfront_fails(assert_fails: Callable[..., None]) -> None:
    answer = Response(413, [("Content-Type", "text/html"), ("X-Amz-Cf-Id", "abc")], b"<html>")

    assert_fails("U5", above(10 * MEBIBYTE, answer), "413 by CloudFront")


def test_an_http_api_alone_offers_no_other_format(look: Callable[..., Finding]) -> None:
    finding = look("U5", above(10 * MEBIBYTE, BARE))

    assert finding.verdict is Verdict.NOT_OFFERED
    assert "413 by gateway" in finding.evidence


def test_a_reset_in_place_of_the_message_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails("U11", above(10 * MEBIBYTE, None), "the message is lost")


def test_a_refusal_with_another_status_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails("U11", above(10 * MEBIBYTE, BROKEN), "500")


def test_chunks_that_are_refused_fail(assert_fails: Callable[..., None]) -> None:
    def fault(request: Request, pass_on: PassOn) -> Response:
        return Response(411) if request.header("Transfer-Encoding") else pass_on(request)

    assert_fails("U6", fault, "4 MiB in chunks: 411")


def test_chunks_that_are_lost_fail(assert_fails: Callable[..., None]) -> None:
    def fault(request: Request, pass_on: PassOn) -> Response:
        body = b"" if request.header("Transfer-Encoding") else request.body
        return pass_on(Request(request.method, request.path, request.headers, body))

    assert_fails("U6", fault, "Range '0-0'")


def test_a_5xx_between_the_limits_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails("U6", above(6 * MEBIBYTE, BROKEN), "8 MB: 500 by gateway")


def test_a_reset_between_the_limits_decides_nothing(look: Callable[..., Finding]) -> None:
    assert look("U6", above(6 * MEBIBYTE, None)).verdict is Verdict.UNKNOWN
