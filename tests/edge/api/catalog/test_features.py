"""`/config` tells the truth about what is on."""

from collections.abc import Callable

import pytest

from chalicelib import __version__
from chalicelib.edge.api.catalog import features
from chalicelib.edge.api.framework import declared
from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient


def test_whoever_asks_is_told_where_the_registry_is_and_what_it_does(stranger: ApiClient) -> None:
    told = stranger.get("//config").json()

    assert (told["config"]["SERVER_HOSTNAME"], told["config"]["PREFERRED_URL_SCHEME"]) == ("registry.test", "http")
    assert told["config"]["TAG_EXPIRATION_OPTIONS"] == ["0s", "1d", "1w", "2w", "4w"]
    assert (told["registry_state"], told["external_login"], told["account_recovery_mode"]) == ("normal", [], False)
    assert told["features"]["SUPER_USERS"] is True
    assert told["features"]["BILLING"] is told["features"]["BUILD_SUPPORT"] is told["features"]["MAILING"] is False


def test_whoever_asks_is_told_the_version(stranger: ApiClient) -> None:
    assert stranger.get("//config").json()["version_number"] == __version__


def test_a_feature_is_on_where_its_route_is(stranger: ApiClient) -> None:
    told = stranger.get("//config").json()["features"]

    assert told["EXPORT_ACTION_LOGS"] is ("/api/v1/user/exportlogs" in declared.paths())
    assert told["EXPORT_ACTION_LOGS"] is True


def test_a_feature_without_its_route_is_off(stranger: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "FEATURES", {"FLYING": "/api/v1/fly"})

    assert stranger.get("//config").json()["features"]["FLYING"] is False


def test_full_access_of_superusers_is_told(new_app_client: Callable[..., AppClient]) -> None:
    for chosen in (True, False):
        api_client = ApiClient(new_app_client(superusers_full_access=chosen))

        assert api_client.get("//config").json()["features"]["SUPERUSERS_FULL_ACCESS"] is chosen


def test_nothing_secret_is_told(stranger: ApiClient) -> None:
    told = stranger.get("//config").body.decode()

    assert stranger.backend.settings.secrets not in told
    assert stranger.backend.settings.table not in told
