"""Downloads through the download edge: a signed path with a blob's digest, its S3 key and the end of the permission."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import DigestInvalid, RouteUnknown

PREFIX = "/content/"
# Ends are rounded up to a multiple of this, so that a blob keeps the same path for a while and caches can serve it.
ROUND_S = 600
EXPIRY = re.compile("[1-9][0-9]{0,11}")


@dataclass(frozen=True, slots=True)
class Download:
    """The content of a path under `/content/`. `expires_at` is in seconds since the epoch."""

    digest: Digest
    s3_key: str
    expires_at: int

    @classmethod
    def until(cls, digest: Digest, s3_key: str, now: float, seconds: int) -> "Download":
        """Returns a download that is valid for at least `seconds`."""
        return cls(digest, s3_key, -(-(int(now) + seconds) // ROUND_S) * ROUND_S)

    def path(self, key: bytes) -> str:
        """Returns the path, signed with `key`."""
        return f"{PREFIX}{self.expires_at}.{self._signature(key)}/{self.digest}/{self.s3_key}"

    @classmethod
    def verify(cls, path: str, keys: list[bytes], now: float) -> "Download":
        """Parses a path. Raises RouteUnknown if it is forged, malformed or expired."""
        token, _, rest = path.removeprefix(PREFIX).partition("/")
        digest, _, s3_key = rest.partition("/")
        expires_at, _, signature = token.partition(".")
        if not path.startswith(PREFIX) or not EXPIRY.fullmatch(expires_at) or int(expires_at) <= now:
            raise RouteUnknown(path)
        try:
            download = cls(Digest.parse(digest), s3_key, int(expires_at))
        except DigestInvalid:
            raise RouteUnknown(path) from None
        received = signature.encode("utf-8", "replace")
        if not any(hmac.compare_digest(download._signature(key).encode(), received) for key in keys):
            raise RouteUnknown(path)
        return download

    def _signature(self, key: bytes) -> str:
        text = f"download.{self.expires_at}.{self.digest}.{self.s3_key}".encode("utf-8", "replace")
        return base64.urlsafe_b64encode(hmac.new(key, text, hashlib.sha256).digest()).rstrip(b"=").decode("ascii")
