"""One large PATCH through the relay is checked."""

from collections.abc import Callable

from infra.smoke.claims import Finding, Verdict
from tests.infra.smoke.faults import Fault, PassOn, Request, Reset, Response

CLOUDFRONT = ("X-Amz-Cf-Id", "abc")


def behind_cloudfront(status: int) -> Fault:
    """Answers each PATCH with a status, as CloudFront does."""

    def fault(request: Request, pass_on: PassOn) -> Response:
        if request.method == "PATCH":
            return Response(status, [CLOUDFRONT])
        response = pass_on(request)
        return Response(response.status, [*response.headers, CLOUDFRONT], response.body)

    return fault


def test_without_cloudfront_there_is_no_relay(look: Callable[..., Finding]) -> None:
    finding = look("U12")

    assert finding.verdict is Verdict.NOT_OFFERED
    assert "--relay-gb asks anyway" in finding.evidence


def test_cloudfront_may_be_without_a_relay(look: Callable[..., Finding]) -> None:
    finding = look("U12", behind_cloudfront(413))

    assert finding.verdict is Verdict.NOT_OFFERED
    assert "`relay = { ... }` adds it" in finding.evidence


def test_a_relay_without_a_healthy_task_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails("U12", behind_cloudfront(503), "PATCH of 0.02 GB: 503")


def test_a_relay_that_accepts_the_patch_holds(look: Callable[..., Finding]) -> None:
    finding = look("U12", relay_gb=0.02)

    assert finding.verdict is Verdict.HOLDS
    assert "PUT 201; HEAD 307" in finding.evidence


def test_no_relay_fails(assert_fails: Callable[..., None]) -> None:
    def fault(request: Request, pass_on: PassOn) -> Response:
        return Response(413) if request.method == "PATCH" else pass_on(request)

    assert_fails("U12", fault, "PATCH of 0.02 GB: 413", relay_gb=0.02)


def test_a_relay_that_breaks_off_fails(assert_fails: Callable[..., None]) -> None:
    def fault(request: Request, pass_on: PassOn) -> Response:
        if request.method == "PATCH":
            raise Reset
        return pass_on(request)

    assert_fails("U12", fault, "PATCH of 0.02 GB", relay_gb=0.02)
