"""Bodies for a relay that has no rights of its own: kept on disk until their digest is known, then brought to S3.

An upload that begins here stays here to its end, small chunks too: the registry learns of it at its closing PUT. Only
after the registry said that the blob is there is the client told so.
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

# Closed uploads whose answer is kept for a client that did not wait for it.
MAX_CLOSED = 1000
# Refusals that another request may undo: a new token, less of them at once.
RETRYABLE_STATUSES = (401, 403, 408, 429)
RETRY_LATER = {"Retry-After": "5"}
CODES: dict[type[Exception], str] = {DigestInvalid: "DIGEST_INVALID", BlobUploadInvalid: "BLOB_UPLOAD_INVALID"}
FORWARDED_HEADERS = ("Location", "Docker-Content-Digest")


class BufferedUploads:
    """Takes bodies of any size into the spool, and brings closed uploads to the registry."""

    def __init__(self, registry: Registry, spool: Spool, board: ProgressBoard, patience_s: float) -> None:
        self._registry, self._spool, self._board, self._patience_s = registry, spool, board, patience_s
        self._closed: OrderedDict[tuple[str, str], Response] = OrderedDict()

    def accepts(self, target: RequestTarget, length: int | None) -> bool:
        """Whether a body goes this way; what fits the registry is passed on, unless its upload has begun here."""
        if target.method == "PATCH" or length is None or length > LARGEST_BODY or not target.carries_blob:
            return target.carries_blob
        is_closed = (target.location, target.digest) in self._closed
        return bool(target.location) and (is_closed or self._spool.size_of(target.location) is not None)

    def receive(self, target: RequestTarget, body: Body, credentials: Credentials) -> Response:
        """Takes a body in and answers for the registry. Raises Cut, requests.RequestException."""
        try:
            return self._receive(target, body, credentials)
        except Refused as refused:
            return Response(refused.status, refused.headers, refused.body)
        except DiskFull as error:
            self._board.log(f"relay: {error}")
            # No 507: clients repeat what a 5xx refused, and show their user the words of a 4xx only.
            return error_response(413, "SIZE_INVALID", str(error))
        except (DigestInvalid, BlobUploadInvalid) as error:
            return error_response(400, CODES[type(error)], str(error))

    def _receive(self, target: RequestTarget, body: Body, credentials: Credentials) -> Response:
        if target.method == "POST":
            return self._post(target, body, credentials)
        with self._spool.locked(target.location) as spooled:
            handle = self._patch if target.method == "PATCH" else self._put
            return handle(spooled, target, body, credentials)

    def status(self, target: RequestTarget, response: Response) -> Response:
        """The registry's answer to how far an upload is, with the bytes that are here."""
        size = self._spool.size_of(target.location) if response.status == 204 else None
        if size is None:
            return response
        kept = {name: value for name, value in response.headers.items() if name.lower() not in ("range", "location")}
        return Response(204, {**kept, "Location": target.location, "Range": range_of(size)}, b"")

    def cancel(self, target: RequestTarget) -> None:
        """The registry has given an upload up."""
        with self._spool.locked(target.location) as spooled:
            spooled.drop()

    def _post(self, target: RequestTarget, body: Body, credentials: Credentials) -> Response:
        """A whole blob in one request: an upload that begins and ends here."""
        Digest.parse(target.digest)
        opened = self._request("POST", target.opening_target, credentials)
        if opened.status != 202:
            return opened
        location = path_of(opened.headers["Location"])
        with self._spool.locked(location) as spooled:
            spooled.begin()
            whole = RequestTarget.of("PUT", closing_target(location, target.digest))
            return self._put(spooled, whole, body, credentials)

    def _patch(self, spooled: SpooledUpload, target: RequestTarget, body: Body, credentials: Credentials) -> Response:
        refused = self._begin(spooled, credentials)
        if refused:
            return refused
        if spooled.is_closed:
            return error_response(
                400, "BLOB_UPLOAD_INVALID", "this upload is closed: end it by the same PUT, or begin another"
            )
        if refused := check_range(target, body.length, spooled.location, spooled.size):
            return refused
        self._append_body(spooled, body, is_last=False)
        return chunk_accepted(spooled.location, spooled.size, _upload_id(spooled.location))

    def _begin(self, spooled: SpooledUpload, credentials: Credentials) -> Response | None:
        """Makes sure of an upload before bytes of it take room; the answer when the registry has none like it."""
        if spooled.exists:
            return None
        status = self._request("GET", spooled.location, credentials)
        if status.status != 204:
            return status
        if status.headers.get("Range", "0-0") not in ("0-0", ""):
            return error_response(
                413, "SIZE_INVALID", "this upload began without the relay: begin it again through the relay"
            )
        spooled.begin()
        return None

    def _request(self, method: str, target: str, credentials: Credentials) -> Response:
        return Backoff(self._patience_s).run(lambda: self._registry.send(method, target, credentials))

    def _append_body(self, spooled: SpooledUpload, body: Body, *, is_last: bool) -> None:
        line = self._board.line(f"upload {_upload_id(spooled.location)[-8:]}")
        line.start_step("taking in", body.length)
        try:
            (spooled.append_last if is_last else spooled.append)(body, line.advance)
        finally:
            line.end(None)

    def _put(self, spooled: SpooledUpload, target: RequestTarget, body: Body, credentials: Credentials) -> Response:
        digest = str(Digest.parse(target.digest))
        if response := self._closed.get((spooled.location, digest)):
            _discard(body)
            return response
        refused = self._begin(spooled, credentials)
        if refused:
            return refused
        if spooled.is_closed:
            # A client that lost patience comes with the same bytes again: they are here.
            _discard(body)
        elif refused := check_range(target, body.length, spooled.location, spooled.size):
            return refused
        else:
            self._append_body(spooled, body, is_last=True)
        return self._close(spooled, digest, credentials)

    def _close(self, spooled: SpooledUpload, digest: str, credentials: Credentials) -> Response:
        actual = spooled.digest(digest.partition(":")[0])
        if actual != digest:
            size = spooled.size
            spooled.drop()
            raise DigestInvalid(digest, f"the {size} bytes that came have {actual}")
        spooled.is_closed = True
        line = self._board.line(digest[:19])
        size, is_sent = spooled.size, False
        try:
            response = self._send(spooled, digest, credentials, line)
            is_sent = response.status == 201
        except Refused as refused:
            response = Response(refused.status, refused.headers, refused.body)
        finally:
            line.end(size if is_sent else None)
        if is_sent:
            self._remember(spooled.location, digest, response)
        if response.status < 500 and response.status not in RETRYABLE_STATUSES:
            spooled.drop()
        return response

    def _send(self, spooled: SpooledUpload, digest: str, credentials: Credentials, line: ProgressLine) -> Response:
        try:
            if spooled.size <= LARGEST_BODY:
                return self._send_small(spooled, digest, credentials)
            line.start_step("sending", spooled.size)
            patience_s, whole = self._patience_s, spooled.whole
            headers = PresignedUpload(
                self._registry, spooled.record, whole, digest, lambda: credentials, patience_s, line
            ).send()
        except (RelayError, requests.RequestException) as error:
            self._board.log(f"relay: {digest[:19]}: {error}")
            error_response_ = error_response(
                503, "UNAVAILABLE", f"the relay keeps the bytes and could not bring them on: {error}"
            )
            return Response(error_response_.status, {**error_response_.headers, **RETRY_LATER}, error_response_.body)
        return Response(201, {name: headers[name] for name in FORWARDED_HEADERS if name in headers}, b"")

    def _send_small(self, spooled: SpooledUpload, digest: str, credentials: Credentials) -> Response:
        target, whole = closing_target(spooled.location, digest), spooled.whole

        def attempt() -> Response:
            with SliceReader(whole) as window:
                response = self._registry.send("PUT", target, credentials, window if whole.size else b"")
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
    """The upload's own name, which Cloudberth's tokens begin with; of others the whole last word."""
    return location.rpartition("/")[2].partition(".")[0]
