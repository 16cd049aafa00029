"""Proxy caches over the API, as a running Quay was asked."""

import pytest

from chalicelib.services.mirroring import probes
from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import an_organization

CACHE, TRIAL = "/organization/acme/proxycache", "/organization/acme/validateproxycache"
NONE = {"upstream_registry": "", "expiration_s": "", "insecure": ""}


@pytest.fixture
def owner(admin: ApiClient, app_client: AppClient) -> ApiClient:
    """Returns the administrator of an empty organization."""
    an_organization(app_client.backend)
    return admin


def test_a_cache_is_created_shown_and_deleted_in_quays_words(owner: ApiClient) -> None:
    assert (owner.get(CACHE).status, owner.get(CACHE).json()) == (200, NONE)
    secret = {"upstream_registry_username": "u", "upstream_registry_password": "s3cret", "org_name": "acme"}
    created = owner.post(CACHE, {"upstream_registry": "quay.io/team", "expiration_s": 60, **secret})
    assert (created.status, created.json()) == (201, "Created")
    assert owner.get(CACHE).json() == {"upstream_registry": "quay.io/team", "expiration_s": 60, "insecure": False}
    again = owner.post(CACHE, {"upstream_registry": "quay.io"})
    assert (again.status, again.json()["detail"]) == (400, "Proxy Cache Configuration already exists")
    deleted = owner.delete(CACHE)
    assert (deleted.status, deleted.json()) == (201, "Deleted")
    assert (owner.get(CACHE).json(), owner.delete(CACHE).status) == (NONE, 404)


def test_a_tag_is_believed_for_a_day_unless_something_else_is_said(owner: ApiClient) -> None:
    owner.post(CACHE, {"upstream_registry": "docker.io", "insecure": True})
    assert owner.get(CACHE).json() == {"upstream_registry": "docker.io", "expiration_s": 86400, "insecure": True}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"upstream_registry": ""}, "URL must include a hostname"),
        ({}, "upstream_registry"),
        ({"upstream_registry": "https://quay.io"}, "upstream_registry"),
        ({"upstream_registry": "10.0.0.1"}, "The provided registry URL is not allowed"),
        ({"upstream_registry": "quay.io", "expiration_s": 0}, "expiration_s"),
        ({"upstream_registry": "quay.io", "insecure": "no"}, "insecure"),
        ({"upstream_registry": "quay.io", "upstream_registry_password": "p"}, "without also specifying a username"),
    ],
)
def test_bad_input_names_its_field_and_stores_nothing(owner: ApiClient, body: dict[str, object], why: str) -> None:
    for path in (CACHE, TRIAL):
        answer = owner.post(path, body)
        assert answer.status == 400
        assert why in answer.body.decode()
    assert owner.get(CACHE).json() == NONE


def test_a_trial_without_an_answer_is_refused(owner: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "LIMIT_S", 5.0)
    answer = owner.post(TRIAL, {"upstream_registry": "registry.invalid"})
    assert answer.status == 400
    assert "registry.invalid" in answer.json()["detail"]
