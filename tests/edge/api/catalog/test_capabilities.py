"""Capabilities of the registry over the API."""

from collections.abc import Callable

import pytest

from chalicelib.edge.api.catalog import capabilities
from chalicelib.edge.api.framework import declared
from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient


@pytest.mark.parametrize("chosen", [False, True])
def test_whether_an_index_may_be_sparse_is_reported(new_app_client: Callable[..., AppClient], chosen: bool) -> None:
    client = ApiClient(new_app_client(sparse_index=chosen))
    document = client.get("/registry/capabilities").json()

    assert document["sparse_manifests"] == {
        "supported": chosen, "required_architectures": [], "optional_architectures_allowed": chosen,
    }  # fmt: skip
    assert document["mirror_architectures"][:4] == ["amd64", "arm64", "ppc64le", "s390x"]
    assert "riscv64" in document["mirror_architectures"]
    assert client.get("//config").json()["features"]["SPARSE_INDEX"] is True


def test_only_addresses_with_a_route_are_returned(stranger: ApiClient) -> None:
    document = stranger.get("//.well-known/app-capabilities").json()

    routed = {name for name, _, _, route in capabilities.ADDRESSES if declared.unnamed(route) in declared.paths()}
    assert document["appName"] == "io.quay"
    assert document["capabilities"].keys() == routed


def test_an_address_appears_with_its_route(stranger: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    here = ("io.quay.error", "rest-api-template", "/api/v1/error/{type}", "/api/v1/error/{anything}")
    monkeypatch.setattr(capabilities, "ADDRESSES", (here,))

    document = stranger.get("//.well-known/app-capabilities").json()

    assert document["capabilities"] == {
        "io.quay.error": {"rest-api-template": "http://registry.test/api/v1/error/{type}"}
    }


def test_a_deprecated_capability_is_marked(stranger: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    here = ("io.quay.image-security", "rest-api-template", "/api/v1/error/{type}", "/api/v1/error/{anything}")
    monkeypatch.setattr(capabilities, "ADDRESSES", (here,))

    document = stranger.get("//.well-known/app-capabilities").json()

    assert document["capabilities"]["io.quay.image-security"]["deprecated"] is True
