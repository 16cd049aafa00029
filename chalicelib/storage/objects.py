"""Stores bytes in the bucket, verified by S3 where it can, and signs the URLs from which clients fetch them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError
from pynamodb.connection import TableConnection

from chalicelib.domain.browsers import CONTENT, CONTENT_TYPE
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUploadInvalid, DigestInvalid, Unavailable
from chalicelib.storage.patience import answering, passes, slow_config, usual_config
from chalicelib.telemetry import count_call

READ_BYTES = 1024 * 1024
# The most keys that S3 returns in one list, and removes in one delete.
PAGE = 1000
# S3's codes for what is not there and what is not allowed. An answer to HEAD has no body, so its status is its code.
MISSING, REFUSED = ("NoSuchKey", "NoSuchUpload", "404"), ("AccessDenied", "403")
SLOW = ("copy_object", "complete_multipart_upload")
SILENT = "the bucket does not answer"
# What an address is signed with unless its caller says otherwise: a browser that follows it saves what it gets.
SIGNED = {
    "get_object": {"ResponseContentDisposition": CONTENT["Content-Disposition"], "ResponseContentType": CONTENT_TYPE},
}


class ObjectGone(Exception):
    """The object or multipart upload does not exist, or no longer exists."""


class BucketRefused(Exception):
    """The registry's role lacks a permission on the bucket: its policy, the bucket's or that of the key is broken."""

    def __init__(self, operation: str, key: str) -> None:
        super().__init__(
            f"S3 answers AccessDenied to {operation} of {key}, and not because nothing is there: compare the policies"
            " of this function's role, the bucket and its KMS key with infra/terraform: permissions.tf and buckets.tf"
        )


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An entry of a list of objects. `size` is in bytes, `written_at` in seconds since the epoch."""

    key: str
    size: int
    written_at: float


