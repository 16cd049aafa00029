"""Mirrors of organizations over the API, as a running Quay was asked."""

from typing import Any

import pytest

from tests.support.api_client import ApiClient
from tests.support.app_client import Answer, AppClient
from tests.support.builders import an_organization
from tests.support.mirror_builders import a_robot

MIRROR = "/organization/acme/mirror"
CREATED = {
    "external_registry_type": "quay",
    "external_registry_url": "https://quay.example.com",
    "external_namespace": "team",
    "robot_username": "acme+mirror",
    "visibility": "private",
    "sync_interval": 3600,
    "sync_start_date": "2099-01-01T00:00:00Z",
}
COUNTS = dict.fromkeys(("CANCEL", "FAIL", "NEVER_RUN", "SUCCESS", "SYNCING", "SYNC_NOW", "SKIP"), 0)


@pytest.fixture
def owner(admin: ApiClient, app_client: AppClient) -> ApiClient:
    """Returns the administrator of an organization that is no mirror yet."""
    an_organization(app_client.backend)
    a_robot(app_client.backend, "acme+mirror", by="admin")
    return admin


def created(api_client: ApiClient, **fields: Any) -> Answer:
    return api_client.post(MIRROR, {**CREATED, **fields})


def test_a_mirror_is_shown_as_it_was_set_up_but_without_its_password(owner: ApiClient) -> None:
    secret = {"external_registry_username": "$oauthtoken", "external_registry_password": "s3cret"}
    answer = created(owner, repository_filters=["a*"], skopeo_timeout=60, **secret)
    assert (answer.status, answer.json()) == (201, "")

    shown = owner.get(MIRROR).json()

    assert shown.pop("creation_date").endswith("Z")
    assert shown == {
        **CREATED,
        "is_enabled": True,
        "external_registry_username": "$oauthtoken",
        "has_external_registry_password": True,
        "external_registry_config": {},
        "repository_filters": ["a*"],
        "sync_expiration_date": None,
        "sync_status": "NEVER_RUN",
        "sync_retries_remaining": 3,
        "repo_sync_status_counts": COUNTS,
        "skopeo_timeout": 60,
        "next_sync_date": "2099-01-01T00:00:00Z",
        "last_sync_date": None,
        "sync_message": "",
    }


def test_a_way_that_differs_from_the_usual_is_shown_without_its_password(owner: ApiClient) -> None:
    proxy = {"http_proxy": None, "https_proxy": "http://u:secret@proxy.example.com", "no_proxy": None}
    created(owner, external_registry_config={"verify_tls": False, "proxy": proxy})
    shown = owner.get(MIRROR).json()["external_registry_config"]
    masked = "http://u:********@proxy.example.com"
    assert shown == {"verify_tls": False, "proxy": {**proxy, "https_proxy": masked}}
    assert owner.put(MIRROR, {"external_registry_config": shown}).status == 200


def test_a_change_answers_200_and_another_type_is_ignored(owner: ApiClient) -> None:
    created(owner)
    assert (
        owner.put(MIRROR, {"sync_interval": 7200}).status,
        owner.put(MIRROR, {"external_registry_type": "ghcr"}).status,
    ) == (200, 200)
    shown = owner.get(MIRROR).json()
    assert (shown["sync_interval"], shown["external_registry_type"]) == (7200, "quay")


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("external_registry_type", "ghcr", "external_registry_type"),
        ("external_registry_url", "quay.io", "URL must include a hostname"),
        ("external_registry_url", "https://127.0.0.1:1", "The provided registry URL is not allowed"),
        ("external_namespace", "Team", "external_namespace"),
        ("robot_username", "acme+none", "Invalid robot account: acme+none"),
        ("robot_username", "admin+mirror", "Robot account must belong to the organization"),
        ("visibility", "secret", "visibility"),
        ("sync_interval", 59, "sync_interval"),
        ("sync_interval", "1h", "sync_interval"),
        ("sync_start_date", "tomorrow", "sync_start_date"),
        ("skopeo_timeout", 29, "skopeo_timeout"),
        ("skopeo_timeout", 3601, "skopeo_timeout"),
        ("repository_filters", ["a b"], "repository_filters"),
        ("external_registry_password", "p", "without also specifying a username"),
    ],
)
def test_bad_input_names_its_field_and_stores_nothing(owner: ApiClient, field: str, value: object, why: str) -> None:
    answer = created(owner, **{field: value})
    assert answer.status == 400
    assert why in answer.body.decode()
    assert owner.get(MIRROR).status == 404


def test_the_second_mirror_is_refused_in_quays_words(owner: ApiClient) -> None:
    created(owner)
    answer = created(owner)
    assert answer.status == 400
    assert answer.json()["detail"] == "Mirror configuration already exists for this organization"


def test_a_removed_mirror_is_there_no_more(owner: ApiClient) -> None:
    created(owner)
    assert owner.delete(MIRROR).status == 204
    for answer in (owner.delete(MIRROR), owner.get(MIRROR), owner.get(f"{MIRROR}/repositories")):
        assert answer.status == 404


def test_a_discovery_is_begun_and_cancelled_as_in_quay(owner: ApiClient) -> None:
    created(owner)
    statuses = [
        owner.post(f"{MIRROR}/{word}").status for word in ("sync-now", "sync-now", "sync-cancel", "sync-cancel")
    ]
    assert statuses == [204, 400, 204, 400]
    assert owner.get(MIRROR).json()["sync_status"] == "CANCEL"


def test_an_empty_list_has_quays_page(owner: ApiClient) -> None:
    created(owner)
    page = owner.get(f"{MIRROR}/repositories?page=0&limit=9999").json()
    assert page == {"repositories": [], "page": 1, "limit": 500, "total": 0, "has_next": False}
    assert owner.get(f"{MIRROR}/repositories?status=SKIP").status == 200
    assert owner.get(f"{MIRROR}/repositories?status=DONE").status == 400


def test_a_verification_that_fails_is_an_answer(owner: ApiClient) -> None:
    created(owner, external_registry_url="https://registry.invalid")
    answer = owner.post(f"{MIRROR}/verify")
    assert (answer.status, answer.json()["success"]) == (200, False)
    assert "external_registry_url" in answer.json()["message"]


def test_no_repository_is_made_by_hand_meanwhile(owner: ApiClient) -> None:
    created(owner)
    new = {"repository": "own", "namespace": "acme", "visibility": "private", "description": ""}
    answer = owner.post("/repository", new)
    assert answer.status == 400
    assert "come from another registry" in answer.json()["detail"]


def test_nobody_sets_the_state_of_an_organizations_mirror(owner: ApiClient) -> None:
    new = {"repository": "own", "namespace": "acme", "visibility": "private", "description": ""}
    assert owner.post("/repository", new).status == 201
    assert owner.put("/repository/acme/own/changestate", {"state": "ORG_MIRROR"}).status == 400
