"""What a request is about, as far as a relay cares."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from chalicelib.domain.errors import SizeInvalid
from chalicelib.domain.uploads import Chunk

UPLOADS_PATH = re.compile(r"/v2/(?P<repository>.+)/blobs/uploads/?")
UPLOAD_PATH = re.compile(r"/v2/(?P<repository>.+)/blobs/uploads/(?P<upload>[^/]+)/?")
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Response:
    """What the registry answered to a request that was passed on."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class RequestTarget:
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
    def of(cls, method: str, target: str, content_range: str = "") -> "RequestTarget":
        """Reads path and query, as they stand in a request line, and Content-Range."""
        path, _, query = target.partition("?")
        digest = parse_qs(query).get("digest", [""])[-1]
        if match := UPLOAD_PATH.fullmatch(path):
            return cls(method, target, match["repository"], path.rstrip("/"), digest, content_range)
        match = UPLOADS_PATH.fullmatch(path)
        return cls(method, target, match["repository"] if match else "", "", digest, content_range)

    @property
    def carries_blob(self) -> bool:
        """Whether its body is a blob, or some of one."""
        if self.location:
            return self.method in ("PATCH", "PUT")
        return self.method == "POST" and bool(self.repository and self.digest)

    @property
    def opening_target(self) -> str:
        """Path and query of the request that begins an upload for this one's digest."""
        return opening_target(self.repository, self.digest)


def opening_target(repository: str, digest: str) -> str:
    """Path and query that begin an upload of a blob of that digest."""
    algorithm = digest.partition(":")[0]
    return f"/v2/{repository}/blobs/uploads/" + (
        f"?digest-algorithm={quote(algorithm)}" if algorithm != "sha256" else ""
    )


def closing_target(location: str, digest: str) -> str:
    """Path and query of the request that closes an upload."""
    return f"{location}?{urlencode({'digest': digest})}"


def path_of(location: str) -> str:
    """The path of a `Location`, whether it names a host or not."""
    return urlsplit(location).path.rstrip("/")


def error_response(status: int, code: str, message: str) -> Response:
    """An error (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes)."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Response(status, {"Content-Type": JSON}, body)


def chunk_accepted(location: str, offset: int, upload: str) -> Response:
    """The answer to a chunk: how many bytes the upload has."""
    headers = {"Location": location, "Range": range_of(offset)}
    return Response(202, headers | ({"Docker-Upload-UUID": upload} if upload else {}), b"")


def range_error(location: str, offset: int) -> Response:
    """The answer to a chunk that does not go on where the upload is."""
    error = error_response(416, "BLOB_UPLOAD_INVALID", f"the upload is at byte {offset}: go on from there")
    return Response(error.status, {**error.headers, "Location": location, "Range": range_of(offset)}, error.body)


def check_range(target: RequestTarget, length: int | None, location: str, offset: int) -> Response | None:
    """The answer to a chunk whose Content-Range is not where the upload is, or not as long as the chunk.

    `length` is in bytes, None where it comes in chunks of HTTP's. Raises BlobUploadInvalid for no range at all.
    """
    if not target.content_range:
        return None
    chunk = Chunk.parse(target.content_range)
    if chunk.first != offset:
        return range_error(location, offset)
    if length not in (None, chunk.size):
        return error_response(400, "SIZE_INVALID", str(SizeInvalid(chunk.size, length or 0)))
    return None


def range_of(offset: int) -> str:
    """How far an upload is, as the specification writes it."""
    return f"0-{max(offset - 1, 0)}"
