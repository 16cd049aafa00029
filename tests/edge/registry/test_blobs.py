"""`/v2/<name>/blobs/<digest>`."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import requests

from chalicelib.domain.digests import Digest
from chalicelib.domain.downloads import Download
from tests.support.app_client import AppClient
from tests.support.builders import a_blob, push_image

PATH = "/v2/admin/app/blobs"


def test_a_pull_redirects_to_the_bytes_in_s3(app_client: AppClient) -> None:
    digest = a_blob(app_client.backend, b"bytes of a layer")
    answer = app_client.ask("GET", f"{PATH}/{digest}", app_client.token("admin/app"))

    assert (answer.status, answer.body) == (307, b"")
    assert answer.headers["docker-content-digest"] == str(digest)
    assert answer.headers["cache-control"] == "no-store"
    fetched = requests.get(answer.headers["location"], timeout=10)
    assert fetched.content == b"bytes of a layer"
    assert fetched.headers["content-type"] == "application/octet-stream"
    assert fetched.headers["content-disposition"] == "attachment"


def test_head_redirects_to_an_address_presigned_for_head(app_client: AppClient) -> None:
    digest = a_blob(app_client.backend, b"bytes of a layer")
    answer = app_client.ask("HEAD", f"{PATH}/{digest}", app_client.token("admin/app"))

    assert answer.status == 307
    fetched = requests.head(answer.headers["location"], timeout=10)
    assert (fetched.status_code, fetched.headers["content-length"]) == (200, "16")


def test_an_address_is_valid_for_as_long_as_the_setting_says(new_app_client: Callable[..., AppClient]) -> None:
    app_client = new_app_client(presign_s=77)
    digest = a_blob(app_client.backend)
    answer = app_client.ask("GET", f"{PATH}/{digest}", app_client.token("admin/app"))

    assert parse_qs(urlsplit(answer.headers["location"]).query)["X-Amz-Expires"] == ["77"]


def test_with_a_download_edge_the_address_is_on_the_edge(new_app_client: Callable[..., AppClient]) -> None:
    app_client = new_app_client(downloads="edge")
    digest = a_blob(app_client.backend)
    location = app_client.ask("GET", f"{PATH}/{digest}", app_client.token("admin/app")).headers["location"]
    path = location.removeprefix("http://registry.test")
    download = Download.verify(
        path, list(app_client.backend.services.stores.secrets.upload), app_client.backend.clock()
    )

    assert path.startswith("/content/")
    assert download.digest == digest


def test_a_pull_of_a_blob_reads_the_table_once_and_never_calls_s3(app_client: AppClient) -> None:
    digest, token = a_blob(app_client.backend), app_client.token("admin/app")
    app_client.ask("GET", f"{PATH}/{digest}", token)
    app_client.backend.calls.take()
    app_client.ask("GET", f"{PATH}/{digest}", token)

    assert len(app_client.backend.calls.take()) == 1


def test_an_unknown_blob_is_404(app_client: AppClient) -> None:
    a_blob(app_client.backend)
    token = app_client.token("admin/app")
    for method in ("GET", "HEAD", "DELETE"):
        assert (method, app_client.ask(method, f"{PATH}/{Digest.of(b'other')}", token).status) == (method, 404)


def test_an_invalid_digest_is_refused(app_client: AppClient) -> None:
    token, digests = (
        app_client.token("admin/app"),
        ("latest", "sha256:abc", "sha256:" + "A" * 64, "md5:" + "a" * 32, "%00"),
    )
    for method, digest in itertools.product(("GET", "DELETE"), digests):
        answer = app_client.ask(method, f"{PATH}/{digest}", token)

        assert (digest, answer.status, answer.code) == (digest, 400, "DIGEST_INVALID")


def test_a_deleted_blob_is_404(app_client: AppClient) -> None:
    digest, token = a_blob(app_client.backend), app_client.token("admin/app")

    assert app_client.ask("DELETE", f"{PATH}/{digest}", token).status == 202
    assert app_client.ask("GET", f"{PATH}/{digest}", token).code == "BLOB_UNKNOWN"
    assert app_client.ask("DELETE", f"{PATH}/{digest}", token).code == "BLOB_UNKNOWN"


def test_a_blob_that_a_manifest_needs_is_not_deleted_and_the_manifest_is_named(app_client: AppClient) -> None:
    manifest, token = push_image(app_client.backend, "v1"), app_client.token("admin/app")
    digest = manifest.blobs[-1].digest
    answer = app_client.ask("DELETE", f"{PATH}/{digest}", token)

    assert (answer.status, answer.code) == (405, "UNSUPPORTED")
    assert answer.json()["errors"][0]["detail"] == {"digest": str(digest), "manifest": str(manifest.digest)}
    assert app_client.ask("GET", f"{PATH}/{digest}", token).status == 307


def test_a_caller_who_may_only_pull_may_not_delete(app_client: AppClient) -> None:
    digest = a_blob(app_client.backend)
    answer = app_client.ask("DELETE", f"{PATH}/{digest}", app_client.token("admin/app", actions="pull"))

    assert answer.status in (401, 403)
