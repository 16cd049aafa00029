"""Replays of clients that the tests do not install, according to their sources and recordings.

Each replay sends its client's headers, framing and query, treats `Location` as that client does, and fails on an answer
that the client would not accept. Over plain HTTP all of them speak HTTP/1.1 (Go offers HTTP/2 only over TLS).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urljoin, urlsplit

from tests.protocol import content
from tests.protocol.content import Blob, Image, Manifest, digest_of
from tests.protocol.wire import Body, Headers, Reply, Wire

PIECE = 32 * 1024
OCTETS = ("Content-Type", "application/octet-stream")
IMAGE_TYPES = [content.DOCKER_MANIFEST, content.DOCKER_LIST, content.OCI_MANIFEST, content.OCI_INDEX]


class Client:
    """The common base: it answers challenges once and follows redirects without the token."""

    agent = ""
    # How many blobs are uploaded in parallel, each on its own connection.
    side_by_side = 3
    accept_on_manifests: Headers = (("Accept", ", ".join(IMAGE_TYPES)),)
    # Headers of every request.
    always: Headers = ()
    # The actions that a push requests, in this client's order.
    push_actions = "pull,push"

    def __init__(self, url: str, user: str, password: str, name: str) -> None:
        self.url, self.user, self.password, self.name = url, user, password, name
        self.host = urlsplit(url).netloc
        self.token = ""
        # The scopes to request instead of the challenge's.
        self.scopes: list[str] = []

    # Overridden by single clients

    def check_redirect(self, host: str) -> None:
        """Fails if this client would not follow a redirect to a host."""

    def ask_for_token(self, challenge: dict[str, str]) -> Reply:
        """Requests a token by GET with Basic credentials, which is the older and more common way."""
        query = self.token_query(challenge)
        basic = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        path = f"{urlsplit(challenge['realm']).path}?{urlencode(query)}"
        return self.send("GET", path, [("Authorization", f"Basic {basic}")])

    def token_query(self, challenge: dict[str, str]) -> list[tuple[str, str]]:
        return [*(("scope", scope) for scope in self.wanted(challenge)), ("service", challenge["service"])]

    def wanted(self, challenge: dict[str, str]) -> list[str]:
        return self.scopes or [challenge[key] for key in ("scope",) if key in challenge]

    def upload(self, wire: Wire, blob: Blob) -> None:
        raise NotImplementedError

    # Requests

    def send(self, method: str, target: str, headers: Headers, body: Body = None, wire: Wire | None = None) -> Reply:
        """Sends one request with headers in Go's order and the unchanged target."""
        lines = [("Host", self.host), ("User-Agent", self.agent), *self.always, *headers]
        if not any(name == "Accept-Encoding" for name, _ in headers):
            lines.append(("Accept-Encoding", "gzip"))
        if wire:
            return wire.exchange(method, target, lines, body)
        with Wire(self.url) as fresh:
            return fresh.exchange(method, target, lines, body)

    def request(self, method: str, path: str, headers: Headers, body: Body = None, wire: Wire | None = None) -> Reply:
        """Sends a request with the token, or requests one after a challenge. Bodies are never sent twice."""
        target = path if path.startswith("/") else f"/v2/{self.name}/{path}"
        reply = self.send(method, target, [*headers, *self.authorization()], body, wire)
        if reply.status == 401 and body is None:
            self.answer_challenge(reply)
            reply = self.send(method, target, [*headers, *self.authorization()], None, wire)
        return reply

    def authorization(self) -> Headers:
        return [("Authorization", f"Bearer {self.token}")] if self.token else []

    def answer_challenge(self, refusal: Reply) -> None:
        scheme, _, fields = refusal.header("WWW-Authenticate").partition(" ")
        assert scheme.lower() == "bearer"
        reply = self.ask_for_token(dict(re.findall(r'(\w+)="([^"]*)"', fields)))
        assert reply.status == 200, reply.body
        given = json.loads(reply.body)
        self.token = given.get("access_token") or given["token"]

    def ping(self) -> None:
        assert self.send("GET", "/v2/", []).status in (200, 401)

    def follow(self, method: str, path: str, headers: Headers) -> Reply:
        """Follows redirects as Go does: the token is dropped when the host changes."""
        reply = self.request(method, path, headers)
        if reply.status not in (301, 302, 307, 308):
            return reply
        address = urlsplit(urljoin(f"{self.url}/v2/{self.name}/{path}", reply.header("Location")))
        self.check_redirect(address.hostname or "")
        target = f"{address.path}?{address.query}" if address.query else address.path
        token = self.authorization() if address.netloc == self.host else []
        lines = [("Host", address.netloc), ("User-Agent", self.agent), *headers, *token]
        with Wire(f"{address.scheme}://{address.netloc}") as wire:
            return wire.exchange(method, target, lines)

    # Pushing

    def push(self, image: Image, reference: str) -> None:
        self.ping()
        self.ask_to_push()
        assert self.has(image.blobs[0].digest) is False
        with ThreadPoolExecutor(self.side_by_side) as pool:
            list(pool.map(self.push_blob, {blob.digest: blob for blob in image.blobs}.values()))
        self.push_manifest(image.manifest, reference)

    def ask_to_push(self) -> None:
        """Requests all actions of a push at once, whatever the first challenge names."""
        self.scopes = [f"repository:{self.name}:{self.push_actions}"]

    def push_blob(self, blob: Blob) -> None:
        self.ask_to_push()
        if self.has(blob.digest):
            return
        with Wire(self.url) as wire:
            self.upload(wire, blob)

    def has(self, digest: str) -> bool:
        reply = self.follow("HEAD", f"blobs/{digest}", [])
        assert reply.status in (200, 404)
        return reply.status == 200

    def start(self, wire: Wire, query: str = "", headers: Headers = ()) -> str:
        """Sends the POST; returns the Location as a path with its query, resolved against the request."""
        path = f"/v2/{self.name}/blobs/uploads/{query}"
        reply = self.request("POST", path, [("Content-Length", "0"), *headers], wire=wire)
        assert reply.status == 202, (reply.status, reply.body)
        return self.located(reply)

    def located(self, reply: Reply) -> str:
        return urljoin(f"{self.url}/v2/{self.name}/blobs/uploads/", reply.header("Location"))

    def push_manifest(self, manifest: Manifest, reference: str, accepted: tuple[int, ...] = (201,)) -> Reply:
        headers = [("Content-Length", str(len(manifest.content))), ("Content-Type", manifest.media_type)]
        reply = self.request("PUT", f"manifests/{reference}", headers, manifest.content)
        assert reply.status in accepted, (reply.status, reply.body)
        return reply

    # Pulling

    def resolve(self, reference: str) -> tuple[str, int, str]:
        """Sends a HEAD; returns digest, length and type, from which the manifest's descriptor is made."""
        reply = self.request("HEAD", f"manifests/{reference}", self.accept_on_manifests)
        assert reply.status == 200
        return (
            reply.header("Docker-Content-Digest"),
            int(reply.header("Content-Length")),
            reply.header("Content-Type"),
        )

    def pull(self, reference: str) -> dict[str, bytes]:
        """Returns everything below the reference, by digest, verified on arrival."""
        digest, size, media_type = self.resolve(reference)
        found: dict[str, bytes] = {}
        self.descend({"digest": digest, "size": size, "mediaType": media_type}, found)
        return found

    def descend(self, descriptor: dict[str, Any], found: dict[str, bytes]) -> None:
        digest, media_type = descriptor["digest"], descriptor["mediaType"]
        is_manifest = media_type in IMAGE_TYPES
        reply = self.fetch_manifest(digest, media_type) if is_manifest else self.fetch_blob(digest, media_type)
        assert reply.status == 200
        assert len(reply.body) == descriptor["size"]
        assert digest_of(reply.body) == digest
        found[digest] = reply.body
        document = json.loads(reply.body) if is_manifest else {}
        for child in [
            *document.get("manifests", []),
            *document.get("layers", []),
            *filter(None, [document.get("config")]),
        ]:
            self.descend(child, found)

    def fetch_manifest(self, digest: str, media_type: str) -> Reply:
        return self.request("GET", f"manifests/{digest}", self.accept_on_manifests)

    def fetch_blob(self, digest: str, media_type: str) -> Reply:
        return self.follow("GET", f"blobs/{digest}", [])


