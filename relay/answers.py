"""Answers that a relay gives itself, in the specification's words."""

import json

from chalicelib.domain.errors import SizeInvalid
from chalicelib.domain.uploads import Chunk
from relay.registry import Answer
from relay.target import Target

JSON = "application/json"


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
