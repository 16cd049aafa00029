"""Checks the relay with one chunked PATCH of many gigabytes, as docker (classic), podman and crane send layers."""

from infra.smoke.answers import summary_of
from infra.smoke.claims import Check, Finding, decided, fails, unknown
from infra.smoke.client import SmokeClient
from infra.smoke.content import GIGABYTE, RandomStream
from infra.smoke.wire import NoAnswer


def large_patch(client: SmokeClient) -> Finding:
    """Streams one PATCH and ends the upload with an empty PUT."""
    gigabytes = client.options.relay_gb
    if not gigabytes:
        return unknown("needs --relay-gb 5 where `relay = { ... }` is set, and the time to send that much")
    stream = RandomStream(int(gigabytes * GIGABYTE))
    upload = client.begin()
    try:
        answer = client.patch(upload, stream.pieces())
    except NoAnswer as error:
        return fails(f"PATCH of {gigabytes:g} GB: {error}")
    if answer.status != 202:
        return fails(
            f"PATCH of {gigabytes:g} GB: {summary_of(answer)}, after {answer.sent / GIGABYTE:.2f} GB were sent"
        )
    digest = stream.digest()
    closed = client.close(client.moved(upload, answer), digest)
    found = client.find_blob(digest)
    speed = stream.size / 1e6 / answer.seconds
    evidence = (
        f"{gigabytes:g} GB in {answer.seconds:.0f} s ({speed:.0f} MB/s); PUT {summary_of(closed)}; HEAD {found.status}"
    )
    return decided(closed.status == 201 and found.status in (200, 307), evidence)


CHECKS = (
    Check(
        "U12",
        "The installation's relay accepts a PATCH of many gigabytes in one stream.",
        "413: `relay = { ... }` is not set. Otherwise give it more (`cpu`, `memory`, `tasks` of `relay`) and read its "
        "log group, or remove it: `python -m relay serve` beside the client accepts any size.",
        large_patch,
    ),
)
