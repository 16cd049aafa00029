"""What a request is about, as far as a relay cares."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlencode, urlsplit

BEGIN = re.compile(r"/v2/(?P<repository>.+)/blobs/uploads/?")
UPLOAD = re.compile(r"/v2/(?P<repository>.+)/blobs/uploads/(?P<upload>[^/]+)/?")


@dataclass(frozen=True, slots=True)
class Target:
    """Method, path and query of a request, and what they mean; what it does not say is empty.

    `text` is path and query as they came, `location` the path of an upload.
    """

    method: str
    text: str
    repository: str
    location: str
    digest: str
    content_range: str = ""

    @classmethod
    def of(cls, method: str, target: str, content_range: str = "") -> "Target":
        """Reads path and query, as they stand in a request line, and Content-Range."""
        path, _, query = target.partition("?")
        digest = parse_qs(query).get("digest", [""])[-1]
        if found := UPLOAD.fullmatch(path):
            return cls(method, target, found["repository"], path.rstrip("/"), digest, content_range)
        found = BEGIN.fullmatch(path)
        return cls(method, target, found["repository"] if found else "", "", digest, content_range)

    @property
    def brings_bytes(self) -> bool:
        """Whether its body is a blob, or some of one."""
        if self.location:
            return self.method in ("PATCH", "PUT")
        return self.method == "POST" and bool(self.repository and self.digest)

    @property
    def beginning(self) -> str:
        """Path and query of the request that begins an upload for this one's digest."""
        return beginning(self.repository, self.digest)


def beginning(repository: str, digest: str) -> str:
    """Path and query that begin an upload of a blob of that digest."""
    algorithm = digest.partition(":")[0]
    return f"/v2/{repository}/blobs/uploads/" + (
        f"?digest-algorithm={quote(algorithm)}" if algorithm != "sha256" else ""
    )


def closing(location: str, digest: str) -> str:
    """Path and query of the request that closes an upload."""
    return f"{location}?{urlencode({'digest': digest})}"


def path_of(location: str) -> str:
    """The path of a `Location`, whether it names a host or not."""
    return urlsplit(location).path.rstrip("/")
