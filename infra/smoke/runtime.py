"""Checks the function's environment: its cold start, its hashing and its cost."""

import json
import re
import statistics
import time
from typing import Any

from infra.smoke.answers import summary_of
from infra.smoke.claims import Check, Finding, decided, fails, holds, unknown
from infra.smoke.client import SmokeClient
from infra.smoke.content import MEBIBYTE, RandomStream
from infra.smoke.wire import exchange

LOOK_BACK_S = 24 * 3600
PAGES = 20
TEXT = re.compile(r"Init Duration: ([0-9.]+) ms")
# The longest acceptable cold start, in milliseconds.
LONGEST_INIT_MS = 1500
# One `docker pull` has some ten requests at once.
LEAST_CONCURRENCY = 100
CHUNK = 2 * MEBIBYTE
# The seconds that a chunk may take longer than the same bytes in one PUT. Without libcrypto it takes 3 s for each MiB.
QUICK_S, SLOW_S = 1.0, 2.0


def cold_start(client: SmokeClient) -> Finding:
    """Reads init durations from the function's log; from outside, only the first answer's duration shows."""
    times = [exchange("GET", f"{client.url}/v2/").seconds for _ in range(3)]
    seen = f"the first answer took {client.first_s:.2f} s, later ones {statistics.median(times):.2f} s"
    if not client.options.log_group:
        return unknown(f"{seen}; needs --log-group (see `terraform output log_groups`) and AWS credentials")
    found = init_durations(client.options.log_group)
    if not found:
        return unknown(
            f"{seen}; {client.options.log_group} shows no cold start within a day; it does with `platform_logs = true`"
        )
    median = statistics.median(found)
    measured = f"{len(found)} cold starts within a day: median {median:.0f} ms, longest {max(found):.0f} ms"
    return decided(median <= LONGEST_INIT_MS, f"{measured}; {seen}")


def init_durations(log_group: str) -> list[float]:
    """Returns the milliseconds of the cold starts of the last day, from Lambda's reports in text or JSON.

    https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
    """
    # Importing botocore takes a fifth of a second, and only one option needs it.
    from botocore.session import get_session

    pages = (
        get_session()
        .create_client("logs")
        .get_paginator("filter_log_events")
        .paginate(
            logGroupName=log_group,
            startTime=int((time.time() - LOOK_BACK_S) * 1000),
            filterPattern='?initDurationMs ?"Init Duration"',
        )
    )
    found: list[float] = []
    for number, page in enumerate(pages):
        found += [value for event in page["events"] if (value := init_duration(event["message"])) is not None]
        if number + 1 >= PAGES:
            break
    return found


def init_duration(line: str) -> float | None:
    """Returns the milliseconds of a cold start from a line of the log, or None."""
    if match := TEXT.search(line):
        return float(match[1])
    try:
        report: Any = json.loads(line)
        return float(report["record"]["metrics"]["initDurationMs"])
    except (ValueError, KeyError, TypeError):
        return None


def concurrency(client: SmokeClient) -> Finding:
    """Reads how many functions the account may run at once: new accounts often have 10, for all functions together.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetAccountSettings.html
    """
    if not client.options.log_group:
        return unknown("needs --log-group (see `terraform output log_groups`) and AWS credentials")
    from botocore.session import get_session

    # botocore makes a client's operations from AWS's own model.
    account: Any = get_session().create_client("lambda")
    limits = account.get_account_settings()["AccountLimit"]
    at_once, left = limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]
    words = f"{at_once} executions at once in this account and region, {left} of them not reserved"
    return decided(at_once >= LEAST_CONCURRENCY, words)


def resumed_hash(client: SmokeClient) -> Finding:
    """Compares chunks with the same bytes in one PUT; only chunks resume the hash from a stored state.

    No request shows whether libcrypto resumes it, but the replacement in Python takes seconds for each chunk.
    """
    whole = RandomStream(CHUNK)
    single = [client.close(client.begin(), whole.digest(), whole.pieces(), CHUNK) for _ in range(2)]
    refused = [answer for answer in single if answer.status != 201]
    if refused:
        return unknown(f"PUT of 2 MiB at once: {summary_of(refused[0])}")
    # The odd size makes the stored state end inside a block of the hash.
    stream, upload = RandomStream(2 * CHUNK - 2), client.begin()
    seconds: list[float] = []
    content = b"".join(stream.pieces())
    for start in range(0, len(content), CHUNK - 1):
        answer = client.patch(upload, content[start : start + CHUNK - 1])
        if answer.status != 202:
            return fails(f"PATCH of 2 MiB: {summary_of(answer)}")
        upload, seconds = client.moved(upload, answer), [*seconds, answer.seconds]
    closed = client.close(upload, stream.digest())
    slower = min(seconds) - min(answer.seconds for answer in single)
    words = (
        f"two chunks end with {summary_of(closed)}; 2 MiB as a chunk took {max(slower, 0):.1f} s longer than in one PUT"
    )
    if closed.status == 201 and QUICK_S < slower < SLOW_S:
        return unknown(f"{words}, which may be the network")
    return holds(words) if closed.status == 201 and slower <= QUICK_S else fails(words)


def cost(_: SmokeClient) -> Finding:
    """Returns `unknown`, since no request shows the cost."""
    return unknown(
        "only the bill shows it: Cost Explorer by the tag Application = cloudberth (uploads at the edge: about 0.02 "
        "USD a GB), and CloudWatch in us-east-1, AWS/CloudFront FunctionComputeUtilization of both functions, below 70"
    )


CHECKS = (
    Check(
        "C6",
        "A cold start (Init Duration) takes less than 1.5 s.",
        "Check that the package is sealed: `python -m infra.package` prints its import time. More memory is more CPU: "
        "lambda_memory_size in .chalice/config.json, then package and apply again.",
        cold_start,
    ),
    Check(
        "C7",
        "The account may run 100 functions at once.",
        "Ask for more in the console of Service Quotas (AWS Lambda, concurrent executions) before a team pushes: until "
        "then a few pulls at once get 429 or 503, which clients repeat.",
        concurrency,
    ),
    Check(
        "U8",
        "The runtime's libcrypto resumes a hash from the chunk before.",
        'Chunks cost seconds for each MiB: try the other `architecture` ("arm64", "x86_64"; package again for it). '
        "Until then docker (classic), podman and crane push layers up to 4 MiB slowly, and regctl all of them.",
        resumed_hash,
    ),
    Check(
        "U10",
        "Uploads through CloudFront and its functions cost what was estimated.",
        "If the functions use too much compute, CloudFront throttles them. `cloudfront = false` removes both, and the "
        "limit of bodies is 4 MiB again.",
        cost,
    ),
)
