"""Checks Content-Length of a manifest on HEAD, which containerd and docker rely on."""

import re
import shutil
import subprocess

from infra.smoke.claims import Check, Finding, decided, fails, unknown
from infra.smoke.client import SmokeClient
from infra.smoke.content import MANIFEST, an_image

CURL_S = 60
FORMAT = "\n%{http_version} %{http_code}"


def over_http_1(client: SmokeClient) -> Finding:
    """Sends HEAD by tag and by digest over HTTP/1.1."""
    image, tag = an_image(), client.tag()
    client.push(image, tag)
    size, found = str(len(image.manifest)), []
    for reference in (tag, image.digest):
        answer = client.request("HEAD", client.path(f"manifests/{reference}"), [("Accept", MANIFEST)])
        if answer.status != 200 or answer.header("Docker-Content-Digest") != image.digest:
            return fails(f"HEAD: {answer.status}, Docker-Content-Digest {answer.header('Docker-Content-Digest')!r}")
        found.append(answer.header("Content-Length") or "missing")
    return decided(set(found) == {size}, f"the manifest has {size} bytes; by tag {found[0]}, by digest {found[1]}")


def over_http_2(client: SmokeClient) -> Finding:
    """Sends HEAD over HTTP/2 with curl, since Python has no HTTP/2."""
    if not client.url.startswith("https:"):
        return unknown("HTTP/2 needs TLS, and this address has none")
    address = client.path("manifests/TAG")
    curl = shutil.which("curl")
    if not curl:
        return unknown(f'there is no curl here; by hand: curl --http2 -sI -H "Authorization: …" {client.url}{address}')
    image, tag = an_image(), client.tag()
    client.push(image, tag)
    version, status, length = _head(client, curl, client.path(f"manifests/{tag}"))
    if version != "2":
        return unknown(f"curl and this address agreed on HTTP/{version or '?'} (status {status or 'none'})")
    return decided(length == str(len(image.manifest)), f"{status}; {len(image.manifest)} bytes, reported as {length}")


def _head(client: SmokeClient, curl: str, path: str) -> tuple[str, str, str]:
    """Returns version, status and length from curl. The token goes through a pipe, since anybody can read arguments."""
    options = ["--http2", "--silent", "--head", "--max-time", str(CURL_S), "--write-out", FORMAT, "--header", "@-"]
    name, value = client.tokens.authorization()
    done = subprocess.run(
        [curl, *options, client.url + path],
        input=f"{name}: {value}\nAccept: {MANIFEST}\n",
        capture_output=True,
        text=True,
        timeout=CURL_S + 5,
        check=False,
    )
    version, _, status = done.stdout.rpartition("\n")[2].partition(" ")
    length = re.search(r"^content-length:\s*(\d+)", done.stdout, re.IGNORECASE | re.MULTILINE)
    return version, status, length[1] if length else "missing"


REMEDY = (
    "No setting changes it: containerd and docker rely on the wrong size and then refuse the image. The registry would "
    "have to omit Docker-Content-Digest in its answer to HEAD, so that they use GET: report it to its makers. skopeo "
    "and podman can pull."
)
CHECKS = (
    Check("U4", "HEAD of a manifest reports its size (HTTP/1.1).", REMEDY, over_http_1, also=("C2",)),
    Check("B4", "HEAD of a manifest reports its size over HTTP/2 too.", REMEDY, over_http_2, also=("U4", "C2")),
)
