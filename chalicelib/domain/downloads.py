"""Downloads through the edge: a signed path that says which blob lies where, and until when it may be had."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import DigestInvalid, RouteUnknown

PREFIX = "/content/"
# Ends are rounded up to this many seconds, so that the same blob has the same path for a while.
ROUND_S = 600
EXPIRY = re.compile("[1-9][0-9]{0,11}")


@dataclass(frozen=True, slots=True)
class Download:
    """What a path under `/content/` stands for. `expires_at` is in seconds since the epoch."""

    digest: Digest
    s3_key: str
    expires_at: int

    @classmethod
    def until(cls, digest: Digest, s3_key: str, now: float, seconds: int) -> "Download":
        """A download that is good for at least `seconds`."""
        return cls(digest, s3_key, -(-(int(now) + seconds) // ROUND_S) * ROUND_S)

    def path(self, key: bytes) -> str:
        """The signed path."""
        return f"{PREFIX}{self.expires_at}.{self._signature(key)}/{self.digest}/{self.s3_key}"

    @classmethod
    def verify(cls, path: str, keys: list[bytes], now: float) -> "Download":
        """Reads a path. Raises RouteUnknown when it is forged, malformed or too old."""
        token, _, rest = path.removeprefix(PREFIX).partition("/")
        digest, _, s3_key = rest.partition("/")
        expires_at, _, signature = token.partition(".")
        if not path.startswith(PREFIX) or not EXPIRY.fullmatch(expires_at) or int(expires_at) <= now:
            raise RouteUnknown(path)
        try:
            download = cls(Digest.parse(digest), s3_key, int(expires_at))
        except DigestInvalid:
            raise RouteUnknown(path) from None
        shown = signature.encode("utf-8", "replace")
        if not any(hmac.compare_digest(download._signature(key).encode(), shown) for key in keys):
            raise RouteUnknown(path)
        return download

    def _signature(self, key: bytes) -> str:
        text = f"download.{self.expires_at}.{self.digest}.{self.s3_key}".encode("utf-8", "replace")
        return base64.urlsafe_b64encode(hmac.new(key, text, hashlib.sha256).digest()).rstrip(b"=").decode("ascii")
