"""The bucket: bytes by key, verified by S3 where it can, and the addresses that clients fetch them from."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as Unreachable
from pynamodb.connection import TableConnection

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUploadInvalid, DigestInvalid, Unavailable

READ_BYTES = 1024 * 1024
# How many keys S3 tells in one list, and forgets in one delete.
PAGE = 1000


class ObjectGone(Exception):
    """The object or multipart upload is not there, or not any more."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as a list tells it. `size` is in bytes, `written_at` in seconds since the epoch."""

    key: str
    size: int
    written_at: float


class ObjectStore:
    """One bucket, over the session that the table already opened."""

    def __init__(self, bucket: str, table: TableConnection, connections: int = 12) -> None:
        self._bucket, self._table, self._connections = bucket, table, connections

    @cached_property
    def client(self) -> Any:
        """The S3 client. Checksums are sent where we name them: botocore's own default would only repeat the work."""
        config = Config(
            signature_version="s3v4",
            max_pool_connections=self._connections,
            connect_timeout=1,
            read_timeout=20,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            # Left to itself it signs addresses for s3.amazonaws.com, which sends the clients of a new bucket elsewhere.
            s3={"addressing_style": "virtual"},
        )
        return self._table.connection.session.create_client("s3", config=config)

    def put(self, key: str, content: bytes, digest: Digest) -> None:
        """Writes an object; S3 refuses it when the bytes that came are not those of a sha256 digest."""
        checksum = {"ChecksumSHA256": digest.base64} if digest.algorithm == "sha256" else {}
        try:
            self._call("put_object", Key=key, Body=content, **checksum)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch"):
                raise DigestInvalid(str(digest), "the bytes that arrived are not those of this digest") from error
            raise

    def get(self, key: str) -> bytes:
        """An object's bytes, whole."""
        content: bytes = self._call("get_object", Key=key)["Body"].read()
        return content

    def get_range(self, key: str, first: int, last: int) -> bytes:
        """Bytes of an object from one offset to another, both inclusive."""
        content: bytes = self._call("get_object", Key=key, Range=f"bytes={first}-{last}")["Body"].read()
        return content

    def read(self, key: str) -> Iterator[bytes]:
        """An object's bytes, by the megabyte."""
        body = self._call("get_object", Key=key)["Body"]
        chunks: Iterator[bytes] = body.iter_chunks(READ_BYTES)
        return chunks

    def size(self, key: str) -> int:
        """An object's size in bytes."""
        return int(self._call("head_object", Key=key)["ContentLength"])

    def last(self, prefix: str) -> tuple[str, int] | None:
        """Key and size of the last object under a prefix, None where there is none (strongly consistent)."""
        last = None
        for page in self.pages(prefix):
            last = page[-1] if page else last
        return (last.key, last.size) if last else None

    def pages(self, prefix: str, after: str = "") -> Iterator[list[StoredObject]]:
        """Objects under a prefix whose keys come past `after`, in the order of their keys, a list a call."""
        more = True
        while more:
            answer = self._call("list_objects_v2", Prefix=prefix, StartAfter=after, MaxKeys=PAGE)
            entries = answer.get("Contents", [])
            page = [StoredObject(entry["Key"], entry["Size"], entry["LastModified"].timestamp()) for entry in entries]
            yield page
            more = answer["IsTruncated"] and bool(page)
            after = page[-1].key if page else after

    def copy(self, source: str, key: str) -> None:
        """Copies an object of up to 5 GB to a key where none is; S3 hashes it on the way, as `sha256` tells."""
        origin = {"Bucket": self._bucket, "Key": source}
        try:
            self._call("copy_object", Key=key, CopySource=origin, ChecksumAlgorithm="SHA256", IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise

    def sha256(self, key: str) -> str | None:
        """The hash in base 64 that S3 has of an object's bytes, None where it has none. Raises Gone."""
        checksum: str | None = self._call("head_object", Key=key, ChecksumMode="ENABLED").get("ChecksumSHA256")
        return checksum

    def delete(self, key: str) -> None:
        """Removes an object; one that is not there is as good as removed."""
        self._call("delete_object", Key=key)

    def delete_all(self, keys: Sequence[str]) -> None:
        """Removes objects, a thousand a call; those that are not there are as good as removed."""
        for start in range(0, len(keys), PAGE):
            listed = [{"Key": key} for key in keys[start : start + PAGE]]
            answer = self._call("delete_objects", Delete={"Objects": listed, "Quiet": True})
            if errors := answer.get("Errors"):
                raise Unavailable(f"the bucket kept {len(errors)} objects: {errors[0].get('Code')}")

    def begin_parts(self, key: str) -> str:
        """Begins a multipart upload and gives its id."""
        identifier: str = self._call("create_multipart_upload", Key=key)["UploadId"]
        return identifier

    def put_part(self, key: str, multipart_id: str, number: int, content: bytes) -> str:
        """Writes a part and gives its ETag."""
        answer = self._call("upload_part", Key=key, UploadId=multipart_id, PartNumber=number, Body=content)
        etag: str = answer["ETag"]
        return etag

    def finish_parts(self, key: str, multipart_id: str, parts: Sequence[tuple[int, str]]) -> None:
        """Joins parts, given as number and ETag. Once finished, finishing again does nothing."""
        listed = [{"PartNumber": number, "ETag": etag} for number, etag in parts]
        try:
            self._call("complete_multipart_upload", Key=key, UploadId=multipart_id, MultipartUpload={"Parts": listed})
        except ObjectGone:
            if not self.exists(key):
                raise
        except ClientError as error:
            if error.response["Error"]["Code"] in ("InvalidPart", "InvalidPartOrder", "EntityTooSmall", "MalformedXML"):
                raise BlobUploadInvalid("a part is not the one that was put: begin a new upload") from error
            raise

    def abort_parts(self, key: str, multipart_id: str) -> None:
        """Gives a multipart upload up; one that is over already stays so."""
        with suppress(ObjectGone):
            self._call("abort_multipart_upload", Key=key, UploadId=multipart_id)

    def exists(self, key: str) -> bool:
        """Whether there is an object under the key."""
        try:
            self.size(key)
        except ObjectGone:
            return False
        return True

    def address(self, operation: str, key: str, seconds: int, **parameters: Any) -> str:
        """A presigned address for `get_object`, `head_object`, `put_object` or `upload_part` of a key."""
        chosen: Mapping[str, Any] = {"Bucket": self._bucket, "Key": key, **parameters}
        address: str = self.client.generate_presigned_url(operation, Params=chosen, ExpiresIn=seconds)
        return address

    def _call(self, operation: str, **parameters: Any) -> Any:
        try:
            return getattr(self.client, operation)(Bucket=self._bucket, **parameters)
        except (Unreachable, HTTPClientError) as error:
            raise Unavailable("the bucket does not answer") from error
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchUpload", "404", "403"):
                raise ObjectGone(operation) from error
            raise
