"""The distribution API over http.client, as the measures need it: keep-alive, no redirect followed unasked."""

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
# A token of ours lives five minutes; an upload that took this long closes with a new one.
TOKEN_S = 240


class RegistryError(Exception):
    """An answer that the protocol does not give here."""


@dataclass(frozen=True)
class Reply:
    """An answer, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass
class Client:
    """One registry, one repository at a time, one keep-alive connection to each host."""

    url: str
    user: str = ""
    password: str = ""
    authorization: dict[str, str] = field(default_factory=dict)
    connections: dict[tuple[str, int], http.client.HTTPConnection] = field(default_factory=dict)

    @property
    def address(self) -> tuple[str, int]:
        return address_of(self.url)

    def sign_in(self, repository: str) -> None:
        """Gets a token for pull and push, if the registry asks for one at all."""
        self.authorization = {}
        asked = self.send("GET", "/v2/", accepted=(200, 401)).headers.get("WWW-Authenticate", "")
        if not asked:
            return
        basic = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if asked.lower().startswith("basic"):
            self.authorization = {"Authorization": f"Basic {basic}"}
            return
        marks = dict(part.split("=", 1) for part in asked.partition(" ")[2].replace('"', "").split(","))
        query = urlencode({"service": marks.get("service", ""), "scope": f"repository:{repository}:pull,push"})
        answer = self.send("GET", f"{marks['realm']}?{query}", headers={"Authorization": f"Basic {basic}"})
        self.authorization = {"Authorization": f"Bearer {json.loads(answer.body)['token']}"}

    def send(
        self,
        method: str,
        address: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: dict[str, str] | None = None,
        accepted: tuple[int, ...] = (200,),
    ) -> Reply:
        """One request to a path of this registry or to a full address.

        An iterable body without Content-Length goes in chunks. Raises RegistryError at any status not `accepted`.
        """
        connection, target = self.connection_for(address)
        own = self.authorization if address_of(urljoin(self.url, address)) == self.address else {}
        # A server that refuses a body answers before its end and closes; the answer says why.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, target, body, {**own, **(headers or {})}, encode_chunked=_is_chunked(headers))
        answer = connection.getresponse()
        reply = Reply(answer.status, answer.headers, answer.read())
        if reply.status not in accepted:
            raise RegistryError(f"{self.url} answered {reply.status} to {method} {target[:200]}: {reply.body[:500]!r}")
        return reply

    def download(self, address: str, buffer: bytearray) -> int:
        """Bytes of a GET of a full address, read into one buffer and dropped."""
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
        """The sha256 digest of what a GET of a full address gives."""
        connection, target = self.connection_for(address)
        connection.request("GET", target)
        answer, hashed = connection.getresponse(), hashlib.sha256()
        while block := answer.read(BLOCK_BYTES):
            hashed.update(block)
        return f"sha256:{hashed.hexdigest()}"

    def blob_address(self, repository: str, digest: str) -> str:
        """Where a GET of a blob leads: the redirect's target, or the blob's own address."""
        path = f"/v2/{repository}/blobs/{digest}"
        location = self.send("GET", path, accepted=(200, 307)).headers.get("Location", path)
        return urljoin(self.url, location)

    def push_blob(self, repository: str, content: bytes, *, in_pieces: bool = False) -> str:
        """Asks for the blob, then uploads it: POST and PUT, or POST, PATCH and PUT as the older clients do."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.send("HEAD", f"/v2/{repository}/blobs/{digest}", accepted=(200, 307, 404))
        location = self.begin_upload(repository)
        octets = {"Content-Type": "application/octet-stream"}
        if in_pieces:
            location = self.send("PATCH", location, content, octets, (202,)).headers["Location"]
        self.send("PUT", _with_digest(location, digest), b"" if in_pieces else content, octets, (201,))
        return digest

    def push_layer(self, repository: str, body: Body, *, chunked: bool) -> float:
        """Seconds of one upload: one PUT with its length, or one PATCH in chunks without and a closing PUT.

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
        """A whole request as it goes over the wire, for `load.drive`."""
        fields = {"Host": "{}:{}".format(*self.address), **self.authorization, "Accept": MANIFEST_TYPE}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        if body or method == "PUT":
            fields["Content-Length"] = str(len(body))
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def connection_for(self, address: str) -> tuple[http.client.HTTPConnection, str]:
        parts = urlsplit(urljoin(self.url, address))
        place = address_of(parts.geturl())
        if place not in self.connections:
            self.connections[place] = http.client.HTTPConnection(*place, timeout=SILENCE_S)
        connection = self.connections[place]
        # A server closes what was idle for long; http.client opens it anew at the next request.
        if connection.sock and select.select([connection.sock], [], [], 0)[0]:
            connection.close()
        return connection, parts._replace(scheme="", netloc="").geturl()

    def close(self) -> None:
        """Drops the connections: after a restart of the server they lead nowhere."""
        for connection in self.connections.values():
            connection.close()
        self.connections.clear()


def manifest_of(config: tuple[str, int], layers: list[tuple[str, int]]) -> bytes:
    """An OCI image manifest; every descriptor as (digest, size in bytes)."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "digest": config[0], "size": config[1]},
            "layers": [{"mediaType": LAYER_TYPE, "digest": digest, "size": size} for digest, size in layers],
        }
    ).encode()


def address_of(url: str) -> tuple[str, int]:
    """Host and port to connect to."""
    parts = urlsplit(url)
    return parts.hostname or "localhost", parts.port or 80


def _with_digest(location: str, digest: str) -> str:
    return f"{location}{'&' if '?' in location else '?'}{urlencode({'digest': digest})}"


def _is_chunked(headers: dict[str, str] | None) -> bool:
    return (headers or {}).get("Transfer-Encoding") == "chunked"
