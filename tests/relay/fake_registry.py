"""A registry and its bucket in one small server, which fails on demand."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

UPLOAD = re.compile(r"/v2/(.+)/blobs/uploads/([^/]*)(/presigned|/complete)?")
USER, PASSWORD, TOKEN = "carol", "a-password", "good"
GOOD = {"Authorization": f"Bearer {TOKEN}"}


@dataclass
class SeenRequest:
    """A request that the server received."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FakeRegistry:
    """The content of a registry, its requests, and planned failures: `faults` has one for each PUT into the bucket."""

    url: str = ""
    largest_put: int = 1 << 40
    part_size: int = 1 << 20
    hashing_rounds: int = 0
    # Whether each response with presigned addresses replaces the valid token and the location of the upload.
    renews_tokens: bool = False
    faults: list[str] = field(default_factory=list)
    answers: dict[tuple[str, str], list[tuple[int, dict[str, str], bytes]]] = field(default_factory=dict)
    token: str = TOKEN
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    uploads: dict[str, dict[str, Any]] = field(default_factory=dict)
    bucket: dict[str, bytes] = field(default_factory=dict)
    seen: list[SeenRequest] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def requests_to(self, method: str, pattern: str = "") -> list[SeenRequest]:
        """Returns the requests of a method whose target matches a pattern."""
        return [seen for seen in self.seen if seen.method == method and re.search(pattern, seen.target)]

    def plan(self, method: str, path: str, *answers: tuple[int, dict[str, str], bytes]) -> None:
        """Sets the responses that the next requests of a path get."""
        self.answers[method, path] = list(answers)


class FakeHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FakeServer

    @property
    def fake(self) -> FakeRegistry:
        return self.server.fake

    def do(self) -> None:
        path = urlsplit(self.path).path
        if path.startswith("/bucket/"):
            return self.in_bucket(path)
        body = self.body()
        with self.fake.lock:
            self.fake.seen.append(SeenRequest(self.command, self.path, dict(self.headers.items()), body))
            planned = self.fake.answers.get((self.command, path))
            if planned:
                return self.answer(*planned.pop(0))
            return self.route(path, body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do  # noqa: N815  (names of the base class)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            content = b""
            while size := int(self.rfile.readline(), 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return content
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def route(self, path: str, body: bytes) -> None:
        if path == "/v2/auth":
            basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            if self.headers.get("Authorization") != f"Basic {basic}":
                return self.refuse(401, "UNAUTHORIZED", "wrong password")
            return self.answer(200, {}, json.dumps({"token": self.fake.token, "expires_in": 300}).encode())
        if path.startswith("/v2/") and self.headers.get("Authorization") != f"Bearer {self.fake.token}":
            realm = f'Bearer realm="{self.fake.url}/v2/auth",service="fake"'
            return self.refuse(401, "UNAUTHORIZED", "a token is needed", {"WWW-Authenticate": realm})
        if found := UPLOAD.fullmatch(path):
            return self.upload(found[1], found[2], found[3] or "", body)
        if found := re.fullmatch(r"/v2/.+/(blobs|manifests)/(.+)", path):
            return self.blob(found[2]) if found[1] == "blobs" else self.manifest(found[2], body)
        return self.answer(200, {"X-Echo": self.path}, body or b"hello")

    def upload(self, name: str, upload: str, what: str, body: bytes) -> None:
        if self.command == "POST" and not upload:
            digest = parse_qs(urlsplit(self.path).query).get("digest", [""])[0]
            if digest:
                return self.store(digest, body)
            upload = f"upload{next(self.fake.numbers)}.rest"
            self.fake.uploads[upload] = {"rounds": self.fake.hashing_rounds}
            location = {"Location": f"{self.fake.url}/v2/{name}/blobs/uploads/{upload}", "Range": "0-0"}
            return self.answer(202, location)
        if upload not in self.fake.uploads:
            return self.refuse(404, "BLOB_UPLOAD_UNKNOWN", "no such upload")
        if what:
            return (self.presigned if what == "/presigned" else self.complete)(upload, json.loads(body))
        if self.command == "PUT":
            return self.store(parse_qs(urlsplit(self.path).query)["digest"][0], body)
        if self.command == "DELETE":
            del self.fake.uploads[upload]
            return self.answer(204)
        return self.answer(204, {"Location": urlsplit(self.path).path, "Range": "0-0"})

    def presigned(self, upload: str, document: dict[str, Any]) -> None:
        size, first = document["size"], document.get("first", 1)
        kept = self.fake.uploads[upload].setdefault("where", upload)
        where, renewal = f"{self.fake.url}/bucket/{kept}", self.renewal(upload)
        if document["digest"].startswith("sha256:") and size <= self.fake.largest_put:
            checksum = base64.b64encode(bytes.fromhex(document["digest"][7:])).decode()
            messages: dict[str, Any] = {"way": "put", "address": where, "headers": {"x-amz-checksum-sha256": checksum}}
            messages |= renewal
            return self.answer(200, {}, json.dumps(messages).encode())
        count = -(-size // self.fake.part_size)
        parts = [{"number": n, "address": f"{where}/{n}"} for n in range(first, min(first + 4, count + 1))]
        messages = {"way": "parts", "part_size": self.fake.part_size, "parts": parts} | renewal
        return self.answer(200, {}, json.dumps(messages).encode())

    def renewal(self, upload: str) -> dict[str, str]:
        """Returns the token and the upload that are valid from now on."""
        if not self.fake.renews_tokens:
            return {"upload": upload}
        number = next(self.fake.numbers)
        self.fake.token = f"token{number}"
        self.fake.uploads[f"upload{number}.rest"] = self.fake.uploads.pop(upload)
        return {"upload": f"upload{number}.rest", "bearer": self.fake.token}

    def complete(self, upload: str, document: dict[str, Any]) -> None:
        row = self.fake.uploads[upload]
        if row["rounds"]:
            row["rounds"] -= 1
            return self.answer(202, {"Retry-After": "0"}, json.dumps({"hashed": 100 - row["rounds"]}).encode())
        where = row["where"]
        stored = [self.fake.bucket[f"{where}/{number}"] for number, _ in document["parts"]]
        return self.store(document["digest"], b"".join(stored) if stored else self.fake.bucket[where])

    def store(self, digest: str, content: bytes) -> None:
        algorithm, _, expected = digest.partition(":")
        if hashlib.new(algorithm, content).hexdigest() != expected:
            return self.refuse(400, "DIGEST_INVALID", "other bytes")
        self.fake.blobs[digest] = content
        return self.answer(201, {"Location": f"/v2/x/blobs/{digest}", "Docker-Content-Digest": digest})

    def blob(self, digest: str) -> None:
        if digest not in self.fake.blobs:
            return self.refuse(404, "BLOB_UNKNOWN", "no such blob")
        return self.answer(307, {"Location": f"{self.fake.url}/bucket/blob?X-Amz-Signature=%2Babc"})

    def manifest(self, reference: str, body: bytes) -> None:
        if self.command == "PUT":
            self.fake.manifests[reference] = (self.headers["Content-Type"], body)
            return self.answer(201, {"Docker-Content-Digest": f"sha256:{hashlib.sha256(body).hexdigest()}"})
        if reference not in self.fake.manifests:
            return self.refuse(404, "MANIFEST_UNKNOWN", "no such manifest")
        kind, content = self.fake.manifests[reference]
        return self.answer(200, {"Content-Type": kind}, content)

    def in_bucket(self, path: str) -> None:
        """Handles a PUT into the bucket with the next fault."""
        with self.fake.lock:
            fault = self.fake.faults.pop(0) if self.fake.faults else ""
            self.fake.at_once += 1
            self.fake.most_at_once = max(self.fake.most_at_once, self.fake.at_once)
        try:
            if fault == "cut":
                self.rfile.read(int(self.headers["Content-Length"]) // 2)
                self.close_connection = True
                return None
            body = self.body()
            if fault == "slow":
                fault = ""
                time.sleep(0.3)
            with self.fake.lock:
                self.fake.seen.append(SeenRequest(self.command, self.path, dict(self.headers.items()), body[:100]))
                if fault:
                    return self.answer(int(fault), {}, b"<Error><Code>SlowDown</Code></Error>")
                checksum = self.headers.get("x-amz-checksum-sha256")
                if checksum and base64.b64encode(hashlib.sha256(body).digest()).decode() != checksum:
                    return self.answer(400, {}, b"<Error><Code>BadDigest</Code></Error>")
                self.fake.bucket[path.removeprefix("/bucket/")] = body
                return self.answer(200, {"ETag": f'"{hashlib.md5(body).hexdigest()}"'})
        finally:
            with self.fake.lock:
                self.fake.at_once -= 1

    def refuse(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self.answer(status, {"Content-Type": "application/json", **(headers or {})}, body)

    def answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Logs nothing."""


class FakeServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, fake: FakeRegistry, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), FakeHandler)
        self.fake = fake


@contextmanager
def running(fake: FakeRegistry, port: int = 0) -> Iterator[FakeRegistry]:
    """Runs a fake registry at `fake.url`."""
    server = FakeServer(fake, port)
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    with in_thread(lambda: server.serve_forever(0.02)):
        yield fake
        server.shutdown()
    server.server_close()


@contextmanager
def in_thread(work: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield
    thread.join(10)
