"""Content-Length of a manifest on HEAD, which containerd and docker believe."""

import re
import shutil
import subprocess

from infra.smoke.claims import Check, Finding, decided, fails, unknown
from infra.smoke.client import SmokeClient
from infra.smoke.content import MANIFEST, an_image

CURL_S = 60
FORMAT = "\n%{http_version} %{http_code}"


def over_http_1(client: SmokeClient) -> Finding:
    """HEAD by tag and by digest, on HTTP/1.1."""
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
    """HEAD on HTTP/2, which needs a program that speaks it."""
    if not client.url.startswith("https:"):
        return unknown("HTTP/2 is spoken over TLS only, and this address has none")
    address = client.path("manifests/TAG")
    curl = shutil.which("curl")
    if not curl:
        return unknown(f'there is no curl here; by hand: curl --http2 -sI -H "Authorization: …" {client.url}{address}')
    image, tag = an_image(), client.tag()
    client.push(image, tag)
    version, status, length = _head(client, curl, client.path(f"manifests/{tag}"))
    if version != "2":
        return unknown(f"curl and this address agreed on HTTP/{version or '?'} (status {status or 'none'})")
    return decided(length == str(len(image.manifest)), f"{status}; {len(image.manifest)} bytes, told as {length}")


def _head(client: SmokeClient, curl: str, path: str) -> tuple[str, str, str]:
    """Version, status and length as curl saw them. The token goes in by a pipe: arguments can be read by everybody."""
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
    "Nothing to switch: containerd and docker believe the wrong size and then refuse the image. The registry would "
    "have to leave Docker-Content-Digest out of its answer to HEAD, so that they ask by GET: tell its makers. skopeo "
    "and podman pull."
)
CHECKS = (
    Check("U4", "HEAD of a manifest tells its size (HTTP/1.1).", REMEDY, over_http_1, also=("C2",)),
    Check("B4", "HEAD of a manifest tells its size over HTTP/2 too.", REMEDY, over_http_2, also=("U4", "C2")),
)
