"""Uploads through a relay without a key: bodies are kept on disk until their digest is known, then sent to S3.

An upload that begins here stays here until it is closed, even if its chunks are small: the registry sees it only at the
closing PUT. The client gets its 201 only after the registry has confirmed the blob.
"""

from collections import OrderedDict

import requests

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUploadInvalid, DigestInvalid
from chalicelib.domain.uploads import LARGEST_BODY
from relay.auth import Credentials
from relay.errors import Refused, RelayError, Unavailable
from relay.presigned_upload import PresignedUpload
from relay.progress import ProgressBoard, ProgressLine
from relay.protocol import (
    RequestTarget,
    Response,
    check_range,
    chunk_accepted,
    closing_target,
    error_response,
    path_of,
    range_of,
)
from relay.registry import Registry
from relay.retries import Backoff
from relay.server import Body
from relay.slices import SliceReader
from relay.spool import DiskFull, Spool, SpooledUpload

# The number of closed uploads whose response is kept for a client that did not wait for it.
MAX_CLOSED = 1000
# Statuses after which the client may try again, with a new token or later.
RETRYABLE_STATUSES = (401, 403, 408, 429)
RETRY_LATER = {"Retry-After": "5"}
CODES: dict[type[Exception], str] = {DigestInvalid: "DIGEST_INVALID", BlobUploadInvalid: "BLOB_UPLOAD_INVALID"}
FORWARDED_HEADERS = ("Location", "Docker-Content-Digest")


