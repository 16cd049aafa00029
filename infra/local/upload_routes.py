"""Chooses the route of a request body (ADR 0003): through the app, by the edge directly to S3, or through the relay.

The CloudFront function has the same rules; the gateway gives the answers that the function would give itself.
"""

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import parse_qs

from chalicelib.domain.uploads import LARGEST_BODY, LARGEST_PUT, ONE

BEGIN = re.compile(r"/v2/(?P<repository>.+)/blobs/uploads/?")
UPLOAD = re.compile(r"/v2/(?P<repository>.+)/blobs/uploads/(?P<upload>[^/]+)/?")
SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


class UploadRoute(Enum):
    """The route of a body."""

    APP = "app"
    EDGE = "edge"
    RELAY = "relay"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """The parts of a request that decide its route; missing parts are empty. `range` is its Content-Range."""

    method: str
    repository: str
    upload: str
    digest: str
    range: str = ""

    @classmethod
    def of(cls, method: str, path: str, query: str, content_range: str = "") -> "UploadRequest":
        """Parses path, query and Content-Range."""
        digest = parse_qs(query).get("digest", [""])[-1]
        if found := UPLOAD.fullmatch(path):
            return cls(method, found["repository"], found["upload"], digest, content_range)
        found = BEGIN.fullmatch(path)
        return cls(method, found["repository"] if found else "", "", digest, content_range)

    def route(self, size: int | None) -> UploadRoute:
        """Returns the route of a body of `size` bytes; None stands for a chunked body that exceeds the app's limit."""
        if size is not None and size <= LARGEST_BODY:
            return UploadRoute.APP
        if self.method == "PUT" and self.upload and self._suits_edge(size):
            return UploadRoute.EDGE
        if self.method in ("PATCH", "PUT") and self.upload:
            return UploadRoute.RELAY
        if self.method == "POST" and self.repository and self.digest:
            return UploadRoute.RELAY
        return UploadRoute.NONE

    def _suits_edge(self, size: int | None) -> bool:
        """Tells whether S3 accepts the body in one PUT, can check its digest, and the upload has no chunks yet."""
        if size is None or size > LARGEST_PUT or self.range not in ("", f"0-{size - 1}"):
            return False
        kind = "".join(self.upload.split(".")[-2:-1]).partition("-")[0]
        return kind == ONE and bool(SHA256.fullmatch(self.digest))
