"""Checks uploads by the edge: one PUT above 4 MiB, which CloudFront routes directly to S3."""

import time
from collections.abc import Iterator

from infra.smoke.answers import is_cloudfront, summary_of
from infra.smoke.claims import Check, Finding, decided, fails, holds, not_offered, unknown
from infra.smoke.client import SmokeClient
from infra.smoke.content import GIGABYTE, LARGEST_BODY, RandomStream, digest_of
from infra.smoke.wire import Answer, NoAnswer

THERE = (200, 307)
# This is slightly too large for Lambda.
SIZE = LARGEST_BODY + 1024 * 1024
# After this many seconds without an answer CloudFront stops waiting for an origin, and API Gateway for the function.
PATIENCE_S = 30
GATEWAY_S = 29


def _put(client: SmokeClient, stream: RandomStream, digest: str) -> Answer:
    return client.close(client.begin(), digest, stream.pieces(), stream.size)


def _missing(answer: Answer) -> Finding | None:
    """Returns the finding `not offered` if there is no edge in front, else None."""
    if answer.status == 413 and not is_cloudfront(answer):
        return not_offered(f"there is no edge in front (`cloudfront = true` adds it): {summary_of(answer)}")
    return None


def proof(client: SmokeClient) -> Finding:
    """Checks that matching bytes are accepted and found, and that others are refused and not found."""
    stream = RandomStream(SIZE)
    digest = stream.digest()
    right = _put(client, stream, digest)
    if missing := _missing(right):
        return missing
    found = client.find_blob(digest)
    if right.status // 100 != 2 or found.status not in THERE:
        return fails(f"right bytes: {summary_of(right)}, and then HEAD {summary_of(found)}")
    other = digest_of(digest.encode())
    wrong = _put(client, RandomStream(SIZE), other)
    after = client.find_blob(other)
    # Bytes in staging are verified only when the blob is looked up.
    is_refused = 400 <= wrong.status < 500 or client.options.upload_proof == "staging"
    evidence = (
        f"right bytes {summary_of(right)}, HEAD {found.status}; wrong ones {summary_of(wrong)}, HEAD {after.status}"
    )
    return decided(is_refused and after.status == 404, evidence)


def dressed(client: SmokeClient) -> Finding:
    """Checks that S3's 200 without headers arrives as the registry's 201."""
    stream = RandomStream(SIZE)
    digest = stream.digest()
    answer = _put(client, stream, digest)
    if missing := _missing(answer):
        return missing
    if answer.status // 100 != 2:
        return unknown(f"no PUT went through, see U1: {summary_of(answer)}")
    location, returned_digest = answer.header("Location"), answer.header("Docker-Content-Digest")
    is_right = location.endswith(client.path(f"blobs/{digest}")) and returned_digest == digest
    words = f"{answer.status}, Location {'right' if location else 'missing'}, Docker-Content-Digest "
    words += "right" if returned_digest == digest else returned_digest or "missing"
    return decided(answer.status == 201 and is_right, words if is_right else f"{words}; {location[:60]}")


def staged(client: SmokeClient) -> Finding:
    """Checks that the first HEAD of a blob in staging copies it, with a checksum, within one request."""
    size = int(client.options.put_gb * GIGABYTE)
    if client.options.upload_proof != "staging":
        return not_offered("matters with `upload_proof = staging` only; then needs --upload-proof staging --put-gb 5")
    if not size:
        return unknown("needs --put-gb 5, and the time to send that much")
    stream = RandomStream(size)
    digest = stream.digest()
    answer = _put(client, stream, digest)
    if answer.status // 100 != 2:
        return fails(f"PUT of {client.options.put_gb:g} GB: {summary_of(answer)}")
    found = client.find_blob(digest)
    sent = f"{client.options.put_gb:g} GB sent in {answer.seconds:.0f} s"
    evidence = f"{sent}; HEAD {summary_of(found)} in {found.seconds:.1f} s"
    return decided(found.status in THERE and found.seconds < GATEWAY_S, evidence)


def slowly(client: SmokeClient) -> Finding:
    """Sends a body that takes longer than CloudFront waits for an answer."""
    seconds = client.options.slow_s
    if not seconds:
        return unknown(f"needs --slow 45: a body that takes so many seconds, more than {PATIENCE_S}")
    stream = RandomStream(SIZE)
    digest = stream.digest()
    try:
        answer = client.close(client.begin(), digest, _paced(stream, seconds), stream.size)
    except NoAnswer as error:
        return fails(f"a body of {seconds:g} s: {error}")
    if missing := _missing(answer):
        return missing
    evidence = f"a body of {answer.seconds:.0f} s: {summary_of(answer)}"
    if answer.status == 201 and answer.seconds <= PATIENCE_S:
        return unknown(f"{evidence}, which proves nothing below {PATIENCE_S} s")
    return holds(evidence) if answer.status == 201 else fails(evidence)


def _paced(stream: RandomStream, seconds: float) -> Iterator[bytes]:
    content = b"".join(stream.pieces())
    step = len(content) // 50
    for start in range(0, len(content), step):
        time.sleep(seconds / 50)
        yield content[start : start + step]


CHECKS = (
    Check(
        "U1",
        "One PUT above 4 MiB goes to S3 if its bytes match the digest, and is refused if they do not.",
        'Set `upload_proof = "payload"` and apply; if that fails too, `upload_proof = "staging"`. Right bytes refused '
        "with 503: run the line of `terraform output fill_keys`. Wrong bytes found afterwards: `cloudfront = false`, "
        "at once.",
        proof,
    ),
    Check(
        "U3",
        "A copy verifies a blob of 5 GB in staging within the time of one request (22 s).",
        'Matters with `upload_proof = "staging"` only: layers above the size that fits 22 s cannot be pushed in one '
        "PUT; people push them through `python -m relay serve`.",
        staged,
    ),
    Check(
        "U7",
        "The edge accepts a body that takes more than 30 s to arrive.",
        "No setting changes it: large layers over slow lines go through `python -m relay serve`, which sends parts.",
        slowly,
    ),
    Check(
        "U9",
        "The PUT to S3 is answered 201 with Location and Docker-Content-Digest.",
        "No setting changes it: with 200, docker, containerd and buildx still push, and oras, helm and regctl do not: "
        "those go through `python -m relay serve`, or `cloudfront = false`. A missing Location alone breaks no known "
        "client.",
        dressed,
    ),
)
