"""A client of the distribution API on http.client, with keep-alive, which follows redirects only where told."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import select
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from urllib.parse import urlencode, urljoin, urlsplit

from benchmarks.bodies import BLOCK_BYTES, Body

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
SILENCE_S = 600
# Our tokens are valid for five minutes; an upload that took this many seconds is closed with a new one.
TOKEN_S = 240


class RegistryError(Exception):
    """A response that the protocol does not allow here."""


@dataclass(frozen=True)
class Reply:
    """A response with its whole body."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass
class Client:
    """A client of one registry, with one keep-alive connection to each host."""

    url: str
    user: str = ""
    password: str = ""
    authorization: dict[str, str] = field(default_factory=dict)
    connections: dict[tuple[str, int], http.client.HTTPConnection] = field(default_factory=dict)

    @property
    def address(self) -> tuple[str, int]:
        return address_of(self.url)

    def sign_in(self, repository: str) -> None:
        """Gets a token for pull and push, if the registry requires one."""
        self.authorization = {}
        challenge = self.send("GET", "/v2/", accepted=(200, 401)).headers.get("WWW-Authenticate", "")
        if not challenge:
            return
        basic = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if challenge.lower().startswith("basic"):
            self.authorization = {"Authorization": f"Basic {basic}"}
            return
        parameters = dict(part.split("=", 1) for part in challenge.partition(" ")[2].replace('"', "").split(","))
        query = urlencode({"service": parameters.get("service", ""), "scope": f"repository:{repository}:pull,push"})
        answer = self.send("GET", f"{parameters['realm']}?{query}", headers={"Authorization": f"Basic {basic}"})
        self.authorization = {"Authorization": f"Bearer {json.loads(answer.body)['token']}"}

    def send(
        self,
        method: str,
        address: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: dict[str, str] | None = None,
        accepted: tuple[int, ...] = (200,),
    ) -> Reply:
        """Sends one request to a path of this registry or to a full address.

        An iterable body without Content-Length is sent in chunks. Raises RegistryError unless the status is `accepted`.
        """
        connection, target = self.connection_for(address)
        own = self.authorization if address_of(urljoin(self.url, address)) == self.address else {}
        # A server that refuses a body responds before its end and closes the connection; the response says why.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, target, body, {**own, **(headers or {})}, encode_chunked=_is_chunked(headers))
        answer = connection.getresponse()
        reply = Reply(answer.status, answer.headers, answer.read())
        if reply.status not in accepted:
            raise RegistryError(f"{self.url} answered {reply.status} to {method} {target[:200]}: {reply.body[:500]!r}")
        return reply

    def download(self, address: str, buffer: bytearray) -> int:
        """Returns how many bytes a GET of a full address returns; reads them into `buffer` and drops them."""
        connection, target = self.connection_for(address)
        connection.request("GET", target)
        answer = connection.getresponse()
        if answer.status != 200:
            raise RegistryError(f"status {answer.status} to GET {target[:200]}: {answer.read()[:500]!r}")
        total = 0
        while count := answer.readinto(buffer):
            total += count
        return total

    def digest_of(self, address: str) -> str:
        """Returns the sha256 digest of the body that a GET of a full address returns."""
        connection, target = self.connection_for(address)
        connection.request("GET", target)
        answer, hashed = connection.getresponse(), hashlib.sha256()
        while block := answer.read(BLOCK_BYTES):
            hashed.update(block)
        return f"sha256:{hashed.hexdigest()}"

    def blob_address(self, repository: str, digest: str) -> str:
        """Returns where a blob is read: the target of its redirect, or its own address."""
        path = f"/v2/{repository}/blobs/{digest}"
        location = self.send("GET", path, accepted=(200, 307)).headers.get("Location", path)
        return urljoin(self.url, location)

    def push_blob(self, repository: str, content: bytes, *, in_pieces: bool = False) -> str:
        """Sends HEAD for the blob, then uploads it by POST and PUT, or as older clients by POST, PATCH and PUT."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.send("HEAD", f"/v2/{repository}/blobs/{digest}", accepted=(200, 307, 404))
        location = self.begin_upload(repository)
        octets = {"Content-Type": "application/octet-stream"}
        if in_pieces:
            location = self.send("PATCH", location, content, octets, (202,)).headers["Location"]
        self.send("PUT", _with_digest(location, digest), b"" if in_pieces else content, octets, (201,))
        return digest

    def push_layer(self, repository: str, body: Body, *, chunked: bool) -> float:
        """Uploads a layer by one PUT with its length, or by one chunked PATCH and a PUT, and returns the seconds.

        The digest is computed before the clock starts.
        """
        digest, octets = body.digest, {"Content-Type": "application/octet-stream"}
        started = perf_counter()
        location = self.begin_upload(repository)
        if chunked:
            patched = self.send("PATCH", location, iter(body), {**octets, "Transfer-Encoding": "chunked"}, (202,))
            if perf_counter() - started > TOKEN_S:
                self.sign_in(repository)
            self.send("PUT", _with_digest(patched.headers["Location"], digest), b"", octets, (201,))
        else:
            length = {"Content-Length": str(body.size)}
            self.send("PUT", _with_digest(location, digest), iter(body), {**octets, **length}, (201,))
        return perf_counter() - started

    def begin_upload(self, repository: str) -> str:
        return self.send("POST", f"/v2/{repository}/blobs/uploads/", b"", accepted=(202,)).headers["Location"]

    def push_manifest(self, repository: str, reference: str, manifest: bytes) -> None:
        kind = {"Content-Type": MANIFEST_TYPE}
        self.send("PUT", f"/v2/{repository}/manifests/{reference}", manifest, kind, (201,))

    def request_bytes(self, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
        """Returns a whole HTTP request for `load.drive`."""
        fields = {"Host": "{}:{}".format(*self.address), **self.authorization, "Accept": MANIFEST_TYPE}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        if body or method == "PUT":
            fields["Content-Length"] = str(len(body))
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def connection_for(self, address: str) -> tuple[http.client.HTTPConnection, str]:
        parts = urlsplit(urljoin(self.url, address))
        host_and_port = address_of(parts.geturl())
        if host_and_port not in self.connections:
            self.connections[host_and_port] = http.client.HTTPConnection(*host_and_port, timeout=SILENCE_S)
        connection = self.connections[host_and_port]
        # A server closes idle connections; http.client opens a closed one again at the next request.
        if connection.sock and select.select([connection.sock], [], [], 0)[0]:
            connection.close()
        return connection, parts._replace(scheme="", netloc="").geturl()

    def close(self) -> None:
        """Closes the connections, which are broken after a restart of the server."""
        for connection in self.connections.values():
            connection.close()
        self.connections.clear()


def manifest_of(config: tuple[str, int], layers: list[tuple[str, int]]) -> bytes:
    """Returns an OCI image manifest; each descriptor is (digest, size in bytes)."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "digest": config[0], "size": config[1]},
            "layers": [{"mediaType": LAYER_TYPE, "digest": digest, "size": size} for digest, size in layers],
        }
    ).encode()


def address_of(url: str) -> tuple[str, int]:
    """Returns the host and port of a URL."""
    parts = urlsplit(url)
    return parts.hostname or "localhost", parts.port or 80


def _with_digest(location: str, digest: str) -> str:
    return f"{location}{'&' if '?' in location else '?'}{urlencode({'digest': digest})}"


def _is_chunked(headers: dict[str, str] | None) -> bool:
    return (headers or {}).get("Transfer-Encoding") == "chunked"
