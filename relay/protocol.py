"""What a request is about, as far as a relay cares."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from chalicelib.domain.errors import SizeInvalid
from chalicelib.domain.uploads import Chunk

BEGIN = re.compile(r"/v2/(?P<repository>.+)/blobs/uploads/?")
UPLOAD = re.compile(r"/v2/(?P<repository>.+)/blobs/uploads/(?P<upload>[^/]+)/?")
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the registry answered to a request that was passed on."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Target:
    """Method, path and query of a request, and what they mean; what it does not say is empty.

    `text` is path and query as they came, `location` the path of an upload.
    """

    method: str
    text: str
    repository: str
    location: str
    digest: str
    content_range: str = ""

    @classmethod
    def of(cls, method: str, target: str, content_range: str = "") -> "Target":
        """Reads path and query, as they stand in a request line, and Content-Range."""
        path, _, query = target.partition("?")
        digest = parse_qs(query).get("digest", [""])[-1]
        if found := UPLOAD.fullmatch(path):
            return cls(method, target, found["repository"], path.rstrip("/"), digest, content_range)
        found = BEGIN.fullmatch(path)
        return cls(method, target, found["repository"] if found else "", "", digest, content_range)

    @property
    def brings_bytes(self) -> bool:
        """Whether its body is a blob, or some of one."""
        if self.location:
            return self.method in ("PATCH", "PUT")
        return self.method == "POST" and bool(self.repository and self.digest)

    @property
    def beginning(self) -> str:
        """Path and query of the request that begins an upload for this one's digest."""
        return beginning(self.repository, self.digest)


def beginning(repository: str, digest: str) -> str:
    """Path and query that begin an upload of a blob of that digest."""
    algorithm = digest.partition(":")[0]
    return f"/v2/{repository}/blobs/uploads/" + (
        f"?digest-algorithm={quote(algorithm)}" if algorithm != "sha256" else ""
    )


def closing(location: str, digest: str) -> str:
    """Path and query of the request that closes an upload."""
    return f"{location}?{urlencode({'digest': digest})}"


def path_of(location: str) -> str:
    """The path of a `Location`, whether it names a host or not."""
    return urlsplit(location).path.rstrip("/")


def refusal(status: int, code: str, message: str) -> Answer:
    """An error (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes)."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Answer(status, {"Content-Type": JSON}, body)


def accepted(location: str, offset: int, upload: str) -> Answer:
    """The answer to a chunk: how many bytes the upload has."""
    headers = {"Location": location, "Range": range_of(offset)}
    return Answer(202, headers | ({"Docker-Upload-UUID": upload} if upload else {}), b"")


def out_of_order(location: str, offset: int) -> Answer:
    """The answer to a chunk that does not go on where the upload is."""
    told = refusal(416, "BLOB_UPLOAD_INVALID", f"the upload is at byte {offset}: go on from there")
    return Answer(told.status, {**told.headers, "Location": location, "Range": range_of(offset)}, told.body)


def misplaced(target: Target, length: int | None, location: str, offset: int) -> Answer | None:
    """The answer to a chunk whose Content-Range is not where the upload is, or not as long as the chunk.

    `length` is in bytes, None where it comes in chunks of HTTP's. Raises BlobUploadInvalid for no range at all.
    """
    if not target.content_range:
        return None
    chunk = Chunk.parse(target.content_range)
    if chunk.first != offset:
        return out_of_order(location, offset)
    if length not in (None, chunk.size):
        return refusal(400, "SIZE_INVALID", str(SizeInvalid(chunk.size, length or 0)))
    return None


def range_of(offset: int) -> str:
    """How far an upload is, as the specification writes it."""
    return f"0-{max(offset - 1, 0)}"
