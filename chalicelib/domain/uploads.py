"""Uploads: the token in `Location`, the ranges of chunks, and the sizes of parts.

A token states the upload, its repository, its end, and whether the bytes come in one PUT (`one`) or in chunks (`many`);
the upload edge lets only a `one` write straight to S3, at most as many bytes as stand behind it (`one-900`). Behind
`many` stands how many bytes the upload had, so that a chunk that is repeated is not appended twice. It is signed with
HMAC-SHA-256 over its readable fields, so that the upload edge's JavaScript can check it too, and stands in the path,
which every client leaves unchanged.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

from chalicelib.domain.errors import BlobUploadInvalid, BlobUploadUnknown, OutOfOrder, SizeInvalid
from chalicelib.domain.ids import is_ulid

MEBIBYTE = 1024 * 1024
# The smallest part S3 takes in a multipart upload, except the last.
SMALLEST_PART = 5 * MEBIBYTE
# The largest body that fits, in base64 and beside its headers, into a Lambda invocation (6,291,556 bytes of JSON).
LARGEST_BODY = 4 * MEBIBYTE
# The largest object of S3, 50 TB, in the 9,000 parts that we presign.
LARGEST_OBJECT = 50 * 1024**4
# The largest body of one PUT to S3.
LARGEST_PUT = 5 * 1024**3
RANGE = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")
ONE, MANY = "one", "many"


@dataclass(frozen=True, slots=True)
class UploadToken:
    """The token of an upload in `Location`. `expires_at` is in seconds since the epoch.

    `most` is how many bytes the upload edge may take in one PUT, None for as many as S3 takes; `offset` is how many
    bytes the upload had when a token for chunks was issued.
    """

    upload_id: str
    repository_id: str
    expires_at: int
    algorithm: str = "sha256"
    kind: str = ONE
    most: int | None = None
    offset: int = 0

    def signed(self, key: bytes) -> str:
        """Returns the token as it stands in a path, signed with `key`."""
        fields = f"{self.upload_id}.{self.repository_id}.{self.expires_at}.{self.algorithm}.{self.kind}"
        number = self.offset or None if self.kind == MANY else self.most
        fields += "" if number is None else f"-{number}"
        return f"{fields}.{_signature(key, fields)}"

    @classmethod
    def verify(cls, text: str, keys: list[bytes], now: float) -> "UploadToken":
        """Parses a token. Raises BlobUploadUnknown, without a reason, if it is forged, malformed or expired."""
        fields, _, signature = text.rpartition(".")
        words = fields.split(".")
        received = signature.encode("utf-8", "replace")
        genuine = any(hmac.compare_digest(_signature(key, fields).encode(), received) for key in keys)
        if not genuine or len(words) != 5 or not (is_ulid(words[0]) and is_ulid(words[1])) or int(words[2]) <= now:
            raise BlobUploadUnknown
        kind, _, number = words[4].partition("-")
        most = int(number) if number and kind == ONE else None
        return cls(words[0], words[1], int(words[2]), words[3], kind, most, int(number or 0) if kind == MANY else 0)


def _signature(key: bytes, fields: str) -> str:
    digest = hmac.new(key, b"upload." + fields.encode("utf-8", "replace"), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A range of an upload as the distribution specification writes it: first and last byte, without a unit."""

    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> "Chunk":
        """Parses `Content-Range: <first>-<last>`. Raises BlobUploadInvalid."""
        match = RANGE.fullmatch(text.strip())
        if not match or int(match[1]) > int(match[2]):
            raise BlobUploadInvalid(
                f"invalid Content-Range {text[:80]!r}: use FIRST-LAST, both inclusive, without a unit"
            )
        return cls(int(match[1]), int(match[2]))

    def check(self, offset: int, received: int) -> None:
        """Raises OutOfOrder if the chunk does not begin at `offset`, SizeInvalid if it does not have `received` bytes.

        https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-a-blob-in-chunks
        """
        if self.first != offset:
            raise OutOfOrder(offset)
        if self.size != received:
            raise SizeInvalid(self.size, received)

    @property
    def size(self) -> int:
        """The number of bytes in the range."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class UploadBody:
    """The body of a request with bytes of an upload; `chunk` is its `Content-Range`, None if it has none."""

    content: bytes = b""
    chunk: Chunk | None = None

    def check(self, offset: int, location_offset: int) -> None:
        """Raises OutOfOrder, SizeInvalid where the range does not fit an upload of `offset` bytes and the content.

        Bytes without a range belong where the upload ended when its `Location` was issued, at `location_offset`.
        """
        if self.chunk:
            self.chunk.check(offset, len(self.content))
        elif self.content and location_offset != offset:
            raise OutOfOrder(offset)


def part_size(offset: int) -> int:
    """Returns the bytes of the next part of a streamed upload. Parts are held in memory, so the first ones are small.

    A thousand parts each have 8, 16 and 32 MiB, the others 64 MiB: S3's 10,000 parts hold 500 GB.
    """
    steps = ((8000, 8), (24_000, 16), (56_000, 32))
    return next((size for until, size in steps if offset < until * MEBIBYTE), 64) * MEBIBYTE
