"""A thin registry client for tests, which returns the unprocessed answers."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urljoin

import requests

from tests.protocol.content import Blob, Image, Manifest

# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
CODES = {
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "SIZE_INVALID",
    "UNAUTHORIZED",
    "DENIED",
    "UNSUPPORTED",
    "TOOMANYREQUESTS",
}
CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
OCTETS = {"Content-Type": "application/octet-stream"}
TIMEOUT_S = 60

Answer = requests.Response


def assert_refused(answer: Answer, status: int | tuple[int, ...], *codes: str) -> list[dict[str, Any]]:
    """Checks that the answer is an error in the specification's form with one of these codes; returns its errors."""
    statuses = (status,) if isinstance(status, int) else status
    assert answer.status_code in statuses, f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text}"
    assert answer.headers["Content-Type"].split(";")[0] == "application/json"
    errors: list[dict[str, Any]] = answer.json()["errors"]
    assert errors
    for error in errors:
        assert error["code"] in CODES
        assert len(error["message"].split()) > 1, f"nobody can act on {error['message']!r}"
    if codes:
        assert errors[0]["code"] in codes, f"{errors} where one of {codes} was due"
    return errors


@dataclass
class Registry:
    """A registry as one account sees it, or as an anonymous caller if there is no user."""

    url: str
    user: str | None = None
    password: str | None = None

    def __post_init__(self) -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        # By scopes, a token and until when it is reused. A stack lives longer than a token's five minutes.
        self.tokens: dict[tuple[str, ...], tuple[str, float]] = {}

    def challenge(self, path: str = "/v2/", method: str = "GET") -> dict[str, str]:
        """Returns the fields of the Bearer challenge that an anonymous caller receives for a path."""
        answer = self.send(method, path)
        scheme, _, fields = answer.headers["WWW-Authenticate"].partition(" ")
        assert (answer.status_code, scheme) == (401, "Bearer"), f"{answer.status_code} {answer.headers}"
        return dict(CHALLENGE.findall(fields))

    def ask_for_token(self, *scopes: str, **fields: str) -> Answer:
        """Sends one GET to the token endpoint."""
        realm = self.challenge()
        auth = (self.user, self.password or "") if self.user else None
        query = {"service": realm["service"], "scope": list(scopes), **fields}
        return self.session.get(realm["realm"], params=query, auth=auth, timeout=TIMEOUT_S)

    def token(self, *scopes: str) -> str:
        token, until = self.tokens.get(scopes, ("", 0.0))
        if time.monotonic() > until:
            answer = self.ask_for_token(*scopes)
            answer.raise_for_status()
            token, until = answer.json()["token"], time.monotonic() + answer.json()["expires_in"] / 2
            self.tokens[scopes] = token, until
        return token

    def authorization(self, *scopes: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(*scopes)}"}

    def send(self, method: str, path: str, **options: Any) -> Answer:
        """Sends one request and returns its answer; redirects are not followed by default."""
        options = {"allow_redirects": False, "timeout": TIMEOUT_S} | options
        return self.session.request(method, urljoin(self.url, path), **options)

    def repository(self, name: str, actions: str = "pull,push,delete") -> Repository:
        return Repository(self, name, actions)

    def catalog(self, **query: Any) -> Answer:
        return self.send("GET", "/v2/_catalog", params=query, headers=self.authorization("registry:catalog:*"))


