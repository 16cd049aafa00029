"""The edge way: one PUT above 4 MiB, which CloudFront leads straight to S3."""

import time
from collections.abc import Iterator

from infra.smoke.answers import is_cloudfront, told
from infra.smoke.claims import Check, Finding, decided, fails, holds, unknown
from infra.smoke.content import GIGABYTE, LARGEST_BODY, Stream, digest_of
from infra.smoke.visit import Visit
from infra.smoke.wire import Answer, NoAnswer

THERE = (200, 307)
# Just too much for Lambda.
SIZE = LARGEST_BODY + 1024 * 1024
# After this many seconds without an answer CloudFront gives an origin up, and API Gateway the function.
PATIENCE_S = 30
GATEWAY_S = 29


def _put(visit: Visit, stream: Stream, digest: str) -> Answer:
    return visit.close(visit.begin(), digest, stream.pieces(), stream.size)


def _missing(answer: Answer) -> Finding | None:
    """A finding where no edge is in front: nothing can be said of what is not there."""
    if answer.status == 413 and not is_cloudfront(answer):
        return unknown(f"no edge is in front (`cloudfront = true` brings it): {told(answer)}")
    return None


def proof(visit: Visit) -> Finding:
    """Right bytes are taken and found; wrong ones are refused and not found."""
    stream = Stream(SIZE)
    digest = stream.digest()
    right = _put(visit, stream, digest)
    if missing := _missing(right):
        return missing
    found = visit.find_blob(digest)
    if right.status // 100 != 2 or found.status not in THERE:
        return fails(f"right bytes: {told(right)}, and then HEAD {told(found)}")
    other = digest_of(digest.encode())
    wrong = _put(visit, Stream(SIZE), other)
    after = visit.find_blob(other)
    # Nobody proves what goes to staging before it is looked for.
    is_refused = 400 <= wrong.status < 500 or visit.options.upload_proof == "staging"
    evidence = f"right bytes {told(right)}, HEAD {found.status}; wrong ones {told(wrong)}, HEAD {after.status}"
    return decided(is_refused and after.status == 404, evidence)


def dressed(visit: Visit) -> Finding:
    """S3's 200 without headers arrives as the registry's 201."""
    stream = Stream(SIZE)
    digest = stream.digest()
    answer = _put(visit, stream, digest)
    if missing := _missing(answer):
        return missing
    if answer.status // 100 != 2:
        return unknown(f"no PUT went through, see U1: {told(answer)}")
    location, told_digest = answer.header("Location"), answer.header("Docker-Content-Digest")
    is_right = location.endswith(visit.path(f"blobs/{digest}")) and told_digest == digest
    words = f"{answer.status}, Location {'right' if location else 'missing'}, Docker-Content-Digest "
    words += "right" if told_digest == digest else told_digest or "missing"
    return decided(answer.status == 201 and is_right, words if is_right else f"{words}; {location[:60]}")


def staged(visit: Visit) -> Finding:
    """The first HEAD of a blob in staging copies it, with a checksum, within one request."""
    size = int(visit.options.put_gb * GIGABYTE)
    if visit.options.upload_proof != "staging":
        return unknown("matters with `upload_proof = staging` only; then needs --upload-proof staging --put-gb 5")
    if not size:
        return unknown("needs --put-gb 5, and the time to send that much")
    stream = Stream(size)
    digest = stream.digest()
    answer = _put(visit, stream, digest)
    if answer.status // 100 != 2:
        return fails(f"PUT of {visit.options.put_gb:g} GB: {told(answer)}")
    found = visit.find_blob(digest)
    evidence = (
        f"{visit.options.put_gb:g} GB sent in {answer.seconds:.0f} s; HEAD {told(found)} in {found.seconds:.1f} s"
    )
    return decided(found.status in THERE and found.seconds < GATEWAY_S, evidence)


def slowly(visit: Visit) -> Finding:
    """A body that takes longer than CloudFront waits for an answer."""
    seconds = visit.options.slow_s
    if not seconds:
        return unknown(f"needs --slow 45: a body that takes so many seconds, more than {PATIENCE_S}")
    stream = Stream(SIZE)
    digest = stream.digest()
    try:
        answer = visit.close(visit.begin(), digest, _paced(stream, seconds), stream.size)
    except NoAnswer as error:
        return fails(f"a body of {seconds:g} s: {error}")
    if missing := _missing(answer):
        return missing
    evidence = f"a body of {answer.seconds:.0f} s: {told(answer)}"
    if answer.status == 201 and answer.seconds <= PATIENCE_S:
        return unknown(f"{evidence}, which proves nothing below {PATIENCE_S} s")
    return holds(evidence) if answer.status == 201 else fails(evidence)


def _paced(stream: Stream, seconds: float) -> Iterator[bytes]:
    content = b"".join(stream.pieces())
    step = len(content) // 50
    for start in range(0, len(content), step):
        time.sleep(seconds / 50)
        yield content[start : start + step]


CHECKS = (
    Check(
        "U1",
        "One PUT above 4 MiB goes to S3 when its bytes are those of the digest, and is refused when they are not.",
        'Set `upload_proof = "payload"` and apply; if that fails too, `upload_proof = "staging"`. Right bytes refused '
        "with 503: run the line of `terraform output fill_keys`. Wrong bytes found afterwards: `cloudfront = false`, "
        "at once.",
        proof,
    ),
    Check(
        "U3",
        "A blob of 5 GB that waits in staging is proven by a copy within the time of one request (29 s).",
        'Matters with `upload_proof = "staging"` only: layers above the size that fits 29 s cannot be pushed in one '
        "PUT; people push them through `python -m relay serve`.",
        staged,
    ),
    Check(
        "U7",
        "A body that takes more than 30 s to come is taken on the edge way.",
        "Nothing to switch: large layers over slow lines go through `python -m relay serve`, which sends parts.",
        slowly,
    ),
    Check(
        "U9",
        "The PUT to S3 is answered 201 with Location and Docker-Content-Digest.",
        "Nothing to switch: with 200, docker, containerd and buildx still push, and oras, helm and regctl do not: "
        "those go through `python -m relay serve`, or `cloudfront = false`. A missing Location alone hurts nobody "
        "known.",
        dressed,
    ),
)
