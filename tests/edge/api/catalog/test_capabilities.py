"""What the registry says that it can do."""

import pytest

from chalicelib.edge.api.catalog import capabilities
from chalicelib.edge.api.framework import declared
from tests.support.api_client import ApiClient


def test_indexes_have_all_that_they_name(stranger: ApiClient) -> None:
    told = stranger.get("/registry/capabilities").json()

    assert told["sparse_manifests"] == {
        "supported": False, "required_architectures": [], "optional_architectures_allowed": False,
    }  # fmt: skip
    assert told["mirror_architectures"] == ["amd64", "arm64", "ppc64le", "s390x"]


def test_programs_are_told_of_the_addresses_that_lead_somewhere(stranger: ApiClient) -> None:
    told = stranger.get("//.well-known/app-capabilities").json()

    routed = {name for name, _, _, route in capabilities.ADDRESSES if declared.unnamed(route) in declared.paths()}
    assert told["appName"] == "io.quay"
    assert told["capabilities"].keys() == routed


def test_an_address_appears_with_its_route(stranger: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    here = ("io.quay.error", "rest-api-template", "/api/v1/error/{type}", "/api/v1/error/{anything}")
    monkeypatch.setattr(capabilities, "ADDRESSES", (here,))

    told = stranger.get("//.well-known/app-capabilities").json()

    assert told["capabilities"] == {"io.quay.error": {"rest-api-template": "http://registry.test/api/v1/error/{type}"}}


def test_what_quay_gave_up_is_told_as_such(stranger: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    here = ("io.quay.image-security", "rest-api-template", "/api/v1/error/{type}", "/api/v1/error/{anything}")
    monkeypatch.setattr(capabilities, "ADDRESSES", (here,))

    told = stranger.get("//.well-known/app-capabilities").json()

    assert told["capabilities"]["io.quay.image-security"]["deprecated"] is True