class ObjectStore:
    """One bucket, reached with the session of the table's connection."""

    def __init__(self, bucket: str, table: TableConnection, connections: int = 12) -> None:
        self._bucket, self._table, self._connections = bucket, table, connections

    @cached_property
    def client(self) -> Any:
        """The S3 client. It sends only checksums that are passed explicitly; botocore's default would hash again."""
        return self._make_client(usual_config)

    @cached_property
    def slow_client(self) -> Any:
        """The client for calls that S3 answers only after it has copied or joined gigabytes."""
        return self._make_client(slow_config)

    def _make_client(self, config: Callable[..., Any]) -> Any:
        options = config(
            signature_version="s3v4",
            max_pool_connections=self._connections,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            # By default botocore signs URLs of s3.amazonaws.com, which redirects the clients of a new bucket.
            s3={"addressing_style": "virtual"},
        )
        client = self._table.connection.session.create_client("s3", config=options)
        client.meta.events.register("before-send.s3", count_call)
        return client

    def put(self, key: str, content: bytes, digest: Digest) -> None:
        """Writes an object. S3 verifies a sha256 digest; raises DigestInvalid when the bytes do not match it."""
        checksum = {"ChecksumSHA256": digest.base64} if digest.algorithm == "sha256" else {}
        try:
            self._call("put_object", Key=key, Body=content, **checksum)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch"):
                raise DigestInvalid(str(digest), "the uploaded bytes do not match this digest") from error
            raise

    def get(self, key: str) -> bytes:
        """Returns all bytes of an object."""
        return _whole(self._call("get_object", Key=key)["Body"])

    def get_range(self, key: str, first: int, last: int) -> bytes:
        """Returns the bytes of an object from one offset to another, both inclusive."""
        return _whole(self._call("get_object", Key=key, Range=f"bytes={first}-{last}")["Body"])

    def read(self, key: str) -> Iterator[bytes]:
        """Yields an object's bytes in chunks of 1 MiB."""
        return _chunks(self._call("get_object", Key=key)["Body"])

    def size(self, key: str) -> int:
        """Returns an object's size in bytes."""
        return int(self._call("head_object", Key=key)["ContentLength"])

    def last(self, prefix: str) -> tuple[str, int] | None:
        """Returns key and size of the last object under a prefix, None if there is none (strongly consistent)."""
        last = None
        for page in self.pages(prefix):
            last = page[-1] if page else last
        return (last.key, last.size) if last else None

    def pages(self, prefix: str, after: str = "") -> Iterator[list[StoredObject]]:
        """Yields one list per call to S3: the objects under a prefix whose keys come after `after`, in order."""
        more = True
        while more:
            answer = self._call("list_objects_v2", Prefix=prefix, StartAfter=after, MaxKeys=PAGE)
            entries = answer.get("Contents", [])
            page = [StoredObject(entry["Key"], entry["Size"], entry["LastModified"].timestamp()) for entry in entries]
            yield page
            more = answer["IsTruncated"] and bool(page)
            after = page[-1].key if page else after

    def copy(self, source: str, key: str) -> None:
        """Copies an object of up to 5 GB unless the key exists; S3 computes its checksum, which `sha256` returns."""
        origin = {"Bucket": self._bucket, "Key": source}
        try:
            self._call("copy_object", Key=key, CopySource=origin, ChecksumAlgorithm="SHA256", IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise

    def sha256(self, key: str) -> str | None:
        """Returns the SHA-256 in base64 that S3 knows of an object, None if it knows none. Raises ObjectGone."""
        checksum: str | None = self._call("head_object", Key=key, ChecksumMode="ENABLED").get("ChecksumSHA256")
        return checksum

    def delete(self, key: str) -> None:
        """Removes an object. Succeeds if it does not exist."""
        self._call("delete_object", Key=key)

    def delete_all(self, keys: Sequence[str]) -> None:
        """Removes objects, a thousand per call. Succeeds for those that do not exist."""
        for start in range(0, len(keys), PAGE):
            entries = [{"Key": key} for key in keys[start : start + PAGE]]
            answer = self._call("delete_objects", Delete={"Objects": entries, "Quiet": True})
            for error in answer.get("Errors", []):
                if error.get("Code") in REFUSED:
                    raise BucketRefused("delete_objects", error["Key"])
                raise Unavailable(f"S3 did not delete some objects: {error.get('Code')}")

    def begin_parts(self, key: str) -> str:
        """Begins a multipart upload and returns its id."""
        identifier: str = self._call("create_multipart_upload", Key=key)["UploadId"]
        return identifier

    def put_part(self, key: str, multipart_id: str, number: int, content: bytes) -> str:
        """Writes a part and returns its ETag."""
        answer = self._call("upload_part", Key=key, UploadId=multipart_id, PartNumber=number, Body=content)
        etag: str = answer["ETag"]
        return etag

    def finish_parts(self, key: str, multipart_id: str, parts: Sequence[tuple[int, str]]) -> None:
        """Joins parts, given as number and ETag. A second call does nothing."""
        entries = [{"PartNumber": number, "ETag": etag} for number, etag in parts]
        try:
            self._call("complete_multipart_upload", Key=key, UploadId=multipart_id, MultipartUpload={"Parts": entries})
        except ObjectGone:
            if not self.exists(key):
                raise
        except ClientError as error:
            if error.response["Error"]["Code"] in ("InvalidPart", "InvalidPartOrder", "EntityTooSmall", "MalformedXML"):
                raise BlobUploadInvalid("a part is not the one that was uploaded: begin a new upload") from error
            raise

    def abort_parts(self, key: str, multipart_id: str) -> None:
        """Aborts a multipart upload. Succeeds if it is already over."""
        with suppress(ObjectGone):
            self._call("abort_multipart_upload", Key=key, UploadId=multipart_id)

    def exists(self, key: str) -> bool:
        """Whether an object exists under the key."""
        try:
            self.size(key)
        except ObjectGone:
            return False
        return True

    def address(self, operation: str, key: str, seconds: int, **parameters: Any) -> str:
        """Returns a presigned URL for `get_object`, `head_object`, `put_object` or `upload_part` of a key."""
        query: Mapping[str, Any] = {"Bucket": self._bucket, "Key": key, **SIGNED.get(operation, {}), **parameters}
        address: str = self.client.generate_presigned_url(operation, Params=query, ExpiresIn=seconds)
        return address

    def _call(self, operation: str, **parameters: Any) -> Any:
        """Calls S3. Raises ObjectGone, Unavailable and BucketRefused."""
        try:
            return self._ask(operation, **parameters)
        except BucketRefused:
            key = _object_read(operation, parameters)
            if key is None:
                raise
            if not self._is_listed(key):
                raise ObjectGone(operation) from None
        # It may have been written since.
        return self._ask(operation, **parameters)

    def _is_listed(self, key: str) -> bool:
        """Whether a list has the key.

        Without s3:ListBucket on the whole bucket S3 answers AccessDenied for an object that is missing, and a condition
        on `s3:prefix` is met by no request for an object. It is met by this list, and the key itself sorts first in it.
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, API_HeadObject.html, API_ListObjectsV2.html
        """
        entries = self._ask("list_objects_v2", Prefix=key, MaxKeys=1).get("Contents", [])
        return any(entry["Key"] == key for entry in entries)

    def _ask(self, operation: str, **parameters: Any) -> Any:
        client = self.slow_client if operation in SLOW else self.client
        try:
            with answering(SILENT):
                return getattr(client, operation)(Bucket=self._bucket, **parameters)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if passes(error):
                raise Unavailable(f"the bucket is busy ({code})") from error
            if code in MISSING:
                raise ObjectGone(operation) from error
            if code in REFUSED:
                raise BucketRefused(operation, _place(operation, parameters)) from error
            raise


def _whole(body: Any) -> bytes:
    with answering(SILENT):
        content: bytes = body.read()
    return content


def _chunks(body: Any) -> Iterator[bytes]:
    with answering(SILENT):
        yield from body.iter_chunks(READ_BYTES)


def _object_read(operation: str, parameters: Mapping[str, Any]) -> str | None:
    """Returns the key of the object that a call reads; None for a call that S3 does not refuse for a missing object."""
    if operation == "copy_object":
        return str(parameters["CopySource"]["Key"])
    return str(parameters["Key"]) if operation in ("get_object", "head_object") else None


def _place(operation: str, parameters: Mapping[str, Any]) -> str:
    """Returns the key or the prefix that a call is about, for a log."""
    source = f"{parameters['CopySource']['Key']} to " if operation == "copy_object" else ""
    first = next(iter(parameters.get("Delete", {}).get("Objects", ())), {"Key": ""})
    return source + str(parameters.get("Key") or parameters.get("Prefix") or first["Key"])
