"""Pulls from other registries (https://github.com/opencontainers/distribution-spec/blob/main/spec.md).

What a registry sends is checked here: documents have a limit, a manifest has the digest by which it was asked for, and
lists end. Bytes of blobs are verified by whoever stores them.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin

from chalicelib.domain import media_types
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import DigestInvalid
from chalicelib.domain.errors.upstreams import (
    UpstreamDenied,
    UpstreamLied,
    UpstreamLimited,
    UpstreamUnknown,
    UpstreamUnreachable,
    UpstreamUntrusted,
)
from chalicelib.domain.manifests import MAXIMUM_BYTES
from chalicelib.domain.upstreams import Credentials, UpstreamRepository
from chalicelib.remote.challenges import UpstreamAuthorization
from chalicelib.remote.streams import REDIRECTS, Stream, Streams

# Every type of manifest that can be copied, and schema 1, so that a registry names it and does not convert it.
ACCEPT = ", ".join((*media_types.MANIFESTS, *media_types.DOCKER_SCHEMA_1))
PAGE, MOST_PAGES = 1000, 100_000
# A registry that ignores `n` sends all tags at once; so many bytes hold half a million.
LARGEST_PAGE = 32 * 1024 * 1024
NEXT = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next"?', re.IGNORECASE)
CONTENT_RANGE = re.compile(r"bytes\s+([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")
TOO_MANY, BUSY = 429, 503
# Seconds to wait for a registry that says no time, and the longest that is waited at once.
PAUSE_S, LONGEST_PAUSE_S = 60, 6 * 3600
REMAINING = re.compile(r"\s*0\s*(?:;|,|$)")
DIGEST_HEADER = "docker-content-digest"


@dataclass(frozen=True, slots=True)
class UpstreamManifest:
    """A manifest of another registry; `content` is None unless it was read. `size` is in bytes, None if untold."""

    digest: Digest
    media_type: str
    size: int | None = None
    content: bytes | None = None


class UpstreamBlob:
    """A blob that is read piece by piece from byte `offset` on; `size` is that of the whole, None if it is untold."""

    def __init__(self, stream: Stream) -> None:
        found = CONTENT_RANGE.match(stream.headers.get("content-range", "")) if stream.status == 206 else None
        length = stream.headers.get("content-length", "")
        self.offset = int(found[1]) if found else 0
        self.size = int(found[2]) if found else int(length) if length.isdecimal() else None
        self._stream = stream

    def chunks(self) -> Iterator[bytes]:
        """Yields the bytes. Raises UpstreamUnreachable when they end early or stand still."""
        return self._stream.chunks()


class RegistryClient:
    """One repository of another registry. Threads may share it; `close` closes its connections.

    Every method raises OutgoingRefused for an address that may not be called, and a leaf of UpstreamFailed:
    UpstreamUnreachable, UpstreamUntrusted, UpstreamProxyFailed, UpstreamDenied, UpstreamUnknown, UpstreamLimited.
    """

    def __init__(
        self,
        streams: Streams,
        repository: UpstreamRepository,
        credentials: Credentials | None,
        clock: Callable[[], float],
        *,
        may_be_plain: bool = False,
    ) -> None:
        self._streams, self._repository, self._clock = streams, repository, clock
        self._host, self._may_be_plain, self._is_anonymous = repository.api_host, may_be_plain, credentials is None
        self._authorization = UpstreamAuthorization(streams, repository.host, credentials, clock)
        self._base, self._not_before, self._lock = "", 0, threading.Lock()

    def close(self) -> None:
        """Closes all connections."""
        self._streams.close()

    def tags(self) -> Iterator[list[str]]:
        """Yields the tags, page by page."""
        url, seen = f"{self._url('tags/list')}?n={PAGE}", set[str]()
        for _ in range(MOST_PAGES):
            seen.add(url)
            with self._asked("GET", url) as stream:
                document = _document(stream, self._host)
                names = document.get("tags") or []
                if not isinstance(names, list):
                    raise UpstreamUnreachable(f"{self._host} sends no list of tags")
                yield [name for name in names if isinstance(name, str)]
                following = NEXT.search(stream.headers.get("link", ""))
                url = urljoin(stream.url, following[1]) if following else ""
            if not url:
                return
            if url in seen:
                break
        raise UpstreamUnreachable(f"{self._host} sends a list of tags that does not end")

    def head(self, reference: str) -> UpstreamManifest | None:
        """Returns what a tag or digest names, without its bytes unless the registry tells no digest; None if nothing.

        https://github.com/opencontainers/distribution-spec/blob/main/spec.md#checking-if-content-exists-in-the-registry
        """
        try:
            with self._asked("HEAD", self._url(f"manifests/{reference}"), {"Accept": ACCEPT}) as stream:
                digest = _digest(stream.headers.get(DIGEST_HEADER, ""))
                if stream.status == 200 and digest:
                    length = stream.headers.get("content-length", "")
                    size = int(length) if length.isdecimal() else None
                    return UpstreamManifest(digest, media_types.bare(stream.headers.get("content-type", "")), size)
        except UpstreamUnknown:
            return None
        # It answers 200 without a digest, or does not serve HEAD.
        return self.manifest(reference)

    def manifest(self, reference: str) -> UpstreamManifest | None:
        """Returns a manifest with its bytes; None if it does not exist. Raises UpstreamLied, too."""
        try:
            with self._asked("GET", self._url(f"manifests/{reference}"), {"Accept": ACCEPT}) as stream:
                if stream.status != 200:
                    raise UpstreamUnreachable(f"{self._host} answers {stream.status} to a manifest")
                content, told = stream.content(MAXIMUM_BYTES), stream.headers.get(DIGEST_HEADER, "")
                media_type = media_types.bare(stream.headers.get("content-type", ""))
        except UpstreamUnknown:
            return None
        for claimed in (_digest(reference), _digest(told)):
            if claimed and not claimed.matches(content):
                raise UpstreamLied(f"{self._host} sends a manifest whose bytes do not have the digest {claimed}")
        digest = _digest(reference) or _digest(told) or Digest.of(content)
        return UpstreamManifest(digest, media_type, len(content), content)

    @contextmanager
    def blob(self, digest: Digest, offset: int = 0) -> Iterator[UpstreamBlob]:
        """Yields a blob from byte `offset` on, or from its beginning if the registry ignores that."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        with self._asked("GET", self._url(f"blobs/{digest}"), headers) as stream:
            if stream.status not in (200, 206):
                raise UpstreamUnreachable(f"{self._host} answers {stream.status} to blob {digest}")
            yield UpstreamBlob(stream)

    @contextmanager
    def direct_blob(self, digest: Digest) -> Iterator[str | UpstreamBlob]:
        """Yields the address to which the registry sends clients for a blob, or the blob if it sends the bytes itself.

        Raises OutgoingRefused for an address that our own network has.
        """
        with self._asked("GET", self._url(f"blobs/{digest}"), follow=False) as stream:
            if stream.status in REDIRECTS and (location := stream.headers.get("location", "")):
                yield self._streams.checked(urljoin(stream.url, location))
            elif stream.status == 200:
                yield UpstreamBlob(stream)
            else:
                raise UpstreamUnreachable(f"{self._host} answers {stream.status} to blob {digest}")

    def lets_in(self) -> bool:
        """Asks whether the registry accepts the user; returns False for nobody where it wants one.

        https://distribution.github.io/distribution/spec/api/#api-version-check
        """
        try:
            with self._asked("GET", f"{self._find_base()}/v2/") as stream:
                if stream.status != 200:
                    raise UpstreamUnreachable(f"{self._host} does not answer as a registry")
        except UpstreamDenied:
            if self._is_anonymous:
                return False
            raise
        return True

    def referrers(self, digest: Digest) -> list[Digest]:
        """Returns the digests of a manifest's referrers, by the API or else by the tag that stands for it."""
        url, found = self._url(f"referrers/{digest}"), list[Digest]()
        try:
            for _ in range(MOST_PAGES):
                with self._asked("GET", url, {"Accept": media_types.OCI_INDEX}) as stream:
                    if stream.status != 200:
                        return self._tagged_referrers(digest)
                    found += _children(_document(stream, self._host))
                    following = NEXT.search(stream.headers.get("link", ""))
                    if not following:
                        return found
                    url = urljoin(stream.url, following[1])
        except UpstreamUnknown:
            return self._tagged_referrers(digest)
        raise UpstreamUnreachable(f"{self._host} sends a list of referrers that does not end")

    def _tagged_referrers(self, digest: Digest) -> list[Digest]:
        """https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema"""
        index = self.manifest(f"{digest.algorithm}-{digest.hex}"[:128])
        try:
            return _children(json.loads(index.content)) if index and index.content else []
        except ValueError:
            return []

    def _url(self, rest: str) -> str:
        with self._lock:
            if not self._base:
                self._base = self._find_base()
        return f"{self._base}/v2/{self._repository.api_path}/{rest}"

    def _find_base(self) -> str:
        """Returns scheme and host: https, and http where nothing is verified and https is not spoken."""
        if self._may_be_plain:
            try:
                with self._streams.open("GET", f"https://{self._host}/v2/", {}):
                    pass
            except (UpstreamUntrusted, UpstreamUnreachable):
                return f"http://{self._host}"
        return f"https://{self._host}"

    @contextmanager
    def _asked(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, *, follow: bool = True
    ) -> Iterator[Stream]:
        """Yields the answer to a request that was authorized as the registry wants it."""
        if self._clock() < self._not_before:
            raise UpstreamLimited(self._host, self._not_before)
        for _ in range(2):
            authorization = self._authorization.header()
            with self._streams.open(method, url, {**(headers or {}), **authorization}, follow=follow) as stream:
                self._check_limits(stream)
                challenge = stream.headers.get("www-authenticate", "")
                if stream.status != 401 or not challenge:
                    self._check_status(stream)
                    yield stream
                    return
            self._authorization.answer(challenge, authorization, f"repository:{self._repository.api_path}:pull")
        raise self._authorization.denied()

    def _check_status(self, stream: Stream) -> None:
        if stream.status in (401, 403):
            raise self._authorization.denied()
        if stream.status == 404:
            raise UpstreamUnknown(self._repository.host, self._repository.path)
        if stream.status >= 500:
            raise UpstreamUnreachable(f"{self._host} answers {stream.status}")

    def _check_limits(self, stream: Stream) -> None:
        """Notes from when on the registry wants to be asked again. Raises UpstreamLimited if it is not now."""
        until = asked_again_at(stream, int(self._clock()))
        if until is None:
            return
        self._not_before = max(self._not_before, until)
        if stream.status in (TOO_MANY, BUSY):
            raise UpstreamLimited(self._host, until)