class BufferedUploads:
    """Receives bodies of any size into the spool, and sends closed uploads to the registry."""

    def __init__(self, registry: Registry, spool: Spool, board: ProgressBoard, patience_s: float) -> None:
        self._registry, self._spool, self._board, self._patience_s = registry, spool, board, patience_s
        self._closed: OrderedDict[tuple[str, str], Response] = OrderedDict()

    def accepts(self, target: RequestTarget, length: int | None) -> bool:
        """Returns whether a body is handled here.

        A body that the registry accepts itself is forwarded instead, unless its upload has begun here.
        """
        if target.method == "PATCH" or length is None or length > LARGEST_BODY or not target.carries_blob:
            return target.carries_blob
        is_closed = (target.location, target.digest) in self._closed
        return bool(target.location) and (is_closed or self._spool.size_of(target.location) is not None)

    def receive(self, target: RequestTarget, body: Body, credentials: Credentials) -> Response:
        """Receives a body and returns the registry's response. Raises ClientLeft, requests.RequestException."""
        try:
            return self._receive(target, body, credentials)
        except Refused as refused:
            return Response(refused.status, refused.headers, refused.body)
        except DiskFull as error:
            self._board.log(f"relay: {error}")
            # The status is not 507, because clients retry after a 5xx and show only the message of a 4xx.
            return error_response(413, "SIZE_INVALID", str(error))
        except (DigestInvalid, BlobUploadInvalid) as error:
            return error_response(400, CODES[type(error)], str(error))

    def _receive(self, target: RequestTarget, body: Body, credentials: Credentials) -> Response:
        if target.method == "POST":
            return self._post(target, body, credentials)
        with self._spool.locked(target.location) as upload:
            handle = self._patch if target.method == "PATCH" else self._put
            return handle(upload, target, body, credentials)

    def status(self, target: RequestTarget, response: Response) -> Response:
        """Returns the registry's response to a status request, with the number of bytes in the spool."""
        size = self._spool.size_of(target.location) if response.status == 204 else None
        if size is None:
            return response
        kept = {name: value for name, value in response.headers.items() if name.lower() not in ("range", "location")}
        return Response(204, {**kept, "Location": target.location, "Range": range_of(size)}, b"")

    def cancel(self, target: RequestTarget) -> None:
        """Drops an upload that the registry has cancelled."""
        with self._spool.locked(target.location) as upload:
            upload.drop()

    def _post(self, target: RequestTarget, body: Body, credentials: Credentials) -> Response:
        """Receives a whole blob in one request: opens an upload and closes it."""
        Digest.parse(target.digest)
        opened = self._request("POST", target.opening_target, credentials)
        if opened.status != 202:
            return opened
        location = path_of(opened.headers["Location"])
        with self._spool.locked(location) as upload:
            upload.begin()
            whole = RequestTarget.of("PUT", closing_target(location, target.digest))
            return self._put(upload, whole, body, credentials)

    def _patch(self, upload: SpooledUpload, target: RequestTarget, body: Body, credentials: Credentials) -> Response:
        refused = self._begin(upload, credentials)
        if refused:
            return refused
        if upload.is_closed:
            return error_response(
                400, "BLOB_UPLOAD_INVALID", "this upload is closed: repeat the same PUT, or begin another upload"
            )
        if refused := check_range(target, body.length, upload.location, upload.size):
            return refused
        self._append_body(upload, body, is_last=False)
        return chunk_accepted(upload.location, upload.size, _upload_id(upload.location))

    def _begin(self, upload: SpooledUpload, credentials: Credentials) -> Response | None:
        """Checks that the registry has the upload before it takes disk space; returns the response if it has not."""
        if upload.exists:
            return None
        status = self._request("GET", upload.location, credentials)
        if status.status != 204:
            return status
        if status.headers.get("Range", "0-0") not in ("0-0", ""):
            return error_response(
                413, "SIZE_INVALID", "this upload began without the relay: begin a new one through the relay"
            )
        upload.begin()
        return None

    def _request(self, method: str, target: str, credentials: Credentials) -> Response:
        return Backoff(self._patience_s).run(lambda: self._registry.send(method, target, credentials))

    def _append_body(self, upload: SpooledUpload, body: Body, *, is_last: bool) -> None:
        line = self._board.line(f"upload {_upload_id(upload.location)[-8:]}")
        line.start_step("taking in", body.length)
        try:
            (upload.append_last if is_last else upload.append)(body, line.advance)
        finally:
            line.end(None)

    def _put(self, upload: SpooledUpload, target: RequestTarget, body: Body, credentials: Credentials) -> Response:
        digest = str(Digest.parse(target.digest))
        if response := self._closed.get((upload.location, digest)):
            _discard(body)
            return response
        refused = self._begin(upload, credentials)
        if refused:
            return refused
        if upload.is_closed:
            # A client that timed out sends the same bytes again, and the relay has them already.
            _discard(body)
        elif refused := check_range(target, body.length, upload.location, upload.size):
            return refused
        else:
            self._append_body(upload, body, is_last=True)
        return self._close(upload, digest, credentials)

    def _close(self, upload: SpooledUpload, digest: str, credentials: Credentials) -> Response:
        actual = upload.digest(digest.partition(":")[0])
        if actual != digest:
            size = upload.size
            upload.drop()
            raise DigestInvalid(digest, f"the {size} bytes received have {actual}")
        upload.is_closed = True
        line = self._board.line(digest[:19])
        size, is_sent = upload.size, False
        try:
            response = self._send(upload, digest, credentials, line)
            is_sent = response.status == 201
        except Refused as refused:
            response = Response(refused.status, refused.headers, refused.body)
        finally:
            line.end(size if is_sent else None)
        if is_sent:
            self._remember(upload.location, digest, response)
        if response.status < 500 and response.status not in RETRYABLE_STATUSES:
            upload.drop()
        return response

    def _send(self, upload: SpooledUpload, digest: str, credentials: Credentials, line: ProgressLine) -> Response:
        try:
            if upload.size <= LARGEST_BODY:
                return self._send_small(upload, digest, credentials)
            line.start_step("sending", upload.size)
            patience_s, whole = self._patience_s, upload.whole
            headers = PresignedUpload(
                self._registry, upload.record, whole, digest, lambda: credentials, patience_s, line
            ).send()
        except (RelayError, requests.RequestException) as error:
            self._board.log(f"relay: {digest[:19]}: {error}")
            failure = error_response(503, "UNAVAILABLE", f"the relay keeps the bytes but could not send them: {error}")
            return Response(failure.status, {**failure.headers, **RETRY_LATER}, failure.body)
        return Response(201, {name: headers[name] for name in FORWARDED_HEADERS if name in headers}, b"")

    def _send_small(self, upload: SpooledUpload, digest: str, credentials: Credentials) -> Response:
        target, whole = closing_target(upload.location, digest), upload.whole

        def attempt() -> Response:
            with SliceReader(whole) as reader:
                response = self._registry.send("PUT", target, credentials, reader if whole.size else b"")
            if response.status >= 500:
                raise Unavailable(f"the registry answered {response.status}")
            return response

        return Backoff(self._patience_s).run(attempt)

    def _remember(self, location: str, digest: str, response: Response) -> None:
        self._closed[location, digest] = response
        if len(self._closed) > MAX_CLOSED:
            self._closed.popitem(last=False)


def _discard(body: Body) -> None:
    while body.read(LARGEST_BODY):
        pass


def _upload_id(location: str) -> str:
    """Returns the upload's own id, the first word of Cloudberth's tokens; other registries' tokens have one word."""
    return location.rpartition("/")[2].partition(".")[0]
