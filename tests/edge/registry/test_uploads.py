"""`/v2/<name>/blobs/uploads/…`."""

from __future__ import annotations

import itertools
import os
from urllib.parse import urlencode

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.uploads import UploadToken
from tests.support.app_client import Answer, AppClient
from tests.support.builders import a_blob

PATH = "/v2/admin/app/blobs/uploads/"
CONTENT = os.urandom(1000)
DIGEST = Digest.of(CONTENT)


@pytest.fixture
def token(app_client: AppClient) -> dict[str, str]:
    """Returns the admin's token for three repositories."""
    return app_client.token("admin/app", "admin/other", "admin/a/b/c")


def begin(app_client: AppClient, token: dict[str, str], path: str = PATH) -> str:
    """Begins an upload and returns its location."""
    answer = app_client.ask("POST", path, token)
    assert answer.status == 202
    return answer.headers["location"]


def blob_is(app_client: AppClient, token: dict[str, str], digest: Digest = DIGEST) -> bool:
    return app_client.ask("HEAD", f"/v2/admin/app/blobs/{digest}", token).status == 307


def test_an_upload_begins_empty_on_the_same_host(app_client: AppClient, token: dict[str, str]) -> None:
    answer = app_client.ask("POST", PATH, token)
    location = answer.headers["location"]
    upload = UploadToken.verify(
        location.rpartition("/")[2], list(app_client.backend.services.stores.secrets.upload), app_client.backend.clock()
    )

    assert (answer.status, answer.body) == (202, b"")
    assert location.startswith(PATH)
    assert answer.headers["range"] == "0-0"
    assert answer.headers["docker-upload-uuid"] == upload.upload_id
    assert answer.headers["oci-chunk-min-length"] == str(4 * 1024 * 1024)


def test_the_algorithm_may_be_announced(app_client: AppClient, token: dict[str, str]) -> None:
    assert ".sha512." in app_client.ask("POST", PATH + "?digest-algorithm=sha512", token).headers["location"]
    assert app_client.ask("POST", PATH + "?digest-algorithm=md5", token).code == "DIGEST_INVALID"


def test_a_blob_in_one_post(app_client: AppClient, token: dict[str, str]) -> None:
    answer = app_client.ask("POST", f"{PATH}?digest={DIGEST}", token, CONTENT)

    assert answer.status == 201
    assert answer.headers["location"] == f"/v2/admin/app/blobs/{DIGEST}"
    assert answer.headers["docker-content-digest"] == str(DIGEST)
    assert blob_is(app_client, token)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_blob_in_post_and_put(app_client: AppClient, token: dict[str, str], algorithm: str) -> None:
    digest = Digest.of(CONTENT, algorithm)
    answer = app_client.ask("PUT", f"{begin(app_client, token)}?{urlencode({'digest': digest})}", token, CONTENT)

    assert answer.status == 201
    assert answer.headers["location"] == f"/v2/admin/app/blobs/{digest}"
    assert blob_is(app_client, token, digest)


def test_a_blob_in_chunks(app_client: AppClient, token: dict[str, str]) -> None:
    location = begin(app_client, token, "/v2/admin/a/b/c/blobs/uploads/")
    for start, end in ((0, 400), (400, 900)):
        headers = token | {"Content-Range": f"{start}-{end - 1}", "Content-Type": "application/octet-stream"}
        answer = app_client.ask("PATCH", location, headers, CONTENT[start:end])
        assert (answer.status, answer.headers["range"]) == (202, f"0-{end - 1}")
        location = answer.headers["location"]
    status = app_client.ask("GET", location, token)
    last = app_client.ask("PUT", f"{location}?digest={DIGEST}", token | {"Content-Range": "900-999"}, CONTENT[900:])

    assert (status.status, status.body, status.headers["range"]) == (204, b"", "0-899")
    assert status.headers["docker-upload-uuid"] in status.headers["location"]
    assert (last.status, last.headers["location"]) == (201, f"/v2/admin/a/b/c/blobs/{DIGEST}")


def test_a_chunk_out_of_order_is_416_with_the_range_that_is_stored(
    app_client: AppClient, token: dict[str, str]
) -> None:
    location = app_client.ask("PATCH", begin(app_client, token), token, CONTENT[:400]).headers["location"]
    for method, query in (("PATCH", ""), ("PUT", f"?digest={DIGEST}")):
        answer = app_client.ask(method, location + query, token | {"Content-Range": "500-999"}, CONTENT[500:])

        assert (answer.status, answer.code) == (416, "BLOB_UPLOAD_INVALID")
        assert answer.headers["range"] == "0-399"
    assert app_client.ask("GET", location, token).headers["range"] == "0-399"


