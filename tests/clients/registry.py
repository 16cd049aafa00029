"""A plain client of the registry over `requests`, with which tests check the results of the client under test."""

import gzip
import hashlib
import re
from collections.abc import Iterator
from contextlib import closing
from typing import IO, Any, Protocol, cast

import requests

from tests.clients.images import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    INDEXES,
    MIB,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Layout,
    content_of,
)

ACCEPT = ", ".join((OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST))


class Installation(Protocol):
    """A running registry with its first user: a local stack, or a deployment to the emulator."""

    @property
    def url(self) -> str: ...

    @property
    def admin(self) -> str: ...

    @property
    def password(self) -> str: ...


class Registry:
    """A plain client of one registry, as its administrator or another user."""

    def __init__(self, stack: Installation, name: str = "", password: str = "") -> None:
        self._stack = stack
        self._who = (name, password) if name else (stack.admin, stack.password)
        self._session = requests.Session()
        self._session.trust_env = False

    def manifest(self, repository: str, reference: str) -> requests.Response:
        """Returns the response with a manifest as its `content`; fails unless the registry has it."""
        return self._ask("GET", f"/v2/{repository}/manifests/{reference}", headers={"Accept": ACCEPT})

    def refused_manifest(self, repository: str, reference: str) -> requests.Response:
        """Returns the 404 for a manifest that the registry does not have."""
        return self._ask("GET", f"/v2/{repository}/manifests/{reference}", (404,), headers={"Accept": ACCEPT})

    def knows(self, repository: str, reference: str) -> bool:
        path = f"/v2/{repository}/manifests/{reference}"
        return self._ask("HEAD", path, (200, 404), headers={"Accept": ACCEPT}).status_code == 200

    def digest_of_blob(self, repository: str, digest: str) -> str:
        """Returns the sha256 digest of the bytes that the registry sends for a blob."""
        with closing(self._blob(repository, digest)) as reply:
            return _digest(reply.iter_content(MIB))

    def diff_id_of_blob(self, repository: str, digest: str) -> str:
        """Returns the sha256 digest of a gzipped blob's content: a layer's diff id."""
        with closing(self._blob(repository, digest)) as reply, gzip.open(cast(IO[bytes], reply.raw)) as file:
            return _digest(iter(lambda: file.read(MIB), b""))

    def referrers(self, repository: str, digest: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask("GET", f"/v2/{repository}/referrers/{digest}").json()["manifests"]
        return found

    def push(self, layout: Layout, manifest: Descriptor, repository: str, reference: str) -> None:
        """Pushes what a manifest names, then the manifest; for tests in which the client only pulls."""
        for child in content_of(layout, manifest):
            if manifest["mediaType"] in INDEXES:
                self.push(layout, child, repository, child["digest"])
            else:
                self._push_blob(layout, child, repository)
        path = f"/v2/{repository}/manifests/{reference}"
        self._ask("PUT", path, (201,), data=layout.read(manifest), headers={"Content-Type": manifest["mediaType"]})

    def _push_blob(self, layout: Layout, blob: Descriptor, repository: str) -> None:
        location = self._ask("POST", f"/v2/{repository}/blobs/uploads/", (202,)).headers["Location"]
        headers = {"Content-Type": "application/octet-stream"}
        separator = "&" if "?" in location else "?"
        path = f"{location}{separator}digest={blob['digest']}"
        self._ask("PUT", path, (201,), data=layout.read(blob), headers=headers)

    def _blob(self, repository: str, digest: str) -> requests.Response:
        return self._ask("GET", f"/v2/{repository}/blobs/{digest}", stream=True)

    def _ask(self, method: str, path: str, expected: tuple[int, ...] = (200,), **options: Any) -> requests.Response:
        url = requests.compat.urljoin(self._stack.url, path)
        headers = {**options.pop("headers", {}), "Authorization": f"Bearer {self._token(path)}"}
        reply = self._session.request(method, url, headers=headers, timeout=120, **options)
        assert reply.status_code in expected, f"{method} {path}: {reply.status_code} {reply.text[:500]}"
        return reply

    def _token(self, path: str) -> str:
        repository = re.fullmatch(r".*/v2/(.+?)/(?:blobs|manifests|referrers|tags)/.*", path)
        assert repository, path
        challenge = self._session.get(f"{self._stack.url}/v2/", timeout=30).headers["WWW-Authenticate"]
        parameters = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        query = {"service": parameters["service"], "scope": f"repository:{repository[1]}:pull,push,delete"}
        reply = self._session.get(parameters["realm"], params=query, auth=self._who, timeout=30)
        assert reply.status_code == 200, f"{parameters['realm']}: {reply.status_code} {reply.text[:500]}"
        return str(reply.json()["token"])


def _digest(chunks: Iterator[bytes]) -> str:
    hasher = hashlib.sha256()
    for chunk in chunks:
        hasher.update(chunk)
    return f"sha256:{hasher.hexdigest()}"
