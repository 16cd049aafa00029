"""`/v2/<name>/manifests/<reference>`."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from chalicelib.domain import media_types
from chalicelib.domain.digests import Digest
from tests.support.app_client import AppClient
from tests.support.builders import a_blob, a_config, a_descriptor, a_manifest, an_index, push_image

PATH = "/v2/admin/app/manifests"


@pytest.mark.parametrize("by_digest", [False, True])
def test_a_manifest_is_returned_byte_by_byte_with_digest_type_and_etag(app_client: AppClient, by_digest: bool) -> None:
    manifest = push_image(app_client.backend, "v1")
    answer = app_client.ask("GET", f"{PATH}/{manifest.digest if by_digest else 'v1'}", app_client.token("admin/app"))

    assert (answer.status, answer.body) == (200, manifest.content)
    assert answer.headers["content-type"] == media_types.OCI_MANIFEST
    assert answer.headers["docker-content-digest"] == str(manifest.digest)
    assert answer.headers["etag"] == f'"{manifest.digest}"'
    assert answer.headers["content-length"] == str(manifest.size)


def test_head_has_the_headers_of_get(app_client: AppClient) -> None:
    manifest, token = push_image(app_client.backend, "v1"), app_client.token("admin/app")
    got, head = (app_client.ask(method, f"{PATH}/v1", token) for method in ("GET", "HEAD"))

    assert head.status == 200
    assert head.body == b""
    assert head.headers == got.headers
    assert got.headers["content-disposition"] == "attachment"
    assert head.headers["content-length"] == str(manifest.size)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("form", ["{}", '"{}"', 'W/"{}"', '"other", W/"{}"', '"{}","other"', "*"])
def test_a_client_with_the_manifest_gets_304_without_a_body(app_client: AppClient, form: str, method: str) -> None:
    manifest = push_image(app_client.backend, "v1")
    headers = app_client.token("admin/app") | {"If-None-Match": form.format(manifest.digest)}
    answer = app_client.ask(method, f"{PATH}/v1", headers)

    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["etag"] == f'"{manifest.digest}"'
    assert app_client.ask(method, f"{PATH}/v1", headers | {"If-None-Match": f'"{Digest.of(b"")}"'}).status == 200


@pytest.mark.parametrize(("is_sparse", "status"), [(False, 400), (True, 201)])
def test_an_index_may_lack_manifests_if_the_operator_lets_it(
    new_app_client: Callable[..., AppClient], is_sparse: bool, status: int
) -> None:
    client, absent = new_app_client(sparse_index=is_sparse), Digest.of(b"absent")
    index = an_index([push_image(client.backend).digest, absent])

    answer = client.ask("PUT", f"{PATH}/v1", client.token("admin/app"), index.content)

    assert answer.status == status
    assert (str(absent) in answer.body.decode()) is not is_sparse


def test_a_push_answers_with_location_and_digest(app_client: AppClient) -> None:
    manifest = a_manifest([a_blob(app_client.backend)], a_blob(app_client.backend, a_config()))
    answer = app_client.ask("PUT", f"{PATH}/v1", app_client.token("admin/app"), manifest.content)

    assert (answer.status, answer.body) == (201, b"")
    assert answer.headers["location"] == f"{PATH}/{manifest.digest}"
    assert answer.headers["docker-content-digest"] == str(manifest.digest)
    assert "oci-subject" not in answer.headers
    assert "oci-tag" not in answer.headers


def test_several_tags_are_returned_once_each_on_their_own_line(app_client: AppClient) -> None:
    a_blob(app_client.backend)
    manifest, token = a_manifest(), app_client.token("admin/app")
    answer = app_client.ask("PUT", f"{PATH}/{manifest.digest}?tag=a&tag=b&tag=a", token, manifest.content)

    assert [value for name, value in answer.lines if name == "oci-tag"] == ["a", "b"]
    assert {app_client.ask("HEAD", f"{PATH}/{tag}", token).status for tag in "ab"} == {200}


def test_a_push_with_a_subject_returns_it(app_client: AppClient) -> None:
    subject = Digest.of(b"to come")
    manifest = a_manifest(subject=subject)
    answer = app_client.ask("PUT", f"{PATH}/{manifest.digest}", app_client.token("admin/app"), manifest.content)

    assert answer.headers["oci-subject"] == str(subject)


def test_a_push_by_a_sha512_digest_is_stored_under_it(app_client: AppClient) -> None:
    manifest, token = a_manifest(), app_client.token("admin/app")
    digest = Digest.of(manifest.content, "sha512")
    answer = app_client.ask("PUT", f"{PATH}/{digest}", token, manifest.content)

    assert answer.headers["docker-content-digest"] == str(digest)
    assert app_client.ask("GET", f"{PATH}/{digest}", token).body == manifest.content


def test_a_push_under_another_digest_is_refused_with_the_right_one(app_client: AppClient) -> None:
    manifest = a_manifest()
    answer = app_client.ask("PUT", f"{PATH}/{Digest.of(b'other')}", app_client.token("admin/app"), manifest.content)

    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    assert str(manifest.digest) in answer.json()["errors"][0]["message"]


def test_a_push_without_the_right_gets_no_details_of_its_manifest(app_client: AppClient) -> None:
    push_image(app_client.backend, "v1")
    for token in ({}, app_client.token("admin/app", actions="pull"), app_client.token("admin/other")):
        answer = app_client.ask("PUT", f"{PATH}/v1", token, b"no manifest at all")

        assert answer.status in (401, 403)
        assert "MANIFEST" not in answer.code


@pytest.mark.parametrize("tag", ["t" * 129, ".a", "a%20b", "a%252Fb", "%00"])
def test_an_invalid_tag_is_refused_in_path_and_query(app_client: AppClient, tag: str) -> None:
    manifest, token = a_manifest(), app_client.token("admin/app")
    for target in (f"{PATH}/{tag}", f"{PATH}/{manifest.digest}?tag={tag}"):
        answer = app_client.ask("PUT", target, token, manifest.content)

        assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


def test_missing_blobs_are_named(app_client: AppClient) -> None:
    a_blob(app_client.backend)
    missing = [Digest.of(b"a"), Digest.of(b"b")]
    answer = app_client.ask("PUT", f"{PATH}/v1", app_client.token("admin/app"), a_manifest(missing).content)

    assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert set(answer.json()["errors"][0]["detail"]["digests"]) == {str(digest) for digest in missing}


BAD = {
    "a media type with a line break": json.dumps({"mediaType": "application/x\r\nX-Evil: 1"}),
    "a media type that is half a character": json.dumps({"mediaType": "application/\ud800"}),
    "a media type without end": json.dumps({"mediaType": "application/" + "x" * 500_000}),
    "an artifact type that is half a character": json.dumps({"mediaType": "a/b", "artifactType": "\ud800"}),
    "an artifact type without end": json.dumps({"mediaType": "a/b", "artifactType": "x" * 500_000}),
    "an annotation that is half a character": json.dumps(
        {"mediaType": "a/b", "subject": a_descriptor(Digest.of(b"")), "annotations": {"a": "\ud800"}}
    ),
    "a number without end": '{"mediaType": "a/b", "x": ' + "1" * 5000 + "}",
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_a_manifest_that_cannot_be_stored_is_refused(app_client: AppClient, content: str) -> None:
    """An item of DynamoDB has at most 400 KB, and a media type must fit a header line."""
    answer = app_client.ask("PUT", f"{PATH}/bad", app_client.token("admin/app"), content.encode())

    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


def test_annotations_of_any_text_are_returned_in_the_list_of_referrers(app_client: AppClient) -> None:
    subject, token = push_image(app_client.backend, "v1"), app_client.token("admin/app")
    annotations = {"long": "x" * 500_000, "caf\u00e9": "\u0000\n"}
    content = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_INDEX,
            "manifests": [],
            "subject": a_descriptor(subject.digest),
            "annotations": annotations,
        }
    ).encode()
    pushed = app_client.ask("PUT", f"{PATH}/{Digest.of(content)}", token, content)
    listed = app_client.ask("GET", f"/v2/admin/app/referrers/{subject.digest}", token)

    assert (pushed.status, listed.status) == (201, 200)
    assert listed.json()["manifests"][0]["annotations"]["long"] == "x" * 500_000


def test_a_label_with_an_enormous_expiration_does_not_prevent_push_and_pull(app_client: AppClient) -> None:
    manifest, token = a_manifest(annotations={"quay.expires-after": "999999999w"}), app_client.token("admin/app")

    assert app_client.ask("PUT", f"{PATH}/v1", token, manifest.content).status == 201
    assert app_client.ask("GET", f"{PATH}/v1", token).status == 200
    assert app_client.ask("DELETE", f"{PATH}/v1", token).status == 202


def test_a_tag_is_deleted_and_the_manifest_stays_reachable_by_its_other_tag(app_client: AppClient) -> None:
    push_image(app_client.backend, "v1", "v2")
    token = app_client.token("admin/app")

    assert app_client.ask("DELETE", f"{PATH}/v1", token).status == 202
    assert [app_client.ask("HEAD", f"{PATH}/{tag}", token).status for tag in ("v1", "v2")] == [404, 200]
    assert app_client.ask("DELETE", f"{PATH}/v1", token).code == "MANIFEST_UNKNOWN"


def test_a_manifest_is_deleted_by_digest_with_all_its_tags(app_client: AppClient) -> None:
    manifest, token = push_image(app_client.backend, "v1", "v2"), app_client.token("admin/app")

    assert app_client.ask("DELETE", f"{PATH}/{manifest.digest}", token).status == 202
    assert {app_client.ask("HEAD", f"{PATH}/{name}", token).status for name in ("v1", "v2", manifest.digest)} == {404}


def test_an_unknown_reference_differs_from_an_unknown_repository(app_client: AppClient) -> None:
    push_image(app_client.backend, "v1")
    token = app_client.token("admin/app", "admin/other")

    assert app_client.ask("GET", f"{PATH}/v9", token).code == "MANIFEST_UNKNOWN"
    assert app_client.ask("GET", f"{PATH}/{Digest.of(b'other')}", token).code == "MANIFEST_UNKNOWN"
    assert app_client.ask("GET", "/v2/admin/other/manifests/v1", token).code == "NAME_UNKNOWN"


def test_a_tag_that_the_time_machine_keeps_differs_from_one_that_never_existed(app_client: AppClient) -> None:
    push_image(app_client.backend, "v1")
    token = app_client.token("admin/app")
    assert app_client.ask("DELETE", f"{PATH}/v1", token).status == 202

    for reference, words in (("v1", "To pull, revive via time machine"), ("v9", "no manifest v9 in admin/app")):
        refused = app_client.ask("GET", f"{PATH}/{reference}", token)
        assert (refused.status, refused.code) == (404, "MANIFEST_UNKNOWN")
        assert words in refused.json()["errors"][0]["message"]
