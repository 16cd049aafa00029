"""Replays of the clients that push a layer by PATCH, and of regctl, which does so after a failed PUT."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.protocol import content
from tests.protocol.content import Blob, Manifest
from tests.protocol.replays import IMAGE_TYPES, OCTETS, Client, pieces
from tests.protocol.wire import Headers, Reply, Wire

CHUNKED = ("Transfer-Encoding", "chunked")
EMPTY_BODY = ("Content-Length", "0")
MIB = 2**20


def with_digest(location: str, digest: str) -> str:
    """Returns the location with `digest` in the query, which url.Values sorts by key."""
    parts = urlsplit(location)
    query = dict(parse_qsl(parts.query)) | {"digest": digest}
    return f"{parts.path}?{urlencode(sorted(query.items()))}"


def kept(location: str) -> str:
    parts = urlsplit(location)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def in_lines(*media_types: str) -> Headers:
    """Returns one Accept line for each type, where other clients join them by commas."""
    return tuple(("Accept", media_type) for media_type in media_types)


class DockerClassic(Client):
    """Docker without containerd's image store: the digest is known after the last byte. blob_writer.go"""

    agent = "docker/28.5.1 go/go1.24.8 kernel/6.8.0 os/linux arch/amd64 UpstreamClient(Docker-Client/28.5.1 (linux))"
    side_by_side = 5
    push_actions = "push,pull"
    accept_on_manifests: Headers = in_lines(*IMAGE_TYPES, content.DOCKER_SCHEMA1, "application/json")

    def token_query(self, challenge: dict[str, str]) -> list[tuple[str, str]]:
        return [("account", self.user), *super().token_query(challenge)]

    def upload(self, wire: Wire, blob: Blob) -> None:
        location = self.start(wire)
        reply = self.request("PATCH", kept(location), [CHUNKED], pieces(blob), wire)
        assert 200 <= reply.status < 400, (reply.status, reply.body)
        assert re.fullmatch(r"0-\d+", reply.header("Range")), "without Range docker sees an unexpected EOF"
        location = self.located(reply) if "Location" in reply.headers else location

        reply = self.request("PUT", with_digest(location, blob.digest), [EMPTY_BODY], wire=wire)
        assert 200 <= reply.status < 400, (reply.status, reply.body)
        head = self.follow("HEAD", f"blobs/{blob.digest}", [])
        assert (head.status, int(head.header("Content-Length"))) == (200, len(blob.content))

    def push_manifest(
        self, manifest: Manifest, reference: str, accepted: tuple[int, ...] = tuple(range(200, 400))
    ) -> Reply:
        reply = super().push_manifest(manifest, reference, accepted)
        assert re.fullmatch(r"sha256:[a-f0-9]{64}", reply.header("Docker-Content-Digest"))
        return reply

    def resolve(self, reference: str) -> tuple[str, int, str]:
        """Pulls a tag by one GET, as docker does."""
        reply = self.request("GET", f"manifests/{reference}", self.accept_on_manifests)
        assert reply.status == 200
        return reply.header("Docker-Content-Digest"), len(reply.body), reply.header("Content-Type")


class Podman(Client):
    """podman, buildah and skopeo: a mount is tried and cancelled, then one PATCH. docker_image_dest.go"""

    agent = "containers/5.40.0 (github.com/containers/image)"
    side_by_side = 6
    # A blob that is copied unchanged has a length; one that is compressed during the upload has none.
    compresses = True
    always: Headers = (("Docker-Distribution-Api-Version", "registry/2.0"),)
    accept_on_manifests: Headers = in_lines(*IMAGE_TYPES)
    # The repository from which a mount is tried.
    mounts_from = "admin/never-was"

    def token_query(self, challenge: dict[str, str]) -> list[tuple[str, str]]:
        return [("account", self.user), *super().token_query(challenge)]

    def upload(self, wire: Wire, blob: Blob) -> None:
        self.try_mount(wire, blob)
        location = self.start(wire)
        length = CHUNKED if self.compresses else ("Content-Length", str(len(blob.content)))
        reply = self.request("PATCH", kept(location), [length, OCTETS], pieces(blob), wire)
        assert 200 <= reply.status < 400, (reply.status, reply.body)

        target = with_digest(self.located(reply), blob.digest)
        reply = self.request("PUT", target, [EMPTY_BODY, OCTETS], wire=wire)
        assert reply.status == 201, (reply.status, reply.body)

    def try_mount(self, wire: Wire, blob: Blob) -> None:
        query = f"?{urlencode({'from': self.mounts_from, 'mount': blob.digest})}"
        location = self.start(wire, query)
        reply = self.request("DELETE", kept(location), [], wire=wire)
        assert reply.status == 204


class Skopeo(Podman):
    """skopeo copy: the blob is copied unchanged, with a known length."""

    agent = "skopeo/1.20.0"
    compresses = False


