"""Plays the edge on a laptop: it does what CloudFront does in front of S3, with the same body limits and checks."""

import logging
import time
from collections.abc import AsyncIterator

import aiohttp

from chalicelib.domain import browsers
from chalicelib.domain.digests import Digest
from chalicelib.domain.downloads import Download
from chalicelib.domain.errors import BlobUploadUnknown, RouteUnknown
from chalicelib.domain.uploads import UploadToken
from chalicelib.storage import bucket_keys
from chalicelib.wiring import Services
from infra.local.asgi import BodyEnded, Receive, Scope, Send, chunks, header, refuse, reply
from infra.local.upload_routes import UploadRequest

# S3 may need long to finish a large object; a client that sends nothing for this long has gone.
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=300)
READ_BYTES = 256 * 1024
# What aiohttp raises when S3 is away or breaks off.
FAILURES = (aiohttp.ClientError, TimeoutError, OSError)
PASSED_ON = ("content-type", "content-range", "accept-ranges", "etag", "last-modified", "content-length")
log = logging.getLogger("edge")


class LocalEdge:
    """Streams uploads by one PUT, and downloads, between client and S3."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._keys = list(services.stores.secrets.upload)
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """Returns the connections to S3, which are opened in the running event loop."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0)
            self._session = aiohttp.ClientSession(connector=connector, timeout=TIMEOUT, auto_decompress=False)
        return self._session

    async def close(self) -> None:
        """Closes the connections."""
        if self._session:
            await self._session.close()

    async def upload(self, receive: Receive, send: Send, target: UploadRequest, size: int) -> None:
        """Streams one PUT into S3, which refuses bytes that do not match the digest. Raises Disconnected, Stalled."""
        try:
            token = UploadToken.verify(target.upload, self._keys, time.time())
        except BlobUploadUnknown as error:
            return await refuse(send, 404, "BLOB_UPLOAD_UNKNOWN", str(error))
        if token.most is not None and size > token.most:
            return await refuse(send, 403, "DENIED", f"the namespace's quota has {token.most} bytes left")
        digest = Digest.parse(target.digest)
        body = IncomingBody(receive)
        try:
            status = await self._put(token, digest, size, body)
        except FAILURES as error:
            # aiohttp reports an error of its source as one of its own connection.
            if body.ended:
                raise body.ended from error
            return await refuse_unavailable(send, error)
        if status == 200:
            location = f"/v2/{target.repository}/blobs/{digest}".encode()
            headers = [(b"location", location), (b"docker-content-digest", str(digest).encode())]
            return await reply(send, 201, [*headers, (b"content-length", b"0")])
        if status == 400:
            return await refuse(send, 400, "DIGEST_INVALID", f"the bytes that were sent do not match {digest}")
        return await refuse(send, 503, "UNAVAILABLE", f"S3 answered {status}: try again in a moment")

    async def _put(self, token: UploadToken, digest: Digest, size: int, body: "IncomingBody") -> int:
        s3_key = bucket_keys.edge_prefix(token.repository_id, digest) + token.upload_id
        address = self._services.stores.objects.address("put_object", s3_key, 60, ChecksumSHA256=digest.base64)
        headers = {"Content-Length": str(size), "x-amz-checksum-sha256": digest.base64}
        async with self.session.put(address, data=body.chunks(), headers=headers) as answer:
            await answer.read()
            return answer.status

    async def download(self, scope: Scope, send: Send) -> None:
        """Sends a blob by its signed path, and adds the digest, which S3 does not know."""
        method = scope["method"]
        try:
            download = Download.verify(scope["path"], self._keys, time.time())
        except RouteUnknown as error:
            return await refuse(send, 404, "BLOB_UNKNOWN", str(error))
        operation = "head_object" if method == "HEAD" else "get_object"
        address = self._services.stores.objects.address(operation, download.s3_key, 60)
        wanted = header(scope, b"range")
        try:
            answer = await self.session.request(method, address, headers={"Range": wanted} if wanted else {})
        except FAILURES as error:
            return await refuse_unavailable(send, error)
        async with answer:
            headers = [(name.encode(), answer.headers[name].encode()) for name in PASSED_ON if name in answer.headers]
            ours = {**browsers.CONTENT, "Docker-Content-Digest": str(download.digest)}
            headers += [(name.lower().encode(), value.encode()) for name, value in ours.items()]
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            try:
                async for content in answer.content.iter_chunked(READ_BYTES):
                    await send({"type": "http.response.body", "body": content, "more_body": True})
            except FAILURES as error:
                # The server closes the connection of an answer without an end, by which the client notices.
                return log.warning("the bucket broke off a download: %s", type(error).__name__)
            await send({"type": "http.response.body", "body": b""})
        return None


class IncomingBody:
    """A body on its way to S3; `ended` says why it ended before it was complete, if it did."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.ended: BodyEnded | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yields the body; if it ends too early, the connection to S3 breaks too, so that no half object stays."""
        try:
            async for content in chunks(self._receive):
                yield content
        except BodyEnded as error:
            self.ended = error
            raise


async def refuse_unavailable(send: Send, error: Exception) -> None:
    """Sends that the bucket does not answer."""
    log.warning("the bucket does not answer: %s", type(error).__name__)
    await refuse(send, 503, "UNAVAILABLE", "the bucket does not answer: try again in a moment")
