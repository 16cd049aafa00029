"""Pulls blobs through a proxy cache that are not here yet.

Where the other registry sends its clients elsewhere for a blob, ours go there, too, while a worker fetches it. A small
one goes through the function and is stored on the way. For a larger one the client waits until a worker has it, and is
sent to the same address again each time that takes too long for one request.
"""

import time
from dataclasses import dataclass

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUnknown, OutgoingRefused, RegistryError, Unavailable
from chalicelib.domain.errors.upstreams import UpstreamFailed, UpstreamLied, UpstreamSlow, UpstreamUnknown
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor
from chalicelib.domain.proxy_caches import INLINE, MOST_WAITS, PATIENCE_S, WAIT_S
from chalicelib.remote.registries import UpstreamBlob
from chalicelib.services.mirroring.cache_repositories import CachedRepository, CacheRepositories
from chalicelib.services.mirroring.deadlines import within
from chalicelib.services.registry.blobs import BlobLocation, Blobs
from chalicelib.services.registry.uploads import Uploads
from chalicelib.telemetry import logger

LOOK_S = 0.5
# After so many waits the message is sent again: its worker may be dead.
AGAIN = 4


@dataclass(frozen=True, slots=True)
class CachedBlob:
    """Where a blob is: `location` here, `address` at the other registry, its `content`, or nowhere yet (wait again)."""

    location: BlobLocation | None = None
    address: str = ""
    content: bytes | None = None


class CachedBlobs:
    """Blobs of proxy caches."""

    def __init__(self, blobs: Blobs, uploads: Uploads, repositories: CacheRepositories) -> None:
        self._blobs, self._uploads, self._repositories = blobs, uploads, repositories
        self._sleep = time.sleep

    def find(self, actor: Actor, name: RepositoryName, digest: Digest, waits: int, *, is_head: bool) -> CachedBlob:
        """Finds a blob that is not here; `waits` is how often the client has waited for it.

        Raises Unauthenticated, NameUnknown, BlobUnknown, and Unavailable if the other registry does not answer, or the
        client has waited often enough.
        """
        began, cached = time.monotonic(), self._repositories.of_token(actor, name)
        if cached.repository is None:
            raise BlobUnknown(str(name), str(digest))
        if waits == 0:
            found = self._ask(cached, digest, is_head=is_head)
            if found is not None:
                return found
        if waits > MOST_WAITS:
            raise Unavailable("the blob is still being fetched", WAIT_S)
        if waits in (0, AGAIN):
            self._repositories.fetch_blob(cached, digest)
        return self._wait(actor, name, digest, began + WAIT_S)

    def _ask(self, cached: CachedRepository, digest: Digest, *, is_head: bool) -> CachedBlob | None:
        """Returns the address or the bytes of a blob at the other registry; None if a worker has to fetch it."""

        def ask() -> str | bytes | None:
            with self._repositories.opened(cached) as registry, registry.direct_blob(digest) as there:
                if isinstance(there, str):
                    return there
                return None if is_head or there.size is None or there.size > INLINE else _read(there)

        try:
            there = within(PATIENCE_S, ask)
        except UpstreamUnknown:
            raise BlobUnknown(str(cached.name), str(digest)) from None
        except OutgoingRefused:
            return None
        except UpstreamSlow:
            # A worker has more time.
            return None
        except UpstreamFailed as error:
            raise Unavailable(error.why) from None
        if there is None:
            return None
        if isinstance(there, str):
            self._repositories.fetch_blob(cached, digest)
            return CachedBlob(address=there)
        if not digest.matches(there):
            raise Unavailable(f"{cached.source.reference} sends other bytes than those of {digest}")
        self._keep(cached, digest, there)
        return CachedBlob(content=there)

    def _keep(self, cached: CachedRepository, digest: Digest, content: bytes) -> None:
        """Stores a blob; a client gets its bytes whether or not that succeeds."""
        try:
            self._uploads.push(cached.keeper, cached.name, digest, content)
        except RegistryError as error:
            logger.warning("blob not cached", repository=str(cached.name), digest=str(digest), why=str(error))

    def _wait(self, actor: Actor, name: RepositoryName, digest: Digest, until: float) -> CachedBlob:
        while True:
            try:
                return CachedBlob(location=self._blobs.find(actor, name, digest))
            except BlobUnknown:
                if time.monotonic() >= until:
                    return CachedBlob()
            self._sleep(LOOK_S)


def _read(blob: UpstreamBlob) -> bytes:
    content = bytearray()
    for chunk in blob.chunks():
        content += chunk
        if len(content) > INLINE:
            raise UpstreamLied("the other registry sends more bytes of a blob than it says")
    return bytes(content)
