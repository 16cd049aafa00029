"""Checks the relay with one chunked PATCH above 4 MiB, as docker (classic), podman and crane send layers."""

from infra.smoke.answers import summary_of
from infra.smoke.claims import Check, Finding, decided, fails, not_offered
from infra.smoke.client import SmokeClient
from infra.smoke.content import GIGABYTE, RandomStream
from infra.smoke.wire import NoAnswer

# What shows that a relay is there and works, in gigabytes: above what the registry's own function accepts.
LEAST_GB = 0.02
TOO_LARGE = 413


def large_patch(client: SmokeClient) -> Finding:
    """Streams one PATCH and ends the upload with an empty PUT."""
    if not client.options.relay_gb and not client.is_behind_cloudfront():
        return not_offered("a relay needs CloudFront (`cloudfront = true`, `relay = { ... }`); --relay-gb asks anyway")
    gigabytes = client.options.relay_gb or LEAST_GB
    stream = RandomStream(int(gigabytes * GIGABYTE))
    upload = client.begin()
    try:
        answer = client.patch(upload, stream.pieces())
    except NoAnswer as error:
        return fails(f"PATCH of {gigabytes:g} GB: {error}")
    if answer.status == TOO_LARGE and not client.options.relay_gb:
        return not_offered(f"there is no relay (`relay = {{ ... }}` adds it): {summary_of(answer)}")
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
        "The installation's relay accepts a PATCH of 20 MB, or of --relay-gb, in one stream.",
        "413: `relay = { ... }` is not set. 502 to 504: no task of the relay is healthy; run the line of `terraform "
        "output fill_keys`, which deploys it anew, and read its log group. Otherwise give it more (`cpu`, `memory`, "
        "`tasks` of `relay`), or remove it: `python -m relay serve` beside the client accepts any size.",
        large_patch,
    ),
)