class Containerd(Client):
    """containerd 2.3 and all that share its pusher: POST, then one PUT. core/remotes/docker/pusher.go"""

    agent = "containerd/v2.3.3"
    accept_on_manifests: Headers = (("Accept", ", ".join([*IMAGE_TYPES, "*/*"])),)

    def ask_for_token(self, challenge: dict[str, str]) -> Reply:
        """Requests a token by POST first (OAuth 2), with the password in the form."""
        form = urlencode(
            sorted(
                {
                    "grant_type": "password",
                    "service": challenge["service"],
                    "client_id": "containerd-client",
                    "scope": " ".join(self.wanted(challenge)),
                    "username": self.user,
                    "password": self.password,
                }.items()
            )
        ).encode()
        headers = [
            ("Content-Length", str(len(form))),
            ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
        ]
        return self.send("POST", urlsplit(challenge["realm"]).path, headers, form)

    def upload(self, wire: Wire, blob: Blob) -> None:
        self.put(wire, self.start(wire), blob)

    def put(self, wire: Wire, location: str, blob: Blob) -> None:
        """Sends the PUT; the path is decoded and escaped again, `digest` is added and the query sorted."""
        parts = urlsplit(location)
        path = quote(unquote(parts.path), safe="/:@!$&'()*+,;=~-._")
        query = sorted([*parse_qsl(parts.query), ("digest", blob.digest)])
        headers = [("Content-Length", str(len(blob.content))), OCTETS]
        reply = self.request("PUT", f"{path}?{urlencode(query)}", headers, pieces(blob), wire)
        assert reply.status in (200, 201, 204), (reply.status, reply.body)
        assert reply.headers.get("Docker-Content-Digest", blob.digest) == blob.digest

    def mount(self, blob: Blob, source: str) -> bool:
        """Mounts a blob from a known source by one POST; returns whether the answer was 201."""
        self.scopes = [f"repository:{source}:pull", f"repository:{self.name}:{self.push_actions}"]
        query = urlencode({"from": source, "mount": blob.digest})
        path = f"/v2/{self.name}/blobs/uploads/?{query}"
        reply = self.request("POST", path, [("Content-Length", "0")])
        assert reply.status in (201, 202)
        return reply.status == 201

    def push_manifest(self, manifest: Manifest, reference: str, accepted: tuple[int, ...] = (200, 201, 204)) -> Reply:
        """Sends a HEAD first and does not push a manifest that is there."""
        head = self.request("HEAD", f"manifests/{reference}", [("Accept", f"{manifest.media_type}, */*")])
        assert head.status in (200, 404)
        return super().push_manifest(manifest, reference, accepted)

    def fetch_manifest(self, digest: str, media_type: str) -> Reply:
        return self.request("GET", f"manifests/{digest}", [("Accept", f"{media_type}, */*")])

    def fetch_blob(self, digest: str, media_type: str) -> Reply:
        encodings = ("Accept-Encoding", "zstd;q=1.0, gzip;q=0.8, deflate;q=0.5")
        reply = self.follow("GET", f"blobs/{digest}", [("Accept", f"{media_type}, */*"), encodings])
        assert reply.headers.get("Content-Encoding") is None
        return reply


