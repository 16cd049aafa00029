"""Checks of large PUTs find the faults of CloudFront and S3."""

from collections.abc import Callable

import pytest

from infra.smoke import edge
from infra.smoke.claims import Finding, Verdict
from infra.smoke.content import LARGEST_BODY
from tests.infra.smoke.faults import Fault, PassOn, Request, Reset, Response

VIA = ("Via", "1.1 abc.cloudfront.net (CloudFront)")
UNSIGNED = b"<?xml version='1.0'?><Error><Code>SignatureDoesNotMatch</Code></Error>"


def on_edge(answer: Callable[[Request, PassOn], Response]) -> Fault:
    """Changes the answers to PUTs that are too large for the app."""

    def fault(request: Request, pass_on: PassOn) -> Response:
        return answer(request, pass_on) if request.is_put("uploads", LARGEST_BODY) else pass_on(request)

    return fault


def taken_as_it_comes(request: Request, pass_on: PassOn) -> Response:
    """Plays an edge that accepts any bytes and a registry that finds the unverified blob."""
    if request.is_put("uploads", LARGEST_BODY):
        digest = request.path.rpartition("digest=")[2].replace("%3A", ":")
        return Response(201, [("Location", f"/v2/admin/smoke/blobs/{digest}"), ("Docker-Content-Digest", digest)])
    return Response(307) if request.method == "HEAD" else pass_on(request)


def unproven_but_not_believed(request: Request, pass_on: PassOn) -> Response:
    """Answers wrong bytes as staging does: 201, and the blob does not exist."""
    response = pass_on(request)
    return Response(201) if response.status == 400 else response


@pytest.mark.parametrize("name", ["U1", "U9"])
def test_a_sound_edge_holds(name: str, look: Callable[..., Finding]) -> None:
    assert look(name).verdict is Verdict.HOLDS


@pytest.mark.parametrize("name", ["U1", "U9", "U7"])
def test_without_an_edge_nothing_is_offered(name: str, look: Callable[..., Finding]) -> None:
    finding = look(name, on_edge(lambda request, pass_on: Response(413)), slow_s=0.1)

    assert finding.verdict is Verdict.NOT_OFFERED
    assert "cloudfront = true" in finding.evidence


def test_a_413_of_the_edge_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails("U1", on_edge(lambda request, pass_on: Response(413, [VIA])), "right bytes: 413")


def test_right_bytes_that_s3_refuses_fail(assert_fails: Callable[..., None]) -> None:
    assert_fails(
        "U1", on_edge(lambda request, pass_on: Response(403, [VIA], UNSIGNED)), "403 by S3", "SignatureDoesNotMatch"
    )


def test_right_bytes_that_are_not_found_fail(assert_fails: Callable[..., None]) -> None:
    assert_fails("U1", on_edge(lambda request, pass_on: Response(201)), "HEAD 404")


def test_wrong_bytes_that_become_a_blob_fail(assert_fails: Callable[..., None]) -> None:
    assert_fails("U1", taken_as_it_comes, "wrong ones 201, HEAD 307")
    assert_fails("U1", taken_as_it_comes, "wrong ones 201, HEAD 307", upload_proof="staging")


def test_wrong_bytes_that_are_accepted_and_not_found_hold_only_in_staging(
    look: Callable[..., Finding], assert_fails: Callable[..., None]
) -> None:
    fault = on_edge(unproven_but_not_believed)

    assert look("U1", fault, upload_proof="staging").verdict is Verdict.HOLDS
    assert_fails("U1", fault, "wrong ones 201, HEAD 404")


def test_s3s_own_200_fails(assert_fails: Callable[..., None]) -> None:
    def fault(request: Request, pass_on: PassOn) -> Response:
        response = pass_on(request)
        return Response(200, response.headers)

    assert_fails("U9", on_edge(fault), "200, Location right")


@pytest.mark.parametrize("header", ["Location", "Docker-Content-Digest"])
def test_a_201_without_a_header_fails(header: str, assert_fails: Callable[..., None]) -> None:
    assert_fails("U9", on_edge(lambda request, pass_on: pass_on(request).without(header)), f"{header} missing")


def test_the_answer_of_a_refused_put_is_unknown(look: Callable[..., Finding]) -> None:
    finding = look("U9", on_edge(lambda request, pass_on: Response(403, [VIA], UNSIGNED)))

    assert finding.verdict is Verdict.UNKNOWN
    assert "see U1" in finding.evidence


def test_staging_is_not_offered_where_it_is_off_and_unknown_without_a_size(look: Callable[..., Finding]) -> None:
    assert look("U3").verdict is Verdict.NOT_OFFERED
    assert look("U3", upload_proof="staging").verdict is Verdict.UNKNOWN
    assert "--put-gb" in look("U3", upload_proof="staging").evidence


def test_a_copy_within_the_time_of_a_request_holds(look: Callable[..., Finding]) -> None:
    assert look("U3", upload_proof="staging", put_gb=0.006).verdict is Verdict.HOLDS


def test_a_copy_that_takes_too_long_fails(monkeypatch: pytest.MonkeyPatch, assert_fails: Callable[..., None]) -> None:
    monkeypatch.setattr(edge, "GATEWAY_S", 0)

    assert_fails("U3", lambda request, pass_on: pass_on(request), "HEAD 307", upload_proof="staging", put_gb=0.006)


def test_a_copy_that_never_ends_fails(assert_fails: Callable[..., None]) -> None:
    def fault(request: Request, pass_on: PassOn) -> Response:
        return Response(503) if request.method == "HEAD" else pass_on(request)

    assert_fails("U3", fault, "HEAD 503", upload_proof="staging", put_gb=0.006)


def test_a_slow_body_is_unknown_until_somebody_has_the_time(look: Callable[..., Finding]) -> None:
    assert "--slow 45" in look("U7").evidence


def test_a_body_that_was_not_slow_proves_nothing(look: Callable[..., Finding]) -> None:
    finding = look("U7", slow_s=0.2)

    assert finding.verdict is Verdict.UNKNOWN
    assert "proves nothing below 30 s" in finding.evidence


def test_a_slow_body_that_is_accepted_holds(monkeypatch: pytest.MonkeyPatch, look: Callable[..., Finding]) -> None:
    monkeypatch.setattr(edge, "PATIENCE_S", 0.5)

    assert look("U7", slow_s=0.6).verdict is Verdict.HOLDS


@pytest.mark.parametrize("answer", [Response(504, [VIA]), None])
def test_a_slow_body_that_is_given_up_fails(answer: Response | None, assert_fails: Callable[..., None]) -> None:
    def given_up(request: Request, pass_on: PassOn) -> Response:
        if answer is None:
            raise Reset
        return answer

    assert_fails("U7", on_edge(given_up), "504" if answer else "a body of 0.1 s", slow_s=0.1)
