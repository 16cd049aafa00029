"""Checks of cold starts, of the hash between chunks, and of the cost."""

import json
import time
from collections.abc import Callable

import pytest

from infra.smoke import runtime
from infra.smoke.claims import Finding, Verdict
from infra.smoke.runtime import init_duration
from tests.infra.smoke.faults import Fault, Front, PassOn, Request, Response

GROUP = "/aws/lambda/registry-api"
TEXT = "REPORT RequestId: 1 Duration: 12.00 ms Billed Duration: 400 ms Memory Size: 1769 MB Init Duration: {} ms\t\n"


def as_json(milliseconds: float) -> str:
    metrics = {"durationMs": 12.0, "initDurationMs": milliseconds}
    return json.dumps({"type": "platform.report", "record": {"requestId": "1", "metrics": metrics}})


@pytest.fixture
def logging(monkeypatch: pytest.MonkeyPatch, fronted: Callable[..., Front]) -> Callable[..., Front]:
    """Plays CloudWatch Logs with these lines."""

    def start(*lines: str) -> Front:
        body = json.dumps({"events": [{"message": line} for line in lines]}).encode()
        front = fronted(lambda request, pass_on: Response(200, [("Content-Type", "application/x-amz-json-1.1")], body))
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", front.url)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "none")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        return front

    return start


def slow(method: str, seconds: float) -> Fault:
    def fault(request: Request, pass_on: PassOn) -> Response:
        response = pass_on(request)
        time.sleep(seconds if request.method == method else 0)
        return response

    return fault


def test_from_outside_a_cold_start_is_unknown(look: Callable[..., Finding]) -> None:
    finding = look("C6")

    assert finding.verdict is Verdict.UNKNOWN
    assert "the first answer took" in finding.evidence


def test_short_cold_starts_in_the_log_hold(logging: Callable[..., Front], look: Callable[..., Finding]) -> None:
    log = logging(TEXT.format("312.5"), as_json(420.0), "START RequestId: 1")

    finding = look("C6", log_group=GROUP)

    assert finding.verdict is Verdict.HOLDS
    assert "2 cold starts within a day: median 366 ms, longest 420 ms" in finding.evidence
    assert json.loads(log.seen[0].body)["logGroupName"] == GROUP


def test_long_cold_starts_in_the_log_fail(logging: Callable[..., Front], look: Callable[..., Finding]) -> None:
    logging(as_json(2900.0))

    assert look("C6", log_group=GROUP).verdict is Verdict.FAILS


@pytest.mark.parametrize(("limit", "verdict"), [(10, Verdict.FAILS), (1000, Verdict.HOLDS)])
def test_an_account_that_runs_few_functions_at_once_fails(
    limit: int, verdict: Verdict, logging: Callable[..., Front], fronted: Callable[..., Front],
    look: Callable[..., Finding], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    logging()
    limits = {"ConcurrentExecutions": limit, "UnreservedConcurrentExecutions": limit}
    body = json.dumps({"AccountLimit": limits}).encode()
    account = fronted(lambda request, pass_on: Response(200, [("Content-Type", "application/json")], body))
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", account.url)

    finding = look("C7", log_group=GROUP)

    assert finding.verdict is verdict
    assert f"{limit} executions at once" in finding.evidence


def test_without_credentials_the_accounts_concurrency_is_unknown(look: Callable[..., Finding]) -> None:
    assert look("C7").verdict is Verdict.UNKNOWN


def test_a_log_without_cold_starts_is_unknown(logging: Callable[..., Front], look: Callable[..., Finding]) -> None:
    logging()

    assert look("C6", log_group=GROUP).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("line", "milliseconds"),
    [
        (TEXT.format("1.25"), 1.25),
        (as_json(7), 7.0),
        ("REPORT RequestId: 1", None),
        ("[]", None),
        ('{"record":{}}', None),
    ],
)
def test_a_line_of_the_log_is_parsed_in_both_formats(line: str, milliseconds: float | None) -> None:
    assert init_duration(line) == milliseconds


def test_a_hash_that_is_resumed_quickly_holds(look: Callable[..., Finding]) -> None:
    finding = look("U8")

    assert finding.verdict is Verdict.HOLDS
    assert "two chunks end with 201" in finding.evidence


def test_chunks_that_take_seconds_fail(monkeypatch: pytest.MonkeyPatch, assert_fails: Callable[..., None]) -> None:
    monkeypatch.setattr(runtime, "SLOW_S", 0.3)
    monkeypatch.setattr(runtime, "QUICK_S", 0.2)

    assert_fails("U8", slow("PATCH", 0.6), "longer than in one PUT")


def test_chunks_that_are_a_little_slower_decide_nothing(look: Callable[..., Finding]) -> None:
    assert look("U8", slow("PATCH", 1.4)).verdict is Verdict.UNKNOWN


def test_a_slow_network_alone_does_not_fail(look: Callable[..., Finding]) -> None:
    def fault(request: Request, pass_on: PassOn) -> Response:
        time.sleep(1.2 if len(request.body) > 1000 else 0)
        return pass_on(request)

    assert look("U8", fault).verdict is Verdict.HOLDS


def test_a_hash_that_went_wrong_fails(assert_fails: Callable[..., None]) -> None:
    def fault(request: Request, pass_on: PassOn) -> Response:
        return Response(400) if request.is_put("uploads") and not request.body else pass_on(request)

    assert_fails("U8", fault, "two chunks end with 400")


def test_the_cost_is_never_known(look: Callable[..., Finding]) -> None:
    finding = look("U10")

    assert finding.verdict is Verdict.UNKNOWN
    assert "Cost Explorer" in finding.evidence
