"""The documents of the API."""

from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV2SpecValidator, OpenAPIV31SpecValidator

from chalicelib.edge.api.framework import declared
from tests.support.api_client import ApiClient

INTERNAL = ["", "?internal=true"]


def operations_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    operations = [one for path in document["paths"].values() for one in path.values() if isinstance(one, dict)]
    return {one["operationId"]: one for one in operations}


@pytest.mark.parametrize("query", INTERNAL)
def test_discovery_is_valid_swagger(stranger: ApiClient, query: str) -> None:
    answer = stranger.get("/discovery" + query)

    assert answer.status == 200
    OpenAPIV2SpecValidator(answer.json()).validate()


@pytest.mark.parametrize("query", INTERNAL)
def test_the_openapi_document_is_valid(stranger: ApiClient, query: str) -> None:
    answer = stranger.get("//openapi.json" + query)

    assert answer.status == 200
    OpenAPIV31SpecValidator(answer.json()).validate()


@pytest.mark.parametrize("path", ["/discovery", "//openapi.json"])
def test_every_operation_is_listed_and_internal_ones_only_on_demand(stranger: ApiClient, path: str) -> None:
    every = {one.id for one in declared.operations()}
    public = {one.id for one in declared.operations() if not one.is_internal}

    assert set(operations_of(stranger.get(path).json())) == public
    assert set(operations_of(stranger.get(path + "?internal=true").json())) == every
    assert public < every


def test_discovery_has_the_keys_of_quay(stranger: ApiClient) -> None:
    document = stranger.get("/discovery").json()
    path = document["paths"]["/api/v1/user/"]

    assert (document["host"], document["schemes"]) == ("registry.test", ["http"])
    assert document["basePath"] == "/"
    assert document["securityDefinitions"]["oauth2_implicit"]["flow"] == "implicit"
    assert document["securityDefinitions"]["oauth2_implicit"]["authorizationUrl"].endswith("/oauth/authorize")
    assert "repo:read" in document["securityDefinitions"]["oauth2_implicit"]["scopes"]
    assert (path["x-path"], path["x-tag"], path["get"]["tags"]) == ("/api/v1/user/", "user", ["user"])
    assert path["get"]["security"] == [{"oauth2_implicit": ["user:read"]}]
    assert path["get"]["responses"]["401"]["schema"] == {"$ref": "#/definitions/ApiError"}
    assert [tag["name"] for tag in document["tags"]] == sorted(tag["name"] for tag in document["tags"])


def test_pages_of_other_origins_may_read_the_documents(stranger: ApiClient) -> None:
    for path in ("/discovery", "//openapi.json"):
        assert stranger.get(path, Origin="https://elsewhere.example.com").headers["access-control-allow-origin"] == "*"


def test_the_documents_need_no_authentication(stranger: ApiClient) -> None:
    assert stranger.app_client.ask("GET", "/api/v1/discovery/").status == 200
