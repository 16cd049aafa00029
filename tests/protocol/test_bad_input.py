"""Invalid names, tags, lengths and tokens. Each is refused with the specification's error code."""

from __future__ import annotations

import http.client
import json
import secrets
import time
from typing import Any
from urllib.parse import quote

import pytest

from tests.protocol.blobs import assert_absent
from tests.protocol.content import Blob, a_blob, an_image
from tests.protocol.registry import CODES, Registry, Repository, assert_refused
from tests.protocol.wire import Wire, connect, raw
from tests.support.stack import Stack

NAMES = {
    "dot-dot": "admin/../other",
    "dot-dot first": "../admin/app",
    "escaped dot-dot": "admin/%2e%2e/other",
    "double slash": "admin//app",
    "upper case": "admin/App",
    "300 characters": "admin/" + "a" * 294,
    "unicode": quote("admin/café"),
    "escaped slash in capitals": "admin%2FApp",
    "leading dash": "admin/-app",
    "trailing dash": "admin/app-",
    "three underscores": "admin/a___b",
    "two dots": "admin/a..b",
    "space": "admin/a%20b",
    "null": "admin/a%00b",
    "newline": "admin/a%0d%0ab",
    "percent": "admin/a%25b",
    "slash escaped twice": "admin%252Fapp",
    "question": "admin/a%3fb",
    "colon": "admin/a:b",
    "star": "admin/*",
}


def requested(
    stack: Stack, registry: Registry, method: str, target: Any, headers: Any = (), body: bytes | None = None
) -> Any:
    """Sends a request with a token for the version check; no library changes its target."""
    lines = [("Host", stack.host), *registry.authorization().items(), *headers]
    with Wire(stack.url) as wire:
        return wire.exchange(method, target, lines, body)


def assert_reply_refused(reply: Any, statuses: Any, *codes: Any) -> None:
    assert reply.status in statuses, f"{reply.status} {reply.body[:300]!r}"
    assert reply.header("Content-Type").split(";")[0] == "application/json"
    for error in json.loads(reply.body)["errors"]:
        assert error["code"] in (codes or CODES)
        assert len(error["message"].split()) > 1


# Names and tags


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_an_invalid_name_is_refused(stack: Stack, registry: Registry, name: Any, method: str) -> None:
    headers = [("Content-Type", "application/json"), ("Content-Length", "2")] if method == "PUT" else []
    reply = requested(
        stack, registry, method, f"/v2/{name}/manifests/latest", headers, b"{}" if method == "PUT" else None
    )

    assert_reply_refused(reply, (400, 404), "NAME_INVALID", "NAME_UNKNOWN")


def test_an_invalid_name_has_the_code_name_invalid(stack: Stack, registry: Registry) -> None:
    reply = requested(stack, registry, "GET", "/v2/admin/App/tags/list")

    assert_reply_refused(reply, (400,), "NAME_INVALID")


def test_raw_bytes_in_the_path_are_refused(stack: Stack, registry: Registry) -> None:
    token = registry.token().encode()
    host = stack.host.encode()
    request = b"GET /v2/admin/caf\xc3\xa9/tags/list HTTP/1.1\r\nHost: %b\r\nAuthorization: Bearer %b\r\n\r\n" % (
        host,
        token,
    )

    assert raw(stack.url, request).status in (400, 404)


def test_an_escaped_slash_does_not_bypass_rights(stack: Stack, repository: Repository, stranger: Registry) -> None:
    """`%2f` names the same repository or none; it never gives more rights."""
    repository.push_image(an_image(), "latest")
    namespace, _, name = repository.name.partition("/")
    with Wire(stack.url) as wire:
        reply = wire.exchange("GET", f"/v2/{namespace}%2f{name}/manifests/latest", [("Host", stack.host)])

    assert_reply_refused(reply, (400, 401, 404))


def test_a_name_of_255_characters_is_accepted_and_one_of_256_is_refused(registry: Registry) -> None:
    filler = "x" * 255
    longest = registry.repository(f"{registry.user}/{secrets.token_hex(8)}-{filler}"[:255])
    longest.push_image(an_image(), "latest")

    assert longest.get_manifest("latest").status_code == 200
    reply = registry.send(
        "GET", f"/v2/{registry.user}/{filler}"[: len("/v2/") + 256] + "/tags/list", headers=registry.authorization()
    )
    assert_refused(reply, 400, "NAME_INVALID")


TAGS = {
    "129 characters": "t" * 129,
    "leading dot": ".latest",
    "leading dash": "-latest",
    "plus": "a+b",
    "unicode": quote("späť"),
    "space": "a%20b",
    "slash": "a%2fb",
}


