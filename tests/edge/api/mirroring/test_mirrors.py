"""Mirrors over the API, as a running Quay was asked."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.api_client import ApiClient
from tests.support.app_client import Answer, AppClient
from tests.support.mirror_builders import a_robot

MIRROR = "/repository/admin/app/mirror"
CREATED = {
    "external_reference": "registry.example.com/team/app",
    "external_registry_username": None,
    "external_registry_password": None,
    "sync_interval": 3600,
    "sync_start_date": "2099-01-01T00:00:00Z",
    "robot_username": "admin+mirror",
    "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["latest", "v1.*"]},
    "external_registry_config": {
        "verify_tls": True,
        "unsigned_images": False,
        "proxy": {"http_proxy": None, "https_proxy": None, "no_proxy": None},
    },
    "skopeo_timeout_interval": 300,
    "is_enabled": True,
}
SHOWN = {
    "mirror_type": "PULL",
    "sync_expiration_date": None,
    "sync_retries_remaining": 3,
    "sync_status": "NEVER_RUN",
    "architecture_filter": [],
    "next_sync_date": "2099-01-01T00:00:00Z",
    "last_sync_date": None,
}


@pytest.fixture
def owner(admin: ApiClient, app_client: AppClient) -> ApiClient:
    """Returns the administrator of a repository that is no mirror yet."""
    new = {"repository": "app", "namespace": "admin", "visibility": "private", "description": ""}
    assert admin.post("/repository", new).status == 201
    a_robot(app_client.backend)
    return admin


def created(api_client: ApiClient, **fields: Any) -> Answer:
    return api_client.post(MIRROR, {**CREATED, **fields})


def test_a_mirror_is_shown_as_it_was_set_up_but_without_its_password(owner: ApiClient) -> None:
    answer = created(owner, external_registry_username="u", external_registry_password="s3cret")
    assert (answer.status, answer.json()) == (201, "")

    shown = owner.get(MIRROR)

    expected = {**CREATED, **SHOWN, "external_registry_username": "u"}
    del expected["external_registry_password"]
    assert (shown.status, shown.json()) == (200, expected)
    repository = owner.get("/repository/admin/app").json()
    assert (repository["state"], repository["can_write"]) == ("MIRROR", False)


def test_only_what_has_no_default_must_be_said(owner: ApiClient) -> None:
    optional = ("external_registry_config", "skopeo_timeout_interval", "is_enabled", "external_registry_password")
    assert owner.post(MIRROR, {name: value for name, value in CREATED.items() if name not in optional}).status == 201

    shown = owner.get(MIRROR).json()
    assert {name: shown[name] for name in optional[:3]} == {name: CREATED[name] for name in optional[:3]}


@pytest.mark.parametrize(
    "field", ["external_reference", "sync_interval", "sync_start_date", "root_rule", "robot_username"]
)
def test_what_has_no_default_is_named_where_it_is_missing(owner: ApiClient, field: str) -> None:
    refused = owner.post(MIRROR, {name: value for name, value in CREATED.items() if name != field})

    assert (refused.status, refused.json()["error_type"]) == (400, "invalid_request")
    assert field in refused.json()["detail"]


def test_a_second_mirror_is_refused_with_quays_words(owner: ApiClient) -> None:
    created(owner)

    assert (created(owner).status, created(owner).json()) == (
        409,
        {"detail": "Mirror configuration already exits for repository admin/app"},
    )


def test_the_configuration_is_changed_key_by_key(owner: ApiClient) -> None:
    created(owner)

    def changed(**config: Any) -> Any:
        answer = owner.put(MIRROR, {"external_registry_config": config})
        assert (answer.status, answer.json()) == (201, "")
        return owner.get(MIRROR).json()["external_registry_config"]

    assert changed(proxy={"http_proxy": "http://u:s3cret@proxy.example.com:3128"}) == {
        "verify_tls": True,
        "unsigned_images": False,
        "proxy": {"http_proxy": "http://u:********@proxy.example.com:3128", "https_proxy": None, "no_proxy": None},
    }
    shown = changed(verify_tls=False, proxy={"no_proxy": "example.org"})
    assert shown["proxy"]["http_proxy"] == "http://u:********@proxy.example.com:3128"
    assert (shown["proxy"]["no_proxy"], shown["verify_tls"]) == ("example.org", False)
    assert changed(**shown) == shown
    assert changed(proxy={"http_proxy": None, "no_proxy": ""})["proxy"] == dict.fromkeys(shown["proxy"])


def test_everything_else_is_changed_field_by_field(owner: ApiClient) -> None:
    created(owner)
    changes: dict[str, Any] = {
        "sync_interval": 0,
        "is_enabled": False,
        "external_reference": "192.0.2.1.example.com:5000/library/alpine",
        "external_registry_username": "u",
        "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["3.*", "!3.*-rc*"]},
        "sync_start_date": "2030-01-01T00:00:00Z",
        "skopeo_timeout_interval": 600,
        "architecture_filter": ["amd64", "riscv64"],
    }
    expected = owner.get(MIRROR).json()
    for field, value in changes.items():
        assert owner.put(MIRROR, {field: value}).status == 201
        expected[field] = value
        expected["next_sync_date"] = owner.get(MIRROR).json()["next_sync_date"]

        assert owner.get(MIRROR).json() == expected
    assert owner.put(MIRROR, {"architecture_filter": None}).status == 201
    assert owner.get(MIRROR).json()["architecture_filter"] == []


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"external_registry_password": "p"}, "detail", "Unable to set a new password without also specifying a username."),
    ({"sync_interval": -1}, "problem", "sync_interval: must be bigger than or equal to 0"),
    ({"sync_interval": "often"}, "problem", "sync_interval: must be integer"),
    ({"sync_start_date": "tomorrow"}, "detail", "Incorrect DateTime format for sync_start_date."),
    ({"robot_username": "nobody"}, "message", "Could not find robot with specified username"),
    ({"robot_username": "admin+none"}, "message", "Could not find robot with specified username"),
    ({"robot_username": "acme+ci"}, "message", "Invalid robot: say in robot_username one of admin"),
    ({"root_rule": {"rule_kind": "regex", "rule_value": ["x"]}}, "problem", "root_rule.rule_kind: must be one of"),
    ({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": []}}, "problem", "validation failed: rule_value for"),
    ({"skopeo_timeout_interval": 1}, "problem", "skopeo_timeout_interval: must be bigger than or equal to 300"),
    ({"external_reference": ""}, "problem", "External registry reference is required"),
    (
        {"external_reference": "http://quay.io/a"},
        "problem",
        "External registry reference must not include a URL scheme",
    ),
    ({"external_reference": "169.254.169.254/latest"}, "problem", "The provided registry location is not allowed"),
    ({"architecture_filter": ["pdp11"]}, "detail", "architecture_filter: 'pdp11' is not known"),
    ({"external_registry_config": {"verify_tls": "yes"}}, "problem", "external_registry_config.verify_tls: must be"),
    (
        {"external_registry_config": {"proxy": {"http_proxy": "http://10.0.0.1"}}},
        "detail",
        "external_registry_config.proxy.http_proxy: 10.0.0.1 is not on the public internet, and the operator does not",
    ),
    (
        {"external_registry_config": {"proxy": {"https_proxy": "proxy:3128"}}},
        "detail",
        "external_registry_config.proxy.https_proxy: say http://HOST:PORT",
    ),
]


@pytest.mark.parametrize(("fields", "shape", "words"), BAD, ids=lambda value: str(value)[:40])
def test_bad_input_is_refused_as_by_quay_and_nothing_is_stored(
    owner: ApiClient, fields: dict[str, Any], shape: str, words: str
) -> None:
    refused = created(owner, **fields)
    assert (refused.status, owner.get(MIRROR).status) == (400, 404)
    assert owner.get("/repository/admin/app").json()["state"] == "NORMAL"

    created(owner)
    before = owner.get(MIRROR).json()
    refused = owner.put(MIRROR, {"sync_interval": 77, **fields})

    assert refused.status == 400
    keys = {"problem": {"detail", "error_message", "error_type", "status", "title", "type"}}.get(shape, {shape})
    assert refused.json().keys() == keys
    assert words in refused.json()["message" if shape == "message" else "detail"]
    assert owner.get(MIRROR).json() == before


def test_the_longest_settings_fit_into_the_table(owner: ApiClient) -> None:
    proxy = f"http://u:{'%40' * 640}@proxy.example.com:3128"
    longest = {
        "external_registry_username": "☃" * 4096,
        "external_registry_password": "𝄞" * 9000,
        "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": [f"{number:0255}*" for number in range(200)]},
        "external_registry_config": {"proxy": {"http_proxy": proxy, "https_proxy": proxy, "no_proxy": "☃" * 2000}},
    }

    assert created(owner, **longest).status == 201
    assert owner.get(MIRROR).json()["external_registry_username"] == "☃" * 4096


def test_without_a_mirror_everything_is_not_found(owner: ApiClient) -> None:
    for answer in (owner.get(MIRROR), owner.put(MIRROR, {"sync_interval": 1}), owner.delete(MIRROR)):
        assert (answer.status, answer.json()["error_type"]) == (404, "not_found")


def test_a_removed_mirror_leaves_an_ordinary_repository(owner: ApiClient) -> None:
    created(owner)

    assert (owner.delete(MIRROR).status, owner.get(MIRROR).status) == (204, 404)
    shown = owner.get("/repository/admin/app").json()
    assert (shown["state"], shown["can_write"]) == ("NORMAL", True)


def test_strangers_learn_nothing(owner: ApiClient, stranger: ApiClient, visit: Callable[[str], ApiClient]) -> None:
    created(owner)

    assert stranger.get(MIRROR).status == 401
    assert visit("bob").get(MIRROR).json()["error_type"] == "insufficient_scope"
