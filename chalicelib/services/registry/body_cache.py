"""A cache of the bytes of manifests in this process."""

from collections import OrderedDict
from threading import Lock

from chalicelib.domain.digests import Digest


class BodyCache:
    """Caches bytes of manifests, which never change, by repository and digest; at most `limit` bytes."""

    def __init__(self, limit: int = 32 * 1024 * 1024) -> None:
        self._bodies: OrderedDict[tuple[str, Digest], bytes] = OrderedDict()
        self._limit, self._bytes, self._lock = limit, 0, Lock()

    def get(self, repository_id: str, digest: Digest) -> bytes | None:
        """Returns the bytes, or None if they are not cached."""
        with self._lock:
            body = self._bodies.get((repository_id, digest))
            if body is not None:
                self._bodies.move_to_end((repository_id, digest))
            return body

    def put(self, repository_id: str, digest: Digest, body: bytes) -> None:
        """Caches the bytes; the least recently used ones are dropped."""
        with self._lock:
            if (repository_id, digest) in self._bodies:
                return
            self._bodies[repository_id, digest] = body
            self._bytes += len(body)
            while self._bytes > self._limit:
                _, dropped = self._bodies.popitem(last=False)
                self._bytes -= len(dropped)