def asked_again_at(stream: Stream, now: int) -> int | None:
    """Returns when a registry may be asked again by its answer: `Retry-After`, or no request that remains.

    https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3 and, with Docker Hub's `ratelimit-remaining: 0;w=21600`,
    https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
    """
    after = _seconds(stream.headers.get("retry-after", ""), now)
    if stream.status == TOO_MANY or (stream.status == BUSY and after is not None):
        return now + min(PAUSE_S if after is None else after, LONGEST_PAUSE_S)
    if REMAINING.match(stream.headers.get("ratelimit-remaining", "x")):
        reset = _seconds(stream.headers.get("ratelimit-reset", ""), now)
        return now + min(PAUSE_S if reset is None else reset, LONGEST_PAUSE_S)
    return None


def _seconds(text: str, now: int) -> int | None:
    """Returns the seconds that a header names as a number or as a date; None if it does not."""
    text = text.strip()
    if text.isdecimal():
        return min(int(text[:10]), LONGEST_PAUSE_S)
    try:
        return max(int(parsedate_to_datetime(text).timestamp()) - now, 0)
    except (ValueError, TypeError, OverflowError):
        return None


def _document(stream: Stream, host: str) -> dict[str, Any]:
    try:
        document = json.loads(stream.content(LARGEST_PAGE))
    except (ValueError, RecursionError):
        document = None
    if stream.status != 200 or not isinstance(document, dict):
        raise UpstreamUnreachable(f"{host} does not answer as a registry")
    return document


def _children(index: Any) -> list[Digest]:
    entries = index.get("manifests") if isinstance(index, dict) else None
    entries = entries if isinstance(entries, list) else []
    found = (_digest(str(entry.get("digest"))) for entry in entries if isinstance(entry, dict))
    return [digest for digest in found if digest]


def _digest(text: str) -> Digest | None:
    try:
        return Digest.parse(text)
    except DigestInvalid:
        return None
