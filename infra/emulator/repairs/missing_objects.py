"""S3 tells only those who may list the bucket that an object is missing, and answers AccessDenied to all others.

ministack answers NoSuchKey to everybody who may read the object. Its list permission counts without a prefix: a
condition on `s3:prefix` is never met by a request for an object. No upstream report is known as of 1.5.33.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html and API_HeadObject.html, API_CopyObject.html there
("If the object you request doesn't exist, the error that Amazon S3 returns depends on whether you also have the
s3:ListBucket permission").
"""

from typing import Any
from urllib.parse import unquote

from infra.emulator.repairs.private import demand, service

SOURCE = "x-amz-copy-source"


def repair(emulator: Any) -> None:
    """Turns 404 for an object into 403 for callers without s3:ListBucket, where IAM is enforced."""
    demand(emulator, "_enforce_data_plane")
    objects = service(emulator, "s3", "handle_request", "_parse_bucket_key")
    published = objects.handle_request

    async def handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any], *rest: Any, **more: Any
    ) -> tuple[int, dict[str, str], bytes]:
        answer: tuple[int, dict[str, str], bytes] = await published(method, path, headers, body, query, *rest, **more)
        bucket = _bucket_of_missing(objects, method, path, headers, answer)
        if bucket is None or more.get("internal"):
            return answer
        place = f"arn:aws:s3:::{bucket}"
        denied = emulator._enforce_data_plane("s3", "s3:ListBucket", headers, query, "", place)  # noqa: SLF001
        return (*denied[:2], b"" if method == "HEAD" else denied[2]) if denied else answer

    objects.handle_request = handle


def _bucket_of_missing(
    objects: Any, method: str, path: str, headers: dict[str, str], answer: tuple[int, dict[str, str], bytes]
) -> str | None:
    """Returns the bucket of the object that is missing by this answer; None for every other answer."""
    status, _, body = answer
    bucket, key = objects._parse_bucket_key(path, headers)  # noqa: SLF001
    if status != 404 or not key:
        return None
    if method == "PUT" and SOURCE in headers and b"NoSuchKey" in body:
        return unquote(headers[SOURCE]).lstrip("/").partition("/")[0]
    is_missing = method == "HEAD" or (method == "GET" and b"NoSuchKey" in body)
    return str(bucket) if is_missing else None