class Docker29(Containerd):
    """Docker from 29 on, with containerd's image store."""

    agent = (
        "docker/29.7.2 go/go1.25.3 kernel/6.8.0 os/linux arch/amd64 containerd-client/2.3.3 storage-driver/overlayfs"
    )


class Buildx(Containerd):
    """`docker buildx build --push`: BuildKit with the same pusher, four connections."""

    agent = "buildkit/v0.32"
    side_by_side = 4


class Oras(Client):
    """oras-go 2.6.2: the upload must stay on this host and port, and only 201 will do. registry/remote/repository.go"""

    agent = "oras-go"

    def upload(self, wire: Wire, blob: Blob) -> None:
        location = urlsplit(self.start(wire))
        assert (location.scheme, location.netloc) == ("http", self.host), "sameUploadHost"
        query = dict(parse_qsl(location.query)) | {"digest": blob.digest}
        headers = [("Content-Length", str(len(blob.content))), OCTETS]
        reply = self.request("PUT", f"{location.path}?{urlencode(sorted(query.items()))}", headers, pieces(blob), wire)
        assert reply.status == 201, (reply.status, reply.body)

    def push_manifest(self, manifest: Manifest, reference: str, accepted: tuple[int, ...] = (201,)) -> Reply:
        """Pushes by digest, then again by tag."""
        assert self.request("HEAD", f"manifests/{manifest.digest}", self.accept_on_manifests).status in (200, 404)
        first = super().push_manifest(manifest, manifest.digest, accepted)
        assert first.headers.get("Docker-Content-Digest", manifest.digest) == manifest.digest
        return first if reference == manifest.digest else super().push_manifest(manifest, reference, accepted)


class Helm(Oras):
    """helm 4.2: oras-go with a chart."""

    agent = "Helm/4.2.4"


def pieces(blob: Blob) -> Iterator[bytes]:
    """Returns the content in the pieces that Go copies."""
    view = memoryview(blob.content)
    return (bytes(view[at : at + PIECE]) for at in range(0, len(view), PIECE))
