"""The upload requests of OCI's distribution specification, and the responses that the relay gives itself."""

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
    """A response of the registry, or of the relay in its place."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class RequestTarget:
    """The method, path and query of a request, and what they mean; fields that do not apply are empty.

    `text` is the path and query as received, `location` the path of an upload.
    """

    method: str
    text: str
    repository: str
    location: str
    digest: str
    content_range: str = ""

    @classmethod
    def of(cls, method: str, target: str, content_range: str = "") -> "RequestTarget":
        """Parses the path and query of a request line, and Content-Range."""
        path, _, query = target.partition("?")
        digest = parse_qs(query).get("digest", [""])[-1]
        if match := UPLOAD_PATH.fullmatch(path):
            return cls(method, target, match["repository"], path.rstrip("/"), digest, content_range)
        match = UPLOADS_PATH.fullmatch(path)
        return cls(method, target, match["repository"] if match else "", "", digest, content_range)

    @property
    def carries_blob(self) -> bool:
        """Whether the body is a blob, or a part of one."""
        if self.location:
            return self.method in ("PATCH", "PUT")
        return self.method == "POST" and bool(self.repository and self.digest)

    @property
    def opening_target(self) -> str:
        """The path and query of the request that opens an upload for this digest."""
        return opening_target(self.repository, self.digest)


def opening_target(repository: str, digest: str) -> str:
    """Returns the path and query that open an upload for a blob of that digest."""
    algorithm = digest.partition(":")[0]
    return f"/v2/{repository}/blobs/uploads/" + (
        f"?digest-algorithm={quote(algorithm)}" if algorithm != "sha256" else ""
    )


def closing_target(location: str, digest: str) -> str:
    """Returns the path and query that close an upload."""
    return f"{location}?{urlencode({'digest': digest})}"


def path_of(location: str) -> str:
    """Returns the path of a `Location`, with or without a host."""
    return urlsplit(location).path.rstrip("/")


def error_response(status: int, code: str, message: str) -> Response:
    """Returns an error (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes)."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Response(status, {"Content-Type": JSON}, body)


def chunk_accepted(location: str, offset: int, upload: str) -> Response:
    """Returns the response to a chunk, which says how many bytes the upload has."""
    headers = {"Location": location, "Range": range_of(offset)}
    return Response(202, headers | ({"Docker-Upload-UUID": upload} if upload else {}), b"")


def range_error(location: str, offset: int) -> Response:
    """Returns the response to a chunk that does not start at the end of the upload."""
    error = error_response(416, "BLOB_UPLOAD_INVALID", f"the upload has {offset} bytes: continue from there")
    return Response(error.status, {**error.headers, "Location": location, "Range": range_of(offset)}, error.body)


def check_range(target: RequestTarget, length: int | None, location: str, offset: int) -> Response | None:
    """Returns an error if Content-Range does not start at the end of the upload, or differs from the body's length.

    `length` is in bytes, None if the body is chunked. Raises BlobUploadInvalid if the header is malformed.
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
    """Returns the specification's notation for the size of an upload."""
    return f"0-{max(offset - 1, 0)}"
