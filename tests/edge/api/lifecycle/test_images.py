"""Images over the API, as older clients know them."""

import json

from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import a_blob, a_manifest, push_image, push_manifest

PLACE = "/repository/admin/app/image/"


def test_images_are_listed_with_their_ids(admin: ApiClient, app_client: AppClient) -> None:
    manifest = push_image(app_client.backend, "v1")
    answer = admin.get(PLACE)
    (image,) = answer.json()["images"]

    assert answer.headers["deprecation"] == "true"
    assert image.pop("created").endswith(" -0000")
    assert image == {
        "id": manifest.digest.hex,
        "comment": "",
        "command": "",
        "size": 0,
        "uploading": False,
        "sort_index": 0,
        "tags": ["v1"],
        "ancestors": "",
    }
    (tag,) = admin.get("/repository/admin/app/tag/").json()["tags"]
    assert admin.get(PLACE + tag["image_id"]).json()["id"] == tag["docker_image_id"]


def test_an_image_is_read_by_its_id(admin: ApiClient, app_client: AppClient) -> None:
    step = {"created_by": "RUN x", "comment": "hello"}
    config = {"history": [step], "created": "2024-01-02T03:04:05Z"}
    layers = [a_blob(app_client.backend)], a_blob(app_client.backend, json.dumps(config).encode())
    manifest = push_manifest(app_client.backend, a_manifest(*layers), "v1")
    answer = admin.get(PLACE + manifest.digest.hex)

    assert answer.headers["deprecation"] == "true"
    assert answer.json() == {
        "id": manifest.digest.hex,
        "created": "Tue, 02 Jan 2024 03:04:05 -0000",
        "comment": "hello",
        "command": ["RUN x"],
        "size": 64,
        "uploading": False,
        "sort_index": 0,
        "tags": ["v1"],
        "ancestors": "/",
    }


def test_private_and_unknown_images_are_refused(admin: ApiClient, stranger: ApiClient, app_client: AppClient) -> None:
    manifest = push_image(app_client.backend, "v1")

    assert admin.get(PLACE + "0" * 64).status == 404
    assert admin.get(PLACE + "nonsense").status == 404
    assert stranger.get(PLACE).status == 401
    assert stranger.get(PLACE + manifest.digest.hex).status == 401