def test_an_invalid_range_is_refused(app_client: AppClient, token: dict[str, str]) -> None:
    location = begin(app_client, token)
    for content_range in ("bytes 0-999/1000", "0-", "999-0", "x"):
        answer = app_client.ask("PATCH", location, token | {"Content-Range": content_range}, CONTENT)

        assert (content_range, answer.status, answer.code) == (content_range, 400, "BLOB_UPLOAD_INVALID")


def cut(app_client: AppClient, token: dict[str, str], method: str, target: str) -> Answer:
    """Sends a request whose body was truncated between gateway and app."""
    event = app_client.event(method, target, token, CONTENT)
    event["multiValueHeaders"]["content-length"] = ["1001"]
    return app_client.send(event)


def test_a_truncated_body_is_refused(app_client: AppClient, token: dict[str, str]) -> None:
    targets = [
        ("POST", f"{PATH}?digest={DIGEST}"),
        ("PATCH", begin(app_client, token)),
        ("PUT", f"{begin(app_client, token)}?digest={DIGEST}"),
    ]
    for method, target in targets:
        answer = cut(app_client, token, method, target)

        assert (answer.status, answer.code) == (400, "SIZE_INVALID")
        assert answer.json()["errors"][0]["detail"] == {"expected": 1001, "received": 1000}
    assert not blob_is(app_client, token)


def test_an_upload_is_closed_only_by_the_digest_of_its_bytes(app_client: AppClient, token: dict[str, str]) -> None:
    unsaid, wrong = ("", "?digest="), ("?digest=sha256", "?digest=md5:abc", f"?digest={Digest.of(b'other')}")
    for query in (*unsaid, *wrong):
        answer = app_client.ask("PUT", begin(app_client, token) + query, token, CONTENT)
        code = "BLOB_UPLOAD_INVALID" if query in unsaid else "DIGEST_INVALID"

        assert (query, answer.status, answer.code) == (query, 400, code)
    assert not blob_is(app_client, token)


def test_a_cancelled_upload_is_unknown(app_client: AppClient, token: dict[str, str]) -> None:
    location = begin(app_client, token)

    assert app_client.ask("DELETE", location, token).status == 204
    for method in ("GET", "PATCH", "DELETE"):
        answer = app_client.ask(method, location, token, CONTENT if method == "PATCH" else b"")
        assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_an_upload_of_another_repository_is_unknown_here(app_client: AppClient, token: dict[str, str]) -> None:
    a_blob(app_client.backend)
    location = begin(app_client, token, "/v2/admin/other/blobs/uploads/").replace("/other/", "/app/")
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        answer = app_client.ask(method, f"{location}?digest={DIGEST}", token, CONTENT if method[0] == "P" else b"")

        assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_an_upload_that_never_existed_is_unknown(app_client: AppClient, token: dict[str, str]) -> None:
    a_blob(app_client.backend)
    uploads = ("x", "a.b.c.d.e.f", "%00", "caf%C3%A9", "a.%C3%A9", "%FF", "....", "a" * 2000)
    for upload, method in itertools.product(uploads, ("GET", "PATCH", "PUT", "DELETE")):
        answer = app_client.ask(method, f"{PATH}{upload}?digest={DIGEST}", token, CONTENT if method[0] == "P" else b"")

        assert (upload, answer.status, answer.code) == (upload, 404, "BLOB_UPLOAD_UNKNOWN")


def test_an_upload_expires_with_its_token(app_client: AppClient, token: dict[str, str]) -> None:
    location = begin(app_client, token)
    app_client.backend.clock.ahead_s = app_client.backend.settings.upload_s + 1

    assert app_client.ask("GET", location, app_client.token("admin/app")).code == "BLOB_UPLOAD_UNKNOWN"


def test_a_caller_without_the_right_cannot_push(app_client: AppClient, token: dict[str, str]) -> None:
    location = begin(app_client, token)
    for headers in ({}, app_client.token("admin/app", actions="pull"), app_client.token("admin/app", name="")):
        for method, target in (
            ("POST", PATH),
            ("PATCH", location),
            ("PUT", f"{location}?digest={DIGEST}"),
            ("DELETE", location),
        ):
            answer = app_client.ask(method, target, headers, CONTENT if method[0] == "P" else b"")

            assert answer.status in (401, 403)
            assert "pull,push" in answer.headers["www-authenticate"] or method == "DELETE"
    assert not blob_is(app_client, token)


