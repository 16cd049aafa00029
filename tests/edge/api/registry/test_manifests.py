"""Manifests and their labels over the API."""

import json

import pytest

from chalicelib.domain.names import RepositoryName
from chalicelib.domain.repositories import Visibility
from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import a_blob, a_manifest, an_index, push_image, push_manifest, token_actor
from tests.support.rows import change, repository_of

PLACE = "/repository/admin/app/manifest/"
LABEL = {"key": "team", "value": "web", "media_type": None}


def test_a_manifest_is_shown_as_in_quay(admin: ApiClient, app_client: AppClient) -> None:
    step = {"created_by": "RUN x", "created": "2024-01-02T03:04:05Z", "comment": "hello"}
    layer, config = a_blob(app_client.backend), a_blob(app_client.backend, json.dumps({"history": [step]}).encode())
    manifest = push_manifest(app_client.backend, a_manifest([layer], config), "v1")

    assert admin.get(PLACE + str(manifest.digest)).json() == {
        "digest": str(manifest.digest),
        "is_manifest_list": False,
        "manifest_data": manifest.content.decode(),
        "config_media_type": "application/vnd.oci.image.config.v1+json",
        "layers": [
            {
                "index": 0,
                "compressed_size": 64,
                "is_remote": False,
                "urls": None,
                "command": ["RUN x"],
                "comment": "hello",
                "author": None,
                "blob_digest": str(layer),
                "created_datetime": "Tue, 02 Jan 2024 03:04:05 -0000",
            }
        ],
        "layers_compressed_size": 64,
    }


def test_an_index_has_no_layers(admin: ApiClient, app_client: AppClient) -> None:
    index = push_manifest(app_client.backend, an_index([push_image(app_client.backend).digest]), "v1")
    document = admin.get(PLACE + str(index.digest)).json()

    assert [
        document[name] for name in ("is_manifest_list", "layers", "layers_compressed_size", "config_media_type")
    ] == [
        True,
        None,
        None,
        None,
    ]


def test_labels_are_added_listed_and_removed(admin: ApiClient, app_client: AppClient) -> None:
    digest = str(push_image(app_client.backend, "v1", labels={"maker": "me"}).digest)
    creation = admin.post(f"{PLACE}{digest}/labels", LABEL)
    label = creation.json()["label"]

    assert creation.status == 201
    assert creation.headers["location"] == f"/api/v1{PLACE}{digest}/labels/{label['id']}"
    assert label == {"id": label["id"], "key": "team", "value": "web", "source_type": "api", "media_type": "text/plain"}
    assert admin.get(creation.headers["location"]).json() == label
    assert admin.get(f"{PLACE}{digest}/labels?filter=te").json() == {"labels": [label]}
    (theirs,) = admin.get(f"{PLACE}{digest}/labels?filter=maker").json()["labels"]
    assert theirs["source_type"] == "manifest"
    refused = admin.delete(f"{PLACE}{digest}/labels/{theirs['id']}")
    assert (refused.status, refused.json()["message"]) == (400, "Cannot delete immutable label")
    assert admin.delete(creation.headers["location"]).status == 204
    assert admin.delete(creation.headers["location"]).status == 404


def test_a_label_sets_the_expiration_of_tags(admin: ApiClient, app_client: AppClient) -> None:
    digest = str(push_image(app_client.backend, "v1").digest)
    admin.post(f"{PLACE}{digest}/labels", {"key": "quay.expires-after", "value": "2h", "media_type": "text/plain"})

    (tag,) = admin.get("/repository/admin/app/tag/").json()["tags"]
    assert tag["end_ts"] == tag["start_ts"] + 7200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"key": "a", "value": "b"},
        {**LABEL, "key": "A B"},
        {**LABEL, "key": "quay.x"},
        {**LABEL, "media_type": "text/html"},
        {**LABEL, "value": 7},
        {**LABEL, "key": "quay.expires-after", "value": "soon"},
    ],
)
def test_an_invalid_label_is_refused(admin: ApiClient, app_client: AppClient, body: object) -> None:
    digest = str(push_image(app_client.backend, "v1").digest)

    assert admin.post(f"{PLACE}{digest}/labels", body).status == 400


def test_unknown_manifests_and_labels_are_not_found(admin: ApiClient, app_client: AppClient) -> None:
    digest = str(push_image(app_client.backend, "v1").digest)
    nowhere = "sha256:" + "0" * 64

    for path in (PLACE + nowhere, f"{PLACE}{nowhere}/labels", f"{PLACE}nonsense", f"{PLACE}{digest}/labels/none"):
        assert admin.get(path).status == 404
    assert admin.post(f"{PLACE}{nowhere}/labels", LABEL).status == 404
    assert admin.delete(f"{PLACE}{digest}/labels/none").status == 404


def test_a_frozen_repository_refuses_labels(admin: ApiClient, app_client: AppClient) -> None:
    digest = str(push_image(app_client.backend, "v1").digest)
    label = admin.post(f"{PLACE}{digest}/labels", LABEL).json()["label"]
    repository = repository_of(app_client.backend)
    change(
        app_client.backend.services.stores.repositories.find(repository.namespace_id, repository.name), mode="READ_ONLY"
    )

    assert admin.post(f"{PLACE}{digest}/labels", LABEL).status == 503
    assert admin.delete(f"{PLACE}{digest}/labels/{label['id']}").status == 503
    assert admin.get(f"{PLACE}{digest}/labels").status == 200


def test_anonymous_callers_read_public_manifests_and_change_nothing(stranger: ApiClient, app_client: AppClient) -> None:
    digest = str(push_image(app_client.backend, "v1").digest)
    assert stranger.get(PLACE + digest).status == 401
    assert stranger.get(f"{PLACE}{digest}/labels").status == 401
    owner, name = token_actor(app_client.backend, "admin", "admin/app"), RepositoryName.parse("admin/app")
    app_client.backend.services.registry.repositories.change_visibility(owner, name, Visibility.PUBLIC)

    assert stranger.get(PLACE + digest).status == 200
    assert stranger.get(f"{PLACE}{digest}/labels").status == 200
    assert stranger.post(f"{PLACE}{digest}/labels", LABEL).status in (401, 403)