@pytest.mark.parametrize("tag", TAGS.values(), ids=TAGS.keys())
def test_an_invalid_tag_is_refused(repository: Repository, tag: Any) -> None:
    image = an_image()
    repository.push_image(image)

    assert_refused(repository.put_manifest(image.manifest.content, tag, image.manifest.media_type), (400, 404))
    assert_refused(repository.get_manifest(tag), (400, 404))
    assert_refused(repository.delete(f"manifests/{tag}"), (400, 404))
    assert repository.tags().json()["tags"] == []


# Lengths and bodies


def put_lines(stack: Stack, repository: Repository, length: int | str) -> Any:
    return [
        ("Host", stack.host),
        *repository.authorization().items(),
        ("Content-Type", "application/octet-stream"),
        ("Content-Length", str(length)),
    ]


@pytest.mark.parametrize("size", [3000, 6_000_000], ids=["small", "large"])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_body_that_breaks_off_leaves_no_visible_blob(
    stack: Stack, repository: Repository, method: str, size: int
) -> None:
    blob = a_blob(size)
    upload = repository.start_upload()
    target = upload.closing(blob.digest) if method == "PUT" else upload.location
    with connect(stack.url) as connection:
        head = "".join(f"{name}: {value}\r\n" for name, value in put_lines(stack, repository, size))
        connection.sendall(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + blob.content[: size // 2])

    assert_absent(repository, blob)
    if resumed(upload, blob):
        assert upload.put(blob.digest).status_code == 201
        assert repository.get_blob(blob.digest).content == blob.content


def resumed(upload: Any, blob: Blob) -> Any:
    """Returns whether the rest was accepted; the upload may also have ended, but nothing in between.

    The registry may still be storing what arrived, so the client repeats the request after a 416.
    """
    for _ in range(20):
        status = upload.status()
        if status.status_code == 404:
            return False
        reached = int(status.headers["Range"].removeprefix("0-"))
        start = reached + 1 if reached else 0
        if upload.patch(blob.content[start:], start).status_code == 202:
            return True
        time.sleep(0.1)
    raise AssertionError(f"the upload stays at {reached}")


@pytest.mark.parametrize("length", ["-1", "many", "1e3", "99999999999999999999999"])
def test_an_invalid_content_length_is_refused(stack: Stack, repository: Repository, length: str) -> None:
    """uvicorn's parser answers some of these. In any case nothing is stored and nothing hangs."""
    upload = repository.start_upload()
    head = "".join(f"{name}: {value}\r\n" for name, value in put_lines(stack, repository, length))
    with connect(stack.url) as connection:
        connection.settimeout(20)
        connection.sendall(f"PATCH {upload.location} HTTP/1.1\r\n{head}\r\n".encode() + b"x" * 100)
        try:
            reply = http.client.HTTPResponse(connection)
            reply.begin()
            status = reply.status
        except (ConnectionResetError, http.client.BadStatusLine):
            status = 400

    assert status in (400, 411, 413)
    assert upload.status().headers["Range"] == "0-0"


def test_a_body_shorter_than_its_range_is_refused(repository: Repository) -> None:
    upload = repository.start_upload()

    assert_refused(upload.patch(b"x" * 10, None, **{"Content-Range": "0-99"}), (400, 416), "SIZE_INVALID")


def test_a_body_with_malformed_chunks_is_refused(stack: Stack, repository: Repository) -> None:
    upload = repository.start_upload()
    lines = [line for line in put_lines(stack, repository, 0) if line[0] != "Content-Length"]
    head = "".join(f"{name}: {value}\r\n" for name, value in [*lines, ("Transfer-Encoding", "chunked")])
    request = f"PATCH {upload.location} HTTP/1.1\r\n{head}\r\nnot-a-length\r\nxxxx\r\n".encode()

    assert raw(stack.url, request).status == 400
    assert upload.status().status_code in (204, 404)


# Upload tokens


def test_an_upload_of_another_repository_is_unknown_here(
    repository: Repository, another_repository: Repository
) -> None:
    blob = a_blob()
    upload = repository.start_upload()
    another_repository.start_upload()
    upload.location = upload.location.replace(repository.name, another_repository.name)
    upload.repository = another_repository

    for answer in (upload.status(), upload.patch(b"x"), upload.put(blob.digest, blob.content), upload.cancel()):
        assert_refused(answer, 404, "BLOB_UPLOAD_UNKNOWN")
    assert_absent(another_repository, blob)


def test_an_upload_of_another_user_gives_no_access(repository: Repository, neighbour: Registry) -> None:
    blob = a_blob()
    upload = repository.start_upload()
    upload.repository = neighbour.repository(repository.name)

    for answer in (upload.status(), upload.patch(b"x"), upload.put(blob.digest, blob.content), upload.cancel()):
        assert_refused(answer, (401, 403, 404))
    assert_absent(repository, blob)


def test_an_upload_address_used_in_ones_own_namespace_is_unknown(repository: Repository, neighbour: Registry) -> None:
    """A user who has seen the address, for example in a log, has rights in an own repository and none in this one."""
    blob = a_blob()
    upload = repository.start_upload()
    own = neighbour.repository(f"{neighbour.user}/carried-{secrets.token_hex(4)}")
    upload.location = upload.location.replace(repository.name, own.name)
    upload.repository = own

    for answer in (upload.status(), upload.patch(b"x"), upload.put(blob.digest, blob.content), upload.cancel()):
        assert_refused(answer, 404, "BLOB_UPLOAD_UNKNOWN", "NAME_UNKNOWN")
    assert_absent(repository, blob)
    assert own.tags().status_code == 404


def tampered(location: str) -> Any:
    """Returns the location with one character of its token changed, at several positions."""
    start = location.rindex("/") + 1
    token = location[start:]
    for place in (0, len(token) // 2, len(token) - 1):
        changed = "A" if token[place] != "A" else "B"
        yield location[:start] + token[:place] + changed + token[place + 1 :]


def test_a_tampered_upload_token_is_unknown(repository: Repository) -> None:
    upload = repository.start_upload()
    blob = a_blob()
    for location in tampered(upload.location):
        if location == upload.location:
            continue
        upload.location = location
        assert_refused(upload.put(blob.digest, blob.content), (400, 404), "BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID")
    assert_absent(repository, blob)


@pytest.mark.parametrize("token", ["nonsense", "..", "%2e%2e", "a" * 4000, "eyJ.eyJ.x"], ids=range(5))
def test_a_malformed_upload_token_is_unknown(
    stack: Stack, registry: Registry, repository: Repository, token: str
) -> None:
    repository.push_blob(a_blob())
    lines = [("Host", stack.host), *repository.authorization().items()]
    with Wire(stack.url) as wire:
        reply = wire.exchange("GET", f"/v2/{repository.name}/blobs/uploads/{token}", lines)

    assert_reply_refused(reply, (400, 404, 405, 414))


def test_a_closed_upload_accepts_no_more_bytes(repository: Repository) -> None:
    blob = a_blob()
    upload = repository.start_upload()
    upload.patch(blob.content)
    assert upload.put(blob.digest).status_code == 201

    assert_refused(upload.patch(b"more"), 404, "BLOB_UPLOAD_UNKNOWN")
    assert repository.get_blob(blob.digest).content == blob.content


# Mounts across rights


def test_a_mount_from_an_unreadable_repository_reveals_nothing(neighbour: Registry, repository: Repository) -> None:
    """The answer is the same as for a repository that does not exist: an upload starts."""
    blob = a_blob()
    repository.push_blob(blob)
    own = neighbour.repository(f"{neighbour.user}/mounts-{secrets.token_hex(4)}")
    answers = [
        own.mount(blob.digest, repository.name),
        own.mount(blob.digest, repository.name + "-absent"),
        own.mount(a_blob().digest, repository.name),
        own.mount(blob.digest),
    ]

    for answer in answers:
        assert answer.status_code == 202
        assert sorted(answer.headers) == sorted(answers[0].headers)
    assert own.head_blob(blob.digest).status_code == 404


def test_a_pull_of_another_repositorys_content_reveals_nothing(neighbour: Registry, repository: Repository) -> None:
    """Bytes are stored once for all repositories; only those with the right learn that they are there."""
    blob = a_blob()
    repository.push_blob(blob)
    own = neighbour.repository(f"{neighbour.user}/pulls-{secrets.token_hex(4)}")
    own.push_blob(a_blob())

    assert_refused(own.get_blob(blob.digest), 404, "BLOB_UNKNOWN")
    manifest = an_image().manifest
    assert_refused(
        own.put_manifest(manifest.content, "latest", manifest.media_type), (400, 404), "MANIFEST_BLOB_UNKNOWN"
    )


# Malformed requests


@pytest.mark.parametrize(
    "line",
    [b"GET", b"BREW /v2/ HTTP/1.1", b"GET /v2/ HTTP/9.9", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"],
    ids=["half", "method", "version", "tls"],
)
def test_a_malformed_request_is_answered_or_closed_at_once(stack: Stack, line: bytes) -> None:
    with connect(stack.url) as connection:
        connection.settimeout(10)
        connection.sendall(line + b"\r\nHost: x\r\n\r\n")
        first = connection.recv(20)

    assert not first or first.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4", b"HTTP/1.1 505"))


def test_headers_of_more_than_10_kib_are_refused(stack: Stack) -> None:
    """This is API Gateway's limit; the local gateway has the same."""
    with Wire(stack.url) as wire:
        reply = wire.exchange("GET", "/v2/", [("Host", stack.host), ("X-Large", "x" * 20_000)])

    assert reply.status in (400, 413, 431, 494)


def test_a_body_on_get_is_harmless(stack: Stack, registry: Registry) -> None:
    reply = requested(stack, registry, "GET", "/v2/", [("Content-Length", "5")], b"hello")

    assert reply.status == 200
