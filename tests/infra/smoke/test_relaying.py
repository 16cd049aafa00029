"""One large PATCH through the relay is checked."""

from collections.abc import Callable

from infra.smoke.claims import Finding, Verdict
from tests.infra.smoke.faults import PassOn, Request, Reset, Response


def test_the_relay_is_unknown_until_somebody_has_the_time(look: Callable[..., Finding]) -> None:
    finding = look("U12")

    assert finding.verdict is Verdict.UNKNOWN
    assert "--relay-gb" in finding.evidence


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
