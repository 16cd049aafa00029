"""The OpenAPI 3.1 document of declared operations."""

from typing import Any

from chalicelib.edge.api.framework.openapi import SHAPES, document
from chalicelib.edge.api.framework.operations import (
    NUMBER,
    TEXT,
    Operation,
    Parameter,
    a_list,
    a_page,
    an_object,
    or_null,
)

PIN = an_object({"name": TEXT}, note=or_null(TEXT))
NEW = an_object({"name": TEXT})
PINS = "/api/v1/repository/{repository}/pins"
URL = "https://registry.example.com"
LIST = Operation(
    "GET",
    PINS,
    "listPins",
    "pins",
    "The pins.\n\nNewest first.",
    scope="repo:read",
    parameters=(
        Parameter("limit", "integer", "How many"),
        Parameter("order", "string", "By what", required=True, words=("name", "date")),
    ),
    answers={200: an_object({"pins": a_list(PIN), "first": PIN, "count": NUMBER})},
    slash=True,
)
CREATE = Operation(
    "POST",
    PINS,
    "createPin",
    "pins",
    "Makes a pin.",
    scope="repo:write",
    body=NEW,
    answers={201: PIN},
    errors=(409,),
    is_fresh=True,
    slash=True,
)
SHOW = Operation("GET", "/pins", "showPins", "pages", "A page.", answers={200: a_page(), 302: None}, is_internal=True)
SEND = Operation("POST", "/pins", "sendPins", "pages", "A form.", form=NEW, answers={204: None}, is_csrf_free=True)


def openapi_of(*operations: Operation) -> dict[str, Any]:
    return document(operations, {"Pin": PIN, "NewPin": NEW}, {"pins": "Pins.", "pages": "Pages."}, URL)


def test_a_path_is_written_as_in_quay_with_its_parameters() -> None:
    one = openapi_of(LIST)["paths"][PINS + "/"]["get"]
    place, limit, order = one["parameters"]

    assert (one["operationId"], one["summary"], one["description"]) == ("listPins", "The pins.", "Newest first.")
    assert (place["name"], place["in"], place["required"]) == ("repository", "path", True)
    assert (limit["in"], limit["required"], limit["schema"]) == ("query", False, {"type": "integer"})
    assert (order["required"], order["schema"]["enum"]) == (True, ["name", "date"])


def test_a_named_schema_is_defined_once() -> None:
    whole = openapi_of(LIST, CREATE)
    schema = whole["paths"][PINS + "/"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]

    assert schema["properties"]["pins"]["items"] == {"$ref": "#/components/schemas/Pin"}
    assert schema["properties"]["first"] == {"$ref": "#/components/schemas/Pin"}
    assert whole["components"]["schemas"]["Pin"] == PIN
    assert set(whole["components"]["schemas"]) == {"Pin", "NewPin", *SHAPES}


def test_a_scope_takes_a_token_or_a_session_with_a_csrf_token_for_changes() -> None:
    path = openapi_of(LIST, CREATE)["paths"][PINS + "/"]

    assert path["get"]["security"] == [{"bearer": ["repo:read"]}, {"oauth2": ["repo:read"]}, {"session": []}]
    assert path["post"]["security"][2] == {"session": [], "csrf": []}
    assert path["post"]["x-requires-fresh-login"] is True


def test_an_open_operation_needs_no_security() -> None:
    path = openapi_of(SHOW, SEND)["paths"]["/pins"]

    assert path["get"]["security"] == path["post"]["security"] == []
    assert path["get"]["x-internal"] is True


def test_an_operation_lists_the_errors_that_it_may_answer() -> None:
    responses = openapi_of(CREATE)["paths"][PINS + "/"]["post"]["responses"]

    assert set(responses) == {"201", "400", "401", "403", "404", "409", "413", "415"}
    assert responses["409"] == {"$ref": "#/components/responses/Error409"}


def test_the_shapes_of_errors_are_defined_once_and_have_no_other_keys() -> None:
    components = openapi_of(CREATE)["components"]
    schemas = {
        name: response["content"]["application/json"]["schema"] for name, response in components["responses"].items()
    }

    assert schemas["Error409"] == schemas["Error401"] == {"$ref": "#/components/schemas/ApiError"}
    assert schemas["Error415"] == {"$ref": "#/components/schemas/ApiMessage"}
    assert {"$ref": "#/components/schemas/ApiMessage"} in schemas["Error400"]["anyOf"]
    assert "error_type" in components["schemas"]["ApiError"]["required"]
    assert not any(components["schemas"][name]["additionalProperties"] for name in SHAPES)


def test_pages_and_forms_have_their_media_types() -> None:
    path = openapi_of(SHOW, SEND)["paths"]["/pins"]

    assert list(path["get"]["responses"]["200"]["content"]) == ["text/html"]
    assert "content" not in path["get"]["responses"]["302"]
    assert list(path["post"]["requestBody"]["content"]) == ["application/x-www-form-urlencoded"]


def test_the_cookie_s_name_depends_on_https() -> None:
    schemes = openapi_of(LIST)["components"]["securitySchemes"]

    assert schemes["session"]["name"] == "__Host-session"
    assert schemes["oauth2"]["flows"]["authorizationCode"]["tokenUrl"] == URL + "/oauth/access_token"


def test_only_tags_in_use_are_listed() -> None:
    assert openapi_of(LIST)["tags"] == [{"name": "pins", "description": "Pins."}]
