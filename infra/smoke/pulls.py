"""Checks that a pull returns what was pushed, however a client spells the URL, and that nothing caches it."""

from urllib.parse import quote, urljoin

from infra.smoke.answers import summary_of
from infra.smoke.claims import Check, Finding, decided, fails, holds, unknown
from infra.smoke.client import SmokeClient
from infra.smoke.content import MANIFEST, an_image, digest_of
from infra.smoke.wire import exchange

# docker's client sends one line for each type.
ACCEPTED = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    MANIFEST,
    "application/vnd.oci.image.index.v1+json",
)


def identical(client: SmokeClient) -> Finding:
    """Pulls a tiny image by tag and by digest."""
    image, tag = an_image(), client.tag()
    client.push(image, tag)
    for reference in (tag, image.digest):
        answer = client.get_manifest(reference)
        if answer.status != 200 or answer.body != image.manifest:
            return fails(
                f"GET {reference[:20]}: {summary_of(answer)}, {len(answer.body)} of {len(image.manifest)} bytes"
            )
        if answer.header("Content-Type") != MANIFEST or answer.header("Docker-Content-Digest") != image.digest:
            return fails(f"GET {reference[:20]}: Content-Type {answer.header('Content-Type')!r}, or another digest")
    return holds(f"{len(image.manifest)} bytes by tag and by digest, GET in {answer.seconds:.2f} s")


def download(client: SmokeClient) -> Finding:
    """Downloads a blob from the target of the redirect, without a token."""
    content = an_image(50_000).blobs[1]
    pushed = client.put_blob(content)
    if pushed.status != 201:
        return fails(f"PUT of a blob of 50 kB: {summary_of(pushed)}")
    redirect = client.request("GET", client.path(f"blobs/{digest_of(content)}"))
    if redirect.status != 307 or not redirect.header("Location"):
        return fails(f"GET of a blob: {summary_of(redirect)} instead of 307")
    address = urljoin(client.url, redirect.header("Location"))
    whole = exchange("GET", address)
    if whole.status != 200 or whole.body != content:
        return fails(f"without a token: {summary_of(whole)}, {len(whole.body)} of {len(content)} bytes, or other ones")
    part = exchange("GET", address, [("Range", "bytes=1000-1999")])
    is_right = part.status == 206 and part.body == content[1000:2000]
    received = "its bytes" if is_right else f"{len(part.body)} bytes"
    host = address.split("/")[2][:60]
    return decided(is_right, f"307 to {host}; whole {whole.status}; bytes 1000-1999: {part.status}, {received}")


def uncached(client: SmokeClient) -> Finding:
    """Checks that tokens and redirects forbid caching, and that a moved tag shows its new manifest at once."""
    first, second, tag = an_image(), an_image(), client.tag()
    client.push(first, tag)
    kept = {
        "token": client.tokens.request_token().header("Cache-Control"),
        "redirect": client.request("GET", client.path(f"blobs/{digest_of(first.blobs[0])}")).header("Cache-Control"),
    }
    before = client.get_manifest(tag).body == first.manifest
    client.push(second, tag)
    after = client.get_manifest(tag).body
    bad = [f"{name} {value!r}" for name, value in kept.items() if "no-store" not in value]
    if bad:
        return fails(f"Cache-Control of {' and '.join(bad)} instead of no-store")
    moved = "shows the new manifest" if after == second.manifest else "still shows the old manifest"
    return decided(before and after == second.manifest, f"no-store on token and redirect; a moved tag {moved}")


def header_lines(client: SmokeClient) -> Finding:
    """Checks that several lines of one header arrive.

    The app ignores Accept, so lost lines show only in If-None-Match: a digest that matches and one that does not get
    the same answer in either order if both arrive.
    """
    image, tag = an_image(), client.tag()
    client.push(image, tag)
    accepting = [("Accept", media_type) for media_type in ACCEPTED]
    answer = client.request("GET", client.path(f"manifests/{tag}"), accepting)
    if answer.status != 200 or answer.body != image.manifest or answer.header("Content-Type") != MANIFEST:
        return fails(f"GET with four lines of Accept: {summary_of(answer)}, {answer.header('Content-Type')}")
    mine, other = f'"{image.digest}"', f'"{digest_of(tag.encode())}"'
    orders = ([mine], [mine, other], [other, mine])
    statuses = [client.get_manifest(tag, [("If-None-Match", each) for each in order]).status for order in orders]
    evidence = f"four lines of Accept: 200; one of If-None-Match: {statuses[0]}, two: {statuses[1]} and {statuses[2]}"
    if statuses[0] != 304:
        return unknown(f"{evidence}: whether a line is lost does not show")
    return decided(statuses[1] == statuses[2], evidence)