class Crane(Client):
    """go-containerregistry: PATCH with a length, 202 and Location wanted, then 201. pkg/v1/remote/write.go"""

    agent = "crane/0.21.9 go-containerregistry/0.21.9"
    side_by_side = 4
    push_actions = "push,pull"
    streams = False

    def upload(self, wire: Wire, blob: Blob) -> None:
        location = self.start(wire, headers=[("Content-Type", "application/json")])
        length = CHUNKED if self.streams else ("Content-Length", str(len(blob.content)))
        reply = self.request("PATCH", kept(location), [length, OCTETS], pieces(blob), wire)
        assert reply.status in (201, 202, 204), (reply.status, reply.body)

        target = with_digest(self.located(reply), blob.digest)
        reply = self.request("PUT", target, [EMPTY_BODY, OCTETS], wire=wire)
        assert reply.status == 201, (reply.status, reply.body)

    def check_redirect(self, host: str) -> None:
        """Refuses another host that is an address of a private network: a registry could send the client there."""
        try:
            address = ip_address(host)
        except ValueError:
            return
        is_inner = address.is_private or address.is_loopback or address.is_link_local
        assert not is_inner or host == urlsplit(self.url).hostname, f"redirected from {self.host} to {host}"

    def push_manifest(self, manifest: Manifest, reference: str, accepted: tuple[int, ...] = (200, 201, 202)) -> Reply:
        return super().push_manifest(manifest, reference, accepted)

    def referrers(self, digest: str) -> Reply:
        """Lists referrers: 200 means that the registry keeps the list, 404 and 400 that the client must."""
        return self.request("GET", f"referrers/{digest}", [("Accept", content.OCI_INDEX)])


class CraneStream(Crane):
    """A `stream.Layer`, whose length is unknown before its end."""

    streams = True


class Kaniko(Crane):
    """kaniko writes with go-containerregistry."""

    agent = "kaniko/v1.27.0 go-containerregistry/0.21.9"


class Regctl(Client):
    """regclient 0.11.5: an anonymous mount opens every upload; PUT, and chunks when that fails. scheme/reg/blob.go"""

    agent = "regclient/regctl (v0.11.5)"
    accept_on_manifests: Headers = in_lines(*IMAGE_TYPES)
    chunk = MIB

    def upload(self, wire: Wire, blob: Blob) -> None:
        location = self.open_upload(wire, blob)
        if location:
            self.put(wire, location, blob)

    def open_upload(self, wire: Wire, blob: Blob) -> str | None:
        """Returns the upload's location, or None if the anonymous mount has found the blob."""
        path = f"/v2/{self.name}/blobs/uploads/?{urlencode({'mount': blob.digest})}"
        reply = self.request("POST", path, [EMPTY_BODY], wire=wire)
        assert reply.status in (201, 202), (reply.status, reply.body)
        self.chunk = max(self.chunk, int(reply.headers.get("OCI-Chunk-Min-Length", "0")))
        return self.located(reply) if reply.status == 202 else None

    def put(self, wire: Wire, location: str, blob: Blob) -> None:
        headers = [("Content-Length", str(len(blob.content))), OCTETS]
        reply = self.request("PUT", appended(location, blob.digest), headers, pieces(blob), wire)
        assert reply.status in (201, 204), (reply.status, reply.body)

    def put_in_chunks(self, wire: Wire, location: str, blob: Blob, start: int = 0) -> None:
        """Uploads in chunks after a failed PUT, whose `digest` is still in the address of the first PATCH."""
        target = appended(location, blob.digest)
        while start < len(blob.content):
            part = blob.content[start : start + self.chunk]
            span = ("Content-Range", f"{start}-{start + len(part) - 1}")
            headers = [("Content-Length", str(len(part))), span, OCTETS]
            reply = self.request("PATCH", target, headers, part, wire)
            assert reply.status == 202, (reply.status, reply.body)
            start += len(part)
            assert reply.header("Range") == f"0-{start - 1}"
            location = self.located(reply)
            target = kept(location)
        reply = self.request("PUT", appended(location, blob.digest), [EMPTY_BODY, OCTETS], wire=wire)
        assert reply.status in (201, 204), (reply.status, reply.body)

    def reached(self, wire: Wire, location: str) -> int:
        """Sends a GET to the upload; without 204 and Range the client starts again."""
        reply = self.request("GET", kept(location), [], wire=wire)
        assert reply.status == 204
        return int(reply.header("Range").removeprefix("0-"))

    def push_tagged(self, manifest: Manifest, tags: list[str]) -> None:
        """Sends one PUT by digest with every tag in the query; tags missing in OCI-Tag would be pushed one by one."""
        query = urlencode([("tag", tag) for tag in tags])
        reply = self.push_manifest(manifest, f"{manifest.digest}?{query}")
        echoed = {tag.strip() for line in reply.headers.get_all("OCI-Tag", []) for tag in line.split(",")}
        assert echoed == set(tags)


def appended(location: str, digest: str) -> str:
    """Returns the location with `digest` appended to the raw query."""
    target = kept(location)
    return f"{target}{'&' if '?' in target else '?'}{urlencode({'digest': digest})}"
