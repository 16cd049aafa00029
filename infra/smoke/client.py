"""The client of one run: it pushes and pulls as one account, and deletes everything that it pushed."""

import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import urljoin

from infra.smoke.answers import is_cloudfront, summary_of
from infra.smoke.content import MANIFEST, Image, digest_of
from infra.smoke.tokens import SignInRefused, Tokens
from infra.smoke.wire import Answer, Headers, NoAnswer, exchange

OCTETS = [("Content-Type", "application/octet-stream")]
READS = ("GET", "HEAD")
GONE = (202, 204, 404)
# Seconds between the rounds that delete what was pushed; a request under way may need that long.
PAUSES_S = (0.5, 1, 2)


class StepFailed(Exception):
    """A step before the one under test failed; the message says which and how."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that was not deleted, and why. A retry may delete it if the DELETE was refused, not unanswered."""

    reason: str
    was_refused: bool


@dataclass(frozen=True, slots=True)
class SmokeOptions:
    """The options of a run. A check whose option is zero or empty is unknown."""

    user: str
    password: str = field(repr=False)
    repository: str
    gateway: str = ""
    log_group: str = ""
    upload_proof: str = "checksum"
    slow_s: float = 0
    put_gb: float = 0
    relay_gb: float = 0


class SmokeClient:
    """A client of the registry at `url` that acts as one account in one repository."""

    def __init__(self, url: str, options: SmokeOptions) -> None:
        self.url, self.options = url, options
        self.tokens = Tokens(url, options.user, options.password, options.repository)
        # Seconds of the first request, which may have started the function.
        self.first_s = 0.0
        self._manifests: dict[str, None] = {}
        self._uploads: dict[str, None] = {}
        self._blobs: dict[str, None] = {}
        # The number of writing requests without an answer.
        self._unanswered = 0

    def connect(self) -> Answer:
        """Sends the first request, and signs in. Raises NoAnswer, SignInRefused."""
        answer = exchange("GET", f"{self.url}/v2/")
        self.first_s = answer.seconds
        self.tokens.authorization()
        return answer

    def is_behind_cloudfront(self) -> bool:
        """Tells whether CloudFront is in front of the registry, by one request."""
        return is_cloudfront(exchange("GET", f"{self.url}/v2/"))

    def path(self, rest: str) -> str:
        """Returns a path within the repository."""
        return f"/v2/{self.options.repository}/{rest}"

    def request(
        self,
        method: str,
        path: str,
        headers: Headers = (),
        body: bytes | Iterable[bytes] = b"",
        length: int | None = None,
    ) -> Answer:
        """Sends one request with the account's token. Raises NoAnswer, SignInRefused."""
        mine = [self.tokens.authorization(), *headers]
        self._unanswered += method not in READS
        answer = exchange(method, self.url + path, mine, body, length)
        self._unanswered -= method not in READS
        return answer

    # Uploads

    def begin(self) -> str:
        """Begins an upload and returns its path. Raises StepFailed."""
        answer = self.request("POST", self.path("blobs/uploads/"))
        if answer.status != 202:
            raise StepFailed(f"no upload could begin: {summary_of(answer)}")
        return self.moved("", answer)

    def moved(self, old: str, answer: Answer) -> str:
        """Returns the path at which an upload continues after this answer. Raises StepFailed."""
        location = answer.header("Location")
        if not location:
            return old
        new = urljoin(self.url, location).removeprefix(self.url)
        if not new.startswith("/"):
            raise StepFailed(f"an upload was sent to another host, which oras and helm do not follow: {new[:60]}")
        self._uploads.pop(old, None)
        self._uploads[new] = None
        return new

    def patch(self, upload: str, body: bytes | Iterable[bytes]) -> Answer:
        """Sends one PATCH: bytes with Content-Length, other bodies chunked."""
        return self.request("PATCH", upload, OCTETS, body)

    def close(self, upload: str, digest: str, body: bytes | Iterable[bytes] = b"", length: int | None = None) -> Answer:
        """Sends the PUT that ends an upload."""
        self._blobs[digest] = None
        mark = "&" if "?" in upload else "?"
        answer = self.request("PUT", f"{upload}{mark}digest={digest.replace(':', '%3A')}", OCTETS, body, length)
        if answer.status == 201:
            self._uploads.pop(upload, None)
        return answer

    def put_blob(self, content: bytes) -> Answer:
        """Pushes a blob by POST and one PUT, and returns the PUT's answer."""
        return self.close(self.begin(), digest_of(content), content)

    def find_blob(self, digest: str) -> Answer:
        """Sends HEAD of a blob; 200 or 307 means that it exists."""
        return self.request("HEAD", self.path(f"blobs/{digest}"))

    # Manifests

    def tag(self) -> str:
        """Returns a new random tag."""
        return f"smoke-{secrets.token_hex(6)}"

    def put_manifest(self, content: bytes, reference: str) -> Answer:
        """Pushes a manifest and returns the answer."""
        for known in (digest_of(content), reference):
            self._manifests[known] = None
        return self.request("PUT", self.path(f"manifests/{reference}"), [("Content-Type", MANIFEST)], content)

    def get_manifest(self, reference: str, headers: Headers = ()) -> Answer:
        """Pulls a manifest."""
        return self.request("GET", self.path(f"manifests/{reference}"), [("Accept", MANIFEST), *headers])

    def push(self, image: Image, reference: str) -> None:
        """Pushes an image with its blobs. Raises StepFailed."""
        self.push_blobs(image)
        answer = self.put_manifest(image.manifest, reference)
        if answer.status != 201:
            raise StepFailed(f"PUT of a manifest: {summary_of(answer)}")

    def push_blobs(self, image: Image) -> None:
        """Pushes the blobs of an image. Raises StepFailed."""
        for content in image.blobs:
            answer = self.put_blob(content)
            if answer.status != 201:
                raise StepFailed(f"PUT of a blob of {len(content)} bytes: {summary_of(answer)}")

    # The end

    def clear(self) -> list[str]:
        """Deletes everything that was or may have been pushed, and returns a line with the reason for each failure.

        An interrupted request may still make a manifest or blob after a DELETE that found none, so it runs all rounds.
        """
        may_be_late, left = self._unanswered > 0, self._cleared()
        for pause_s in PAUSES_S:
            if not may_be_late and not any(leftover.was_refused for leftover in left):
                break
            time.sleep(pause_s)
            left = self._cleared()
        self._manifests, self._uploads, self._blobs, self._unanswered = {}, {}, {}, 0
        return [leftover.reason for leftover in left]

    def _cleared(self) -> list[Leftover]:
        """Runs one round and returns what it could not delete."""
        # A tag keeps its manifest, a manifest its blobs. Tags come after their digests in `_manifests`.
        targets = [self.path(f"manifests/{reference}") for reference in reversed(self._manifests)]
        left = [self._left(path, self._delete) for path in [*targets, *self._uploads]]
        left += [self._left(self.path(f"blobs/{digest}"), self._delete_blob) for digest in self._blobs]
        return [leftover for leftover in left if leftover]

    def _left(self, path: str, delete: Callable[[str], Answer]) -> Leftover | None:
        """Deletes one thing; returns None if it is gone."""
        try:
            answer = delete(path)
        except (NoAnswer, SignInRefused) as error:
            return Leftover(f"{path[:100]}: {error}", was_refused=False)
        return None if answer.status in GONE else Leftover(f"{path[:100]}: {summary_of(answer)}", was_refused=True)

    def _delete(self, path: str) -> Answer:
        return self.request("DELETE", path)

    def _delete_blob(self, path: str) -> Answer:
        answer = self._delete(path)
        # The first HEAD adopts a blob that came by the edge; before that there is nothing to delete.
        if answer.status == 404 and self.request("HEAD", path).status in (200, 307):
            return self._delete(path)
        return answer
