"""`/config`: the settings and features of the installation."""

from collections.abc import Callable

import pytest

from chalicelib import __version__
from chalicelib.edge.api.catalog import features
from chalicelib.edge.api.framework import declared
from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient


def test_the_configuration_names_the_host_and_the_features(stranger: ApiClient) -> None:
    config = stranger.get("//config").json()

    assert (config["config"]["SERVER_HOSTNAME"], config["config"]["PREFERRED_URL_SCHEME"]) == ("registry.test", "http")
    assert config["config"]["TAG_EXPIRATION_OPTIONS"] == ["0s", "1d", "1w", "2w", "4w"]
    assert (config["registry_state"], config["external_login"], config["account_recovery_mode"]) == (
        "normal",
        [],
        False,
    )
    assert config["features"]["SUPER_USERS"] is True
    assert (
        config["features"]["BILLING"] is config["features"]["BUILD_SUPPORT"] is config["features"]["MAILING"] is False
    )


def test_the_configuration_names_the_version(stranger: ApiClient) -> None:
    assert stranger.get("//config").json()["version_number"] == __version__


def test_a_feature_is_on_where_its_route_is(stranger: ApiClient) -> None:
    config = stranger.get("//config").json()["features"]

    assert config["EXPORT_ACTION_LOGS"] is ("/api/v1/user/exportlogs" in declared.paths())
    assert config["EXPORT_ACTION_LOGS"] is True


def test_a_feature_without_its_route_is_off(stranger: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "FEATURES", {"FLYING": "/api/v1/fly"})

    assert stranger.get("//config").json()["features"]["FLYING"] is False


def test_full_access_of_superusers_is_reported(new_app_client: Callable[..., AppClient]) -> None:
    for chosen in (True, False):
        api_client = ApiClient(new_app_client(superusers_full_access=chosen))

        assert api_client.get("//config").json()["features"]["SUPERUSERS_FULL_ACCESS"] is chosen


def test_the_configuration_contains_no_secret(stranger: ApiClient) -> None:
    config = stranger.get("//config").body.decode()

    assert stranger.backend.settings.secrets not in config
    assert stranger.backend.settings.table not in config