def mount(app_client: AppClient, token: dict[str, str], digest: Digest, **query: str) -> Answer:
    return app_client.ask("POST", f"{PATH}?{urlencode({'mount': str(digest), **query})}", token)


def test_a_mount_creates_the_blob_without_an_upload(app_client: AppClient, token: dict[str, str]) -> None:
    digest = a_blob(app_client.backend, repository="admin/other")
    answer = mount(app_client, token, digest, **{"from": "admin/other"})

    assert (answer.status, answer.headers["location"]) == (201, f"/v2/admin/app/blobs/{digest}")
    assert blob_is(app_client, token, digest)


def test_a_mount_without_a_source_finds_one(app_client: AppClient, token: dict[str, str]) -> None:
    assert mount(app_client, token, a_blob(app_client.backend, repository="admin/other")).status == 201


def test_an_impossible_mount_begins_an_upload_instead(app_client: AppClient, token: dict[str, str]) -> None:
    for source in ("admin/missing", "A/b", "caf\u00e9", "a\r\nb", '"', "", "x" * 300):
        answer = mount(app_client, token, DIGEST, **{"from": source})

        assert (source, answer.status) == (source, 202)
        assert answer.headers["location"].startswith(PATH)


def test_an_impossible_mount_of_a_sha512_begins_an_upload_with_that_algorithm(
    app_client: AppClient, token: dict[str, str]
) -> None:
    assert ".sha512." in mount(app_client, token, Digest.of(b"", "sha512")).headers["location"]


def test_a_mount_from_an_invalid_source_is_challenged_like_any_other(app_client: AppClient) -> None:
    answer = mount(app_client, {}, DIGEST, **{"from": "a\r\nX-Evil: 1"})

    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
    assert "Evil" not in answer.headers["www-authenticate"]


def is_there(app_client: AppClient, name: str = "app") -> bool:
    backend = app_client.backend
    row = backend.services.stores.repositories.find(backend.account().id, RepositoryName.parse(f"admin/{name}"))
    return row is not None


@pytest.mark.parametrize("source", ["&from=admin/other", "&from=admin/missing", "", "&from=INVALID"])
def test_a_mount_of_an_absent_blob_makes_no_repository_until_its_bytes_come(
    app_client: AppClient, token: dict[str, str], source: str
) -> None:
    a_blob(app_client.backend, repository="admin/other")
    locations = [begin(app_client, token, f"{PATH}?mount={DIGEST}{source}") for _ in range(2)]
    assert app_client.ask("GET", locations[0], token).status == 204
    assert not is_there(app_client)

    for location, content in zip(locations, (CONTENT, b"other"), strict=True):
        answer = app_client.ask("PUT", f"{location}?digest={Digest.of(content)}", token, content)
        assert answer.status == 201
        assert blob_is(app_client, token, Digest.of(content))
    assert is_there(app_client)


def test_an_upload_without_its_repository_can_be_cancelled_or_go_on_in_chunks(
    app_client: AppClient, token: dict[str, str]
) -> None:
    first, second = (begin(app_client, token, f"{PATH}?mount={DIGEST}&from=admin/other") for _ in range(2))
    assert app_client.ask("DELETE", first, token).status == 204
    assert not is_there(app_client)

    location = app_client.ask("PATCH", second, token, CONTENT).headers["location"]
    assert is_there(app_client)
    assert app_client.ask("PUT", f"{location}?digest={DIGEST}", token).status == 201


def test_a_mount_of_a_blob_that_exists_makes_the_repository(app_client: AppClient, token: dict[str, str]) -> None:
    a_blob(app_client.backend, CONTENT, "admin/other")

    assert app_client.ask("POST", f"{PATH}?mount={DIGEST}&from=admin/other", token).status == 201
    assert blob_is(app_client, token)


def test_a_blob_in_one_post_with_a_wrong_digest_makes_no_repository(
    app_client: AppClient, token: dict[str, str]
) -> None:
    assert app_client.ask("POST", f"{PATH}?digest={DIGEST}", token, b"other").code == "DIGEST_INVALID"
    assert not is_there(app_client)