def spellings(client: SmokeClient) -> Finding:
    """Checks that a path is decoded once, `%3A` to a colon, `%2F` to a slash, and that a trailing slash is ignored."""
    image, tag = an_image(), client.tag()
    client.push(image, tag)
    blob = digest_of(image.blobs[0])
    escaped, twice = (client.options.repository.replace("/", slash) for slash in ("%2F", "%252F"))
    wanted = {
        "manifest sha256%3A": (client.path(f"manifests/{quote(image.digest, safe='')}"), (200,)),
        "blob sha256%3A": (client.path(f"blobs/{quote(blob, safe='')}"), (307,)),
        "/v2": ("/v2", (200,)),
        "/v2/": ("/v2/", (200,)),
        "tags/list/": (client.path("tags/list/"), (200,)),
        "manifests/TAG/": (client.path(f"manifests/{tag}/"), (200,)),
        "name with %2F": (f"/v2/{escaped}/manifests/{tag}", (200,)),
        "name with %252F": (f"/v2/{twice}/manifests/{tag}", (400, 404)),
    }
    found = {name: client.request("GET", path).status for name, (path, _) in wanted.items()}
    evidence = ", ".join(f"{name} {status}" for name, status in found.items())
    return decided(all(found[name] in right for name, (_, right) in wanted.items()), evidence)


def removable(client: SmokeClient) -> Finding:
    """Checks that tag, manifest and blobs can be deleted and are not found afterwards."""
    image, tag = an_image(), client.tag()
    client.push(image, tag)
    paths = [f"manifests/{tag}", f"manifests/{image.digest}", *(f"blobs/{digest_of(blob)}" for blob in image.blobs)]
    deleted = [client.request("DELETE", client.path(path)).status for path in paths]
    after = [client.request("GET", client.path(path)).status for path in paths]
    evidence = f"DELETE {' '.join(map(str, deleted))}, then GET {' '.join(map(str, after))}"
    return decided(set(deleted) == {202} and set(after) == {404}, evidence)


CHECKS = (
    Check(
        "B5",
        "A tiny image that was pushed is pulled byte for byte, by tag and by digest.",
        "No setting changes it: this is what a registry is for. Read the function's log group (`terraform output "
        "log_groups`).",
        identical,
    ),
    Check(
        "B6",
        "A blob can be downloaded through a redirect, without a token, whole and by Range.",
        'Behind CloudFront: `settings = { CLOUDBERTH_DOWNLOADS = "redirect" }` redirects to S3; 503 there: run the '
        "line of `terraform output fill_keys`. Without CloudFront: check that the function's role may read the bucket.",
        download,
    ),
    Check(
        "B7",
        "Nothing caches tokens, redirects or the old manifest of a moved tag.",
        "The distribution's first behavior must have the policy CachingDisabled (infra/terraform/cloudfront.tf): "
        "`terraform plan` shows whether it has. Otherwise a cache of your own is in front.",
        uncached,
    ),
    Check(
        "C4",
        "Several lines of one header reach the app complete.",
        'The integration must have payload_format_version = "1.0" (infra/terraform/api.tf). No other setting matters; '
        "docker sends one line of Accept for each type, which matters if content is chosen by type.",
        header_lines,
    ),
    Check(
        "C5",
        "A path is decoded once: %3A is a colon, %2F a slash, %252F neither; a trailing slash changes nothing.",
        "No setting changes it: clients that escape like this (some write sha256%3A) cannot pull, and what is decoded "
        "twice may pass a filter in front. Report the value of requestContext.path to the registry's makers.",
        spellings,
    ),
    Check(
        "B8",
        "What was pushed can be deleted and is not found afterwards.",
        "No setting changes it. Until it is solved, this program leaves its small images in the repository.",
        removable,
    ),
)
