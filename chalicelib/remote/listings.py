"""Lists the repositories of a namespace at another registry, by the API of its kind.

The API of registries has no such list (https://github.com/opencontainers/distribution-spec), so Quay's
`GET /api/v1/repository` and Harbor's `GET /api/v2.0/projects/{project}/repositories` are asked.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from chalicelib.domain.errors.upstreams import REFERENCE, USERNAME, UpstreamFailed, UpstreamLimited
from chalicelib.domain.organization_mirrors import NAMESPACE, URL, SourceKind
from chalicelib.domain.upstreams import Credentials
from chalicelib.remote.registries import BUSY, NEXT, TOO_MANY, asked_again_at
from chalicelib.remote.streams import Stream, Streams

PAGE, MOST_PAGES = 100, 10_000
LARGEST_PAGE = 8 * 1024 * 1024
REMEDIES = {
    SourceKind.QUAY: "Quay lists repositories to API tokens: say $oauthtoken as username and the token as password",
    SourceKind.HARBOR: "check the username, the password and the right to list repositories",
}


class NamespaceListing:
    """The repositories of one namespace at another registry. `url` has scheme and host."""

    def __init__(
        self, streams: Streams, kind: SourceKind, url: str, credentials: Credentials | None, clock: Callable[[], float]
    ) -> None:
        self._streams, self._kind, self._url, self._clock = streams, kind, url, clock
        self._host = urlsplit(url).netloc
        self._headers = {"Accept": "application/json", **_authorization(kind, credentials)}

    def pages(self, namespace: str) -> Iterator[list[str]]:
        """Yields the names of a namespace's repositories without the namespace, page by page.

        Raises UpstreamLimited, OutgoingRefused, and UpstreamFailed with the field that may mend it.
        """
        pages = self._of_quay(namespace) if self._kind is SourceKind.QUAY else self._of_harbor(namespace)
        # Names may be long, and are many.
        seen = set[int]()
        for number, names in enumerate(pages):
            hashes = set(map(hash, names))
            if number >= MOST_PAGES or (hashes and hashes <= seen):
                raise UpstreamFailed(f"{self._host} sends a list of repositories that does not end", URL)
            seen |= hashes
            yield names

    def _of_quay(self, namespace: str) -> Iterator[list[str]]:
        """https://docs.quay.io/api/swagger/#operation--api-v1-repository-get"""
        token = ""
        while True:
            query = {"namespace": namespace, "public": "true"} | ({"next_page": token} if token else {})
            document, _ = self._ask(f"/api/v1/repository?{urlencode(query)}", namespace)
            listed = self._items(document.get("repositories") if isinstance(document, dict) else None)
            images = [one for one in listed if one.get("kind", "image") == "image"]
            yield [one["name"] for one in images if one.get("namespace", namespace) == namespace]
            token = document.get("next_page") or ""
            if not token:
                return

    def _of_harbor(self, namespace: str) -> Iterator[list[str]]:
        """https://github.com/goharbor/harbor/blob/main/api/v2.0/swagger.yaml, operation listRepositories"""
        path = f"/api/v2.0/projects/{quote(namespace, safe='')}/repositories"
        number = 1
        while True:
            document, link = self._ask(f"{path}?{urlencode({'page': number, 'page_size': PAGE})}", namespace)
            yield [one["name"].removeprefix(f"{namespace}/") for one in self._items(document)]
            if not NEXT.search(link):
                return
            number += 1

    def _items(self, listed: Any) -> list[dict[str, Any]]:
        if not isinstance(listed, list) or not all(
            isinstance(one, dict) and isinstance(one.get("name"), str) for one in listed
        ):
            raise UpstreamFailed(f"{self._host} does not answer as {self._kind.title()}", URL)
        return listed

    def _ask(self, path: str, namespace: str) -> tuple[Any, str]:
        """Returns a document and the header Link."""
        try:
            with self._streams.open("GET", f"{self._url}{path}", self._headers) as stream:
                self._check(stream, namespace)
                return json.loads(stream.content(LARGEST_PAGE)), stream.headers.get("link", "")
        except (ValueError, RecursionError):
            raise UpstreamFailed(f"{self._host} does not answer as {self._kind.title()}", URL) from None
        except UpstreamLimited:
            raise
        except UpstreamFailed as error:
            # What is said of a repository's reference is said of the address here.
            raise error.of_field(URL if error.field == REFERENCE else error.field) from None

    def _check(self, stream: Stream, namespace: str) -> None:
        until = asked_again_at(stream, int(self._clock()))
        if until is not None and stream.status in (TOO_MANY, BUSY):
            raise UpstreamLimited(self._host, until)
        if stream.status in (401, 403):
            raise UpstreamFailed(f"{self._host} refuses to list {namespace}: {REMEDIES[self._kind]}", USERNAME)
        if stream.status == 404:
            raise UpstreamFailed(f"{self._host} has no {namespace}, or shows it to others only", NAMESPACE)
        if stream.status != 200:
            raise UpstreamFailed(f"{self._host} answers {stream.status} to a list of repositories", URL)


def _authorization(kind: SourceKind, credentials: Credentials | None) -> Mapping[str, str]:
    """Returns the header with which a list is asked for: Quay's API takes tokens alone, as password of any user."""
    if credentials is None or not credentials.password:
        return {}
    if kind is SourceKind.QUAY:
        return {"Authorization": f"Bearer {credentials.password}"}
    return {"Authorization": credentials.basic}
