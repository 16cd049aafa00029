"""Another registry on loopback, in memory: with users and tokens, and with every fault that a test wants."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import parse_qs, urlsplit

from chalicelib.domain.digests import Digest
from chalicelib.domain.media_types import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from tests.support.fake_server import FakeServer, respond

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
# A fault answers a request itself and returns True, or lets the registry answer.
Fault = Callable[[BaseHTTPRequestHandler, str], bool]


@dataclass
class Upstream:
    """A registry with one repository, `path`. With `password`, it wants a token, which `user` gets for it."""

    path: str = "team/app"
    user: str = "puller"
    password: str = ""
    page: int = 1000
    tags: dict[str, str] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    referrers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    fault: Fault | None = None
    certificate: Path | None = None
    logins: int = 0
    server: FakeServer = field(init=False)

    @contextmanager
    def running(self) -> Iterator[Upstream]:
        """Yields the registry while it answers."""
        with FakeServer(self._answer, certificate=self.certificate).running() as self.server:
            yield self

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    @property
    def reference(self) -> str:
        return f"{self.host}/{self.path}"

    @property
    def asked(self) -> Counter[str]:
        """How often each kind of request came: its method and the word after the repository's name."""
        found = Counter[str]()
        for line, _ in self.server.asked:
            method, _, path = line.partition(" ")
            if path.startswith(f"/v2/{self.path}/"):
                found[f"{method} {path.removeprefix(f'/v2/{self.path}/').partition('/')[0]}"] += 1
        return found

    def add_blob(self, content: bytes) -> dict[str, Any]:
        digest = str(Digest.of(content))
        self.blobs[digest] = content
        return {"digest": digest, "size": len(content)}

    def add_manifest(self, document: dict[str, Any], *tags: str, media_type: str = OCI_MANIFEST) -> str:
        content = json.dumps({"schemaVersion": 2, "mediaType": media_type, **document}).encode()
        digest = str(Digest.of(content))
        self.manifests[digest] = media_type, content
        self.tags |= dict.fromkeys(tags, digest)
        if subject := document.get("subject"):
            entry = {"mediaType": media_type, "digest": digest, "size": len(content)}
            self.referrers.setdefault(subject["digest"], []).append(entry)
        return digest

    def add_image(self, *tags: str, layers: tuple[bytes, ...] = (b"layer",), architecture: str = "amd64") -> str:
        """Adds an image; returns its digest."""
        config = json.dumps({"architecture": architecture, "os": "linux", "made": list(tags)}).encode()
        return self.add_manifest(
            {
                "config": {"mediaType": OCI_CONFIG, **self.add_blob(config)},
                "layers": [{"mediaType": LAYER, **self.add_blob(layer)} for layer in layers],
            },
            *tags,
        )

    def add_index(self, *tags: str, images: dict[str, str]) -> str:
        """Adds an index of images by architecture; returns its digest."""
        entries = [
            {
                "mediaType": self.manifests[digest][0],
                "digest": digest,
                "size": len(self.manifests[digest][1]),
                "platform": {"architecture": architecture, "os": "linux"},
            }
            for architecture, digest in images.items()
        ]
        return self.add_manifest({"manifests": entries}, *tags, media_type=OCI_INDEX)

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        if self.fault and self.fault(handler, parts.path):
            return
        if parts.path == "/token":
            self._give_token(handler)
            return
        if self.password and handler.headers.get("Authorization") != f"Bearer {self._token}":
            scope = f"repository:{self.path}:pull"
            challenge = f'Bearer realm="http://{self.host}/token",service="upstream",scope="{scope}"'
            respond(handler, b"{}", 401, WWW_Authenticate=challenge)
            return
        kind, _, rest = parts.path.removeprefix(f"/v2/{self.path}/").partition("/")
        if parts.path == "/v2/":
            respond(handler, b"{}")
        elif not parts.path.startswith(f"/v2/{self.path}/"):
            respond(handler, b"{}", 404)
        else:
            getattr(self, f"_{kind}")(handler, rest, parse_qs(parts.query))

    @property
    def _token(self) -> str:
        return f"token-{self.logins}"

    def _give_token(self, handler: BaseHTTPRequestHandler) -> None:
        known = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if handler.headers.get("Authorization") != f"Basic {known}":
            respond(handler, b"{}", 401)
            return
        self.logins += 1
        respond(handler, json.dumps({"token": self._token, "expires_in": 300}).encode())

    def _tags(self, handler: BaseHTTPRequestHandler, _: str, query: dict[str, list[str]]) -> None:
        names, last = sorted(self.tags), query.get("last", [""])[0]
        size = min(int(query.get("n", ["1000"])[0]), self.page)
        rest = [name for name in names if name > last]
        more: dict[str, Any] = {}
        if len(rest) > size:
            more["Link"] = f'</v2/{self.path}/tags/list?last={rest[size - 1]}&n={size}>; rel="next"'
        respond(handler, json.dumps({"name": self.path, "tags": rest[:size]}).encode(), **more)

    def _manifests(self, handler: BaseHTTPRequestHandler, reference: str, _: dict[str, list[str]]) -> None:
        digest = self.tags.get(reference, reference)
        if digest not in self.manifests:
            respond(handler, b"{}", 404)
            return
        media_type, content = self.manifests[digest]
        headers: dict[str, Any] = {
            "Content-Type": media_type,
            "Docker-Content-Digest": digest,
            "Content-Length": str(len(content)),
        }
        respond(handler, b"" if handler.command == "HEAD" else content, **headers)

    def _blobs(self, handler: BaseHTTPRequestHandler, digest: str, _: dict[str, list[str]]) -> None:
        if digest not in self.blobs:
            respond(handler, b"{}", 404)
            return
        content, wanted = self.blobs[digest], handler.headers.get("Range", "")
        if not wanted:
            respond(handler, content)
            return
        start = int(wanted.removeprefix("bytes=").partition("-")[0])
        told = f"bytes {start}-{len(content) - 1}/{len(content)}"
        respond(handler, content[start:], 206, Content_Range=told)

    def _referrers(self, handler: BaseHTTPRequestHandler, digest: str, _: dict[str, list[str]]) -> None:
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": self.referrers.get(digest, [])}
        respond(handler, json.dumps(document).encode(), Content_Type=OCI_INDEX)


def once(fault: Fault) -> Fault:
    """Returns a fault that happens to the first request that it answers, and never again."""
    happened = [False]

    def first(handler: BaseHTTPRequestHandler, path: str) -> bool:
        if happened[0]:
            return False
        happened[0] = fault(handler, path)
        return happened[0]

    return first


def hang(gate: Event) -> None:
    """Answers nothing until a test opens the gate, or 10 seconds have passed."""
    gate.wait(10)


def on(word: str, fault: Callable[[BaseHTTPRequestHandler], None]) -> Fault:
    """Returns a fault of requests whose path contains a word."""

    def answered(handler: BaseHTTPRequestHandler, path: str) -> bool:
        if word not in path:
            return False
        fault(handler)
        return True

    return answered


def cut(content: bytes, after: int) -> Callable[[BaseHTTPRequestHandler], None]:
    """Returns a fault that ends the connection after so many bytes of a body."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:after])
        handler.close_connection = True

    return answer


def dripping(seconds: float) -> Callable[[BaseHTTPRequestHandler], None]:
    """Returns a fault that sends a byte of a header now and then."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        for _ in range(600):
            handler.wfile.write(b"H")
            handler.wfile.flush()
            time.sleep(seconds)

    return answer
