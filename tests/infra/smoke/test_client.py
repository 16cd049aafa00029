"""The client deletes everything that it pushed."""

import os
from collections.abc import Callable

import pytest

from infra.smoke.client import SmokeClient, StepFailed
from infra.smoke.content import LARGEST_BODY, MEBIBYTE, RandomStream, an_image, digest_of
from infra.smoke.wire import NoAnswer
from tests.infra.smoke.faults import Front, PassOn, Request, Reset, Response


def what_stands(client: SmokeClient, *paths: str) -> list[int]:
    return [client.request("GET", client.path(path)).status for path in paths]


def test_a_pushed_image_is_deleted_with_its_blobs(make_client: Callable[..., SmokeClient]) -> None:
    client, image = make_client(), an_image()
    tag = client.tag()
    client.push(image, tag)
    paths = [f"manifests/{tag}", f"manifests/{image.digest}", *(f"blobs/{digest_of(blob)}" for blob in image.blobs)]
    assert what_stands(client, *paths) == [200, 200, 307, 307]

    assert client.clear() == []
    assert what_stands(client, *paths) == [404] * 4


def test_a_tag_that_moved_leaves_neither_image(make_client: Callable[..., SmokeClient]) -> None:
    client, first, second = make_client(), an_image(), an_image()
    tag = client.tag()
    client.push(first, tag)
    client.push(second, tag)

    assert client.clear() == []
    assert what_stands(client, f"manifests/{first.digest}", f"manifests/{second.digest}") == [404, 404]


def test_unfinished_uploads_are_cancelled(make_client: Callable[..., SmokeClient]) -> None:
    client = make_client()
    untouched, begun = client.begin(), client.begin()
    begun = client.moved(begun, client.patch(begun, b"some"))

    assert client.clear() == []
    assert client.request("GET", begun).status == 404
    assert client.request("GET", untouched).status == 404


def test_an_upload_whose_answer_was_lost_is_cancelled_by_its_first_name(
    fronted: Callable[..., Front], make_client: Callable[..., SmokeClient]
) -> None:
    def fault(request: Request, pass_on: PassOn) -> Response:
        response = pass_on(request)
        return Response(502) if request.method == "PATCH" else response

    client = make_client(fronted(fault).url)
    upload = client.begin()
    assert client.patch(upload, b"some").status == 502

    assert client.clear() == []
    assert make_client().request("GET", upload).status == 404


def test_a_blob_that_came_by_the_edge_is_deleted_too(make_client: Callable[..., SmokeClient]) -> None:
    client, stream = make_client(), RandomStream(LARGEST_BODY + MEBIBYTE)
    digest = stream.digest()
    assert client.close(client.begin(), digest, stream.pieces(), stream.size).status == 201

    assert client.clear() == []
    assert client.find_blob(digest).status == 404


class Late:
    """Interrupts one PUT and lets it arrive after the DELETE by digest that should undo it."""

    def __init__(self, what: str, digest: str) -> None:
        self._what, self._digest = what, digest
        self._kept: list[Request] = []
        self._is_over = False

    def __call__(self, request: Request, pass_on: PassOn) -> Response:
        if not self._is_over and not self._kept and request.is_put(self._what):
            self._kept.append(request)
            raise Reset
        response = pass_on(request)
        if self._kept and request.method == "DELETE" and request.path.endswith(f"/{self._what}/{self._digest}"):
            assert (response.status, pass_on(self._kept.pop()).status) == (404, 201)
            self._is_over = True
        return response


def test_a_manifest_that_arrives_after_its_delete_is_deleted_with_its_blobs(
    fronted: Callable[..., Front], make_client: Callable[..., SmokeClient]
) -> None:
    image = an_image()
    client = make_client(fronted(Late("manifests", image.digest)).url)
    tag = client.tag()
    with pytest.raises(NoAnswer):
        client.push(image, tag)

    assert client.clear() == []
    paths = [f"manifests/{tag}", f"manifests/{image.digest}", *(f"blobs/{digest_of(blob)}" for blob in image.blobs)]
    assert what_stands(make_client(), *paths) == [404] * 4


def test_a_blob_that_arrives_after_its_delete_is_deleted(
    fronted: Callable[..., Front], make_client: Callable[..., SmokeClient]
) -> None:
    digest = digest_of(content := os.urandom(100))
    client = make_client(fronted(Late("blobs", digest)).url)
    with pytest.raises(NoAnswer):
        client.put_blob(content)

    assert client.clear() == []
    assert make_client().find_blob(digest).status == 404


def test_what_cannot_be_deleted_is_reported(
    fronted: Callable[..., Front], make_client: Callable[..., SmokeClient]
) -> None:
    def fault(request: Request, pass_on: PassOn) -> Response:
        return Response(405, body=b"no") if request.method == "DELETE" else pass_on(request)

    client = make_client(fronted(fault).url)
    digest = digest_of(content := os.urandom(100))
    client.put_blob(content)

    assert client.clear() == [f"/v2/admin/smoke/blobs/{digest}: 405: no"]
    assert make_client().request("DELETE", client.path(f"blobs/{digest}")).status == 202


def test_a_registry_that_stops_answering_is_reported_for_each_blob(
    fronted: Callable[..., Front], make_client: Callable[..., SmokeClient]
) -> None:
    front = fronted()
    client = make_client(front.url)
    client.put_blob(b"one")
    client.put_blob(b"two")
    client.url = "http://127.0.0.1:1"

    left = client.clear()

    assert len(left) == 2
    assert all("ConnectionRefusedError" in line for line in left)


def test_an_upload_that_is_sent_to_another_host_is_not_followed(
    fronted: Callable[..., Front], make_client: Callable[..., SmokeClient]
) -> None:
    def fault(request: Request, pass_on: PassOn) -> Response:
        response = pass_on(request)
        return response.with_header("Location", "https://elsewhere.example/x") if request.method == "POST" else response

    with pytest.raises(StepFailed, match="another host"):
        make_client(fronted(fault).url).begin()