@dataclass
class Repository:
    """A repository of a registry, with a token for these actions on it."""

    registry: Registry
    name: str
    actions: str = "pull,push,delete"

    @property
    def scope(self) -> str:
        return f"repository:{self.name}:{self.actions}"

    def authorization(self) -> dict[str, str]:
        return self.registry.authorization(self.scope)

    def send(self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any) -> Answer:
        """Sends a request below this repository, or to a location from the registry, with the repository's token."""
        target = path if path.startswith(("/", "http")) else f"/v2/{self.name}/{path}"
        return self.registry.send(method, target, headers=self.authorization() | (headers or {}), **options)

    # Blobs

    def start_upload(self, **query: str) -> Upload:
        answer = self.send("POST", "blobs/uploads/", params=query)
        assert answer.status_code == 202, f"{answer.status_code} {answer.text}"
        return Upload(self, answer)

    def push_blob(self, blob: Blob) -> Answer:
        """Pushes a blob by a POST and one PUT."""
        query = {} if blob.algorithm == "sha256" else {"digest-algorithm": blob.algorithm}
        answer = self.start_upload(**query).put(blob.digest, blob.content)
        assert answer.status_code == 201, f"{answer.status_code} {answer.text}"
        return answer

    def get_blob(self, digest: str, **headers: str) -> Answer:
        """Sends a GET and follows redirects; requests drops the token when the host changes."""
        return self.send("GET", f"blobs/{digest}", headers=headers, allow_redirects=True)

    def head_blob(self, digest: str) -> Answer:
        return self.send("HEAD", f"blobs/{digest}", allow_redirects=True)

    def mount(self, digest: str, source: str | None = None) -> Answer:
        """Sends a POST with `mount`; the token also allows a pull from the source, as clients request it."""
        query = {"mount": digest} | ({"from": source} if source else {})
        scopes = [self.scope, *([f"repository:{source}:pull"] if source else [])]
        return self.send("POST", "blobs/uploads/", headers=self.registry.authorization(*scopes), params=query)

    # Manifests

    def put_manifest(
        self, content: bytes, reference: str, media_type: str | None, tags: list[str] | None = None
    ) -> Answer:
        headers = {"Content-Type": media_type} if media_type else {}
        return self.send("PUT", f"manifests/{reference}", headers=headers, data=content, params={"tag": tags or []})

    def push_manifest(self, manifest: Manifest, reference: str | None = None) -> Answer:
        answer = self.put_manifest(manifest.content, reference or manifest.digest, manifest.media_type)
        assert answer.status_code == 201, f"{answer.status_code} {answer.text}"
        return answer

    def push_image(self, image: Image, reference: str | None = None) -> Answer:
        for blob in {blob.digest: blob for blob in image.blobs}.values():
            self.push_blob(blob)
        return self.push_manifest(image.manifest, reference)

    def get_manifest(self, reference: str, **headers: str) -> Answer:
        return self.send("GET", f"manifests/{reference}", headers=headers)

    def head_manifest(self, reference: str, **headers: str) -> Answer:
        return self.send("HEAD", f"manifests/{reference}", headers=headers)

    # Discovery

    def tags(self, **query: Any) -> Answer:
        return self.send("GET", "tags/list", params=query)

    def referrers(self, digest: str, **query: Any) -> Answer:
        return self.send("GET", f"referrers/{digest}", params=query)

    def delete(self, path: str) -> Answer:
        return self.send("DELETE", path)


class Upload:
    """An upload session, which always uses the newest Location, as the specification requires of clients."""

    def __init__(self, repository: Repository, started: Answer) -> None:
        self.repository = repository
        self.started = started
        self.location = started.headers["Location"]

    def patch(self, content: Any, start: int | None = None, **headers: str) -> Answer:
        """Sends a chunk from `start`, or a stream without it; an iterator is sent with chunked framing."""
        if start is not None:
            headers = {"Content-Range": f"{start}-{start + len(content) - 1}"} | headers
        return self.follow(self.repository.send("PATCH", self.location, headers=OCTETS | headers, data=content))

    def put(self, digest: str, content: Any = b"", start: int | None = None, **headers: str) -> Answer:
        if start is not None:
            headers = {"Content-Range": f"{start}-{start + len(content) - 1}"} | headers
        return self.repository.send("PUT", self.closing(digest), headers=OCTETS | headers, data=content)

    def closing(self, digest: str) -> str:
        mark = "&" if "?" in self.location else "?"
        return f"{self.location}{mark}digest={quote(digest, safe='')}"

    def status(self) -> Answer:
        return self.follow(self.repository.send("GET", self.location))

    def cancel(self) -> Answer:
        return self.repository.send("DELETE", self.location)

    def follow(self, answer: Answer) -> Answer:
        if answer.ok:
            self.location = answer.headers.get("Location", self.location)
        return answer


def next_page(answer: Answer) -> str | None:
    """Returns the absolute address in `Link: <…>; rel="next"`, or None."""
    link = answer.links.get("next")
    return urljoin(answer.url, link["url"]) if link else None
