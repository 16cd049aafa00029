"""Checks bodies around the limits of Lambda (6 MB) and API Gateway (10 MB): who accepts or refuses them, and how."""

from collections.abc import Callable, Iterable

from infra.smoke.answers import errors_of, is_cloudfront, summary_of
from infra.smoke.claims import Check, Finding, decided, fails, holds, not_offered, unknown
from infra.smoke.client import SmokeClient
from infra.smoke.content import LARGEST_BODY, MEBIBYTE, MEGABYTE, RandomStream, an_image, padded
from infra.smoke.wire import Answer, NoAnswer

TOO_LARGE = 413
# No part of an installation accepts a manifest of this size; API Gateway's limit is 10 MB.
OVER_ALL = 12 * MEGABYTE


def _status(send: Callable[[], Answer]) -> tuple[int, str]:
    """Returns status and summary of an answer; the status is 0 if the connection ended without one."""
    try:
        answer = send()
    except NoAnswer as error:
        return 0, f"no answer ({error})"
    return answer.status, summary_of(answer)


def sizes(client: SmokeClient) -> Finding:
    """Sends manifests of 4 and 5 MiB and chunks of 9 and 11 MB."""
    image = an_image()
    client.push_blobs(image)
    four, five = (_manifest(client, padded(image, size * MEBIBYTE)) for size in (4, 5))
    nine, eleven = (_patch(client, bytes(size * MEGABYTE)) for size in (9, 11))
    words = f"manifest of 4 MiB: {four[1]}; of 5 MiB: {five[1]}; PATCH of 9 MB: {nine[1]}; of 11 MB: {eleven[1]}"
    is_right = (four[0], five[0]) == (201, TOO_LARGE) and {nine[0], eleven[0]} <= {202, TOO_LARGE}
    return decided(is_right, words)


def _manifest(client: SmokeClient, content: bytes) -> tuple[int, str]:
    return _status(lambda: client.put_manifest(content, client.tag()))


def _patch(client: SmokeClient, body: bytes | Iterable[bytes]) -> tuple[int, str]:
    upload = client.begin()
    return _status(lambda: client.patch(upload, body))


def usable_refusal(client: SmokeClient) -> Finding:
    """Checks for a 413 in the specification's format; docker fails on other bodies or shows only the number."""
    answer = client.put_manifest(bytes(OVER_ALL), client.tag())
    evidence = f"PUT of a manifest of 12 MB: {summary_of(answer)}"
    if answer.status == TOO_LARGE and not errors_of(answer) and not is_cloudfront(answer):
        return not_offered(f"an HTTP API has a format of its own (`cloudfront = true` refuses before it): {evidence}")
    return decided(answer.status == TOO_LARGE and errors_of(answer), evidence)


def early_refusal(client: SmokeClient) -> Finding:
    """Checks what a client reads if it sends its whole body although the answer came long before."""
    try:
        answer = client.put_manifest(bytes(OVER_ALL), client.tag())
    except NoAnswer as error:
        return fails(f"PUT of 12 MB: the message is lost ({error})")
    sent = f"after {answer.sent / MEGABYTE:.1f} of 12 MB were sent"
    return decided(answer.status == TOO_LARGE, f"{summary_of(answer)}, read {sent}")


def chunked(client: SmokeClient) -> Finding:
    """Sends chunked bodies as docker and podman do: 4 MiB, and a size between the limits of Lambda and the gateway."""
    stream = RandomStream(LARGEST_BODY)
    upload = client.begin()
    answer = client.patch(upload, stream.pieces())
    if answer.status != 202 or answer.header("Range") != f"0-{LARGEST_BODY - 1}":
        return fails(f"4 MiB in chunks: {summary_of(answer)}, Range {answer.header('Range')!r}")
    closed = client.close(client.moved(upload, answer), stream.digest())
    if closed.status != 201:
        return fails(f"4 MiB in chunks were taken, but the upload did not end: {summary_of(closed)}")
    status, outcome = _patch(client, RandomStream(8 * MEGABYTE).pieces())
    words = f"4 MiB taken; 8 MB: {outcome}"
    if status == 0:
        return unknown(words)
    return holds(words) if status in (202, TOO_LARGE) else fails(words)


CHECKS = (
    Check(
        "C3",
        "A manifest of 4 MiB is accepted, one of 5 MiB gets 413; a PATCH of 9 or 11 MB is accepted or gets 413.",
        "Manifests: keep them below the accepted size; no setting changes it. A PATCH with another answer: "
        "`cloudfront = true` refuses it with 413 and advice, `relay = { ... }` accepts it.",
        sizes,
    ),
    Check(
        "U5",
        "A body that is too large gets 413 in the specification's format.",
        "`cloudfront = true`: its function refuses lengths above 4 MiB in this format. An HTTP API cannot: people then "
        "see a bare 413; point them to the README's table of clients.",
        usable_refusal,
    ),
    Check(
        "U11",
        "A 413 that comes before the body was read reaches the client as a message, not as a reset.",
        "No setting changes it: people see `connection reset by peer` for a layer that is too large; tell them to push "
        "through `python -m relay serve`, or set `relay = { ... }`.",
        early_refusal,
    ),
    Check(
        "U6",
        "A chunked PATCH of up to 4 MiB is accepted; one of 8 MB is accepted or gets 413.",
        "docker (classic store), podman and crane push like this. `relay = { ... }` accepts such bodies with "
        "CloudFront; without it people push through `python -m relay serve`. A 5xx in place of 413 makes "
        "clients repeat before they give up.",
        chunked,
    ),
)
