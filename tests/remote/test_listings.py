"""Tests of lists of repositories at other registries, and of what their faults lead to."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from chalicelib.domain.addresses import Permitted
from chalicelib.domain.errors.upstreams import UpstreamFailed, UpstreamLimited
from chalicelib.domain.organization_mirrors import SourceKind
from chalicelib.domain.upstreams import Credentials, Route
from chalicelib.remote import listings
from chalicelib.remote.listings import NamespaceListing
from chalicelib.remote.outgoing import Outgoing
from chalicelib.remote.streams import Streams
from tests.support.fake_server import respond
from tests.support.namespaces import UpstreamNamespace
from tests.support.upstream import on

KINDS = (SourceKind.QUAY, SourceKind.HARBOR)
NAMES = ["a", "b", "deep/c", "d", "e"]


@pytest.fixture
def namespace() -> Iterator[UpstreamNamespace]:
    with UpstreamNamespace(names=list(NAMES)).running() as running:
        assert isinstance(running, UpstreamNamespace)
        yield running


def listing(
    namespace: UpstreamNamespace, kind: SourceKind = SourceKind.QUAY, credentials: Credentials | None = None
) -> NamespaceListing:
    streams = Streams(Outgoing(Permitted.parse("127.0.0.0/8", "outgoing_allow")), Route(verify_tls=False))
    return NamespaceListing(streams, kind, namespace.url, credentials, lambda: 1000.0)


@pytest.mark.parametrize("kind", KINDS)
def test_repositories_are_listed_page_by_page_without_their_namespace(
    namespace: UpstreamNamespace, kind: SourceKind
) -> None:
    assert list(listing(namespace, kind).pages("team")) == [["a", "b"], ["deep/c", "d"], ["e"]]


@pytest.mark.parametrize(
    ("kind", "header"), [(SourceKind.QUAY, "Bearer s3cret"), (SourceKind.HARBOR, "Basic cm9ib3Q6czNjcmV0")]
)
def test_quay_is_asked_with_a_token_and_harbor_with_a_password(
    namespace: UpstreamNamespace, kind: SourceKind, header: str
) -> None:
    namespace.authorization = header
    assert len(list(listing(namespace, kind, Credentials("robot", "s3cret")).pages("team"))) == 3
    with pytest.raises(UpstreamFailed, match=r"external_registry_username.*refuses to list team") as failure:
        list(listing(namespace, kind).pages("team"))
    assert "s3cret" not in str(failure.value)


def test_what_quay_lists_besides_images_of_the_namespace_is_left_out(namespace: UpstreamNamespace) -> None:
    listed = [
        {"namespace": "team", "name": "app", "kind": "image"},
        {"namespace": "other", "name": "starred", "kind": "image"},
        {"namespace": "team", "name": "bundle", "kind": "application"},
        {"name": "plain"},
    ]
    namespace.fault = on("/api/", lambda handler: respond(handler, json.dumps({"repositories": listed}).encode()))
    assert list(listing(namespace).pages("team")) == [["app", "plain"]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", [b"<html>", b"null", b'{"repositories": [1]}', b'[{"name": 1}]', b'"x"', b"[" * 5000])
def test_another_answer_than_a_list_is_a_failure(namespace: UpstreamNamespace, kind: SourceKind, body: bytes) -> None:
    namespace.fault = on("/api/", lambda handler: respond(handler, body))
    with pytest.raises(UpstreamFailed, match=r"external_registry_url: .* does not answer as"):
        list(listing(namespace, kind).pages("team"))


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (403, "external_registry_username: .* refuses to list team"),
        (404, "external_namespace: .* has no team"),
        (500, "external_registry_url: .* answers 500"),
        (204, "external_registry_url: .* answers 204"),
    ],
)
def test_a_refusal_names_the_field_that_may_mend_it(namespace: UpstreamNamespace, status: int, why: str) -> None:
    namespace.fault = on("/api/", lambda handler: respond(handler, b"", status))
    with pytest.raises(UpstreamFailed, match=why):
        list(listing(namespace).pages("team"))


def test_a_server_that_is_not_there_is_the_address(namespace: UpstreamNamespace) -> None:
    nowhere = UpstreamNamespace()
    nowhere.server = type(namespace.server)(lambda _: None)
    nowhere.server._server.server_close()
    with pytest.raises(UpstreamFailed, match=r"^external_registry_url: "):
        list(listing(nowhere).pages("team"))


def test_a_registry_that_limits_is_left_alone_until_it_says(namespace: UpstreamNamespace) -> None:
    namespace.fault = on("/api/", lambda handler: respond(handler, b"", 429, Retry_After="30"))
    with pytest.raises(UpstreamLimited) as limited:
        list(listing(namespace).pages("team"))
    assert limited.value.until == 1030


def endless(handler: BaseHTTPRequestHandler) -> None:
    respond(handler, json.dumps({"repositories": [{"name": "a"}], "next_page": "again"}).encode())


def empty(handler: BaseHTTPRequestHandler) -> None:
    respond(handler, json.dumps({"repositories": [], "next_page": "again"}).encode())


@pytest.mark.parametrize("answer", [endless, empty])
def test_a_list_that_does_not_end_is_given_up(
    namespace: UpstreamNamespace, answer: Callable[[BaseHTTPRequestHandler], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listings, "MOST_PAGES", 20)
    namespace.fault = on("/api/", answer)
    with pytest.raises(UpstreamFailed, match="does not end"):
        list(listing(namespace).pages("team"))
    assert len(namespace.server.asked) <= 21
