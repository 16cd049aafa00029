"""Operations: declared once, and guarded before their view is called."""

from chalicelib.edge.api.concepts import CONCEPTS
from chalicelib.edge.api.framework.operations import TEXT, Operation, or_null, reply_to
from chalicelib.edge.response import Reply
from tests.support.api_client import ApiClient

# Paths outside the API that Quay, its operators or standards define.
OUTSIDE = (
    "/.well-known/", "/_internal_ping", "/config", "/csrf_token", "/exportedlogs/", "/health", "/keys/",
    "/openapi.json", "/status", "/v1/",
)  # fmt: skip
DECLARED: list[Operation] = [operation for concept in CONCEPTS for operation in concept.operations.declared]


def test_every_operation_has_an_id_of_its_own() -> None:
    assert len({operation.id for operation in DECLARED}) == len(DECLARED)


def test_every_operation_has_a_description() -> None:
    assert [operation.id for operation in DECLARED if not operation.about] == []


def test_every_path_begins_as_quays_do_and_ends_without_a_slash() -> None:
    beginnings = ("/api/v1/", "/oauth/", "/oauth2/", *OUTSIDE)
    paths = [operation.path for operation in DECLARED]

    assert [path for path in paths if not path.startswith(beginnings) or path.endswith("/")] == []


def test_every_change_needs_a_csrf_token(stranger: ApiClient) -> None:
    guarded = [one for one in DECLARED if one.method != "GET" and one.path.startswith("/api/") and not one.is_csrf_free]
    refusals = {operation.id: refusal(stranger, operation) for operation in guarded}

    assert len(guarded) > 80
    expected = (403, "CSRF token was invalid or missing.")
    assert {name: refused for name, refused in refusals.items() if refused != expected} == {}


def refusal(stranger: ApiClient, operation: Operation) -> tuple[int, str]:
    """Returns status and error of an operation that is called without a CSRF token."""
    path = operation.path.replace("{", "").replace("}", "")
    answer = stranger.app_client.ask(operation.method, path, {"Content-Type": "application/json"}, b"{}")
    return answer.status, answer.json().get("error", "") if answer.body else ""


def test_a_view_s_result_becomes_a_reply() -> None:
    assert reply_to(None).status_code == 204
    assert reply_to({"a": 1}).body == '{"a":1}'
    assert reply_to([]).body == "[]"
    reply = Reply("x", {}, 202)
    assert reply_to(reply) is reply


def test_null_is_added_to_any_type() -> None:
    assert or_null(TEXT)["type"] == ["string", "null"]
    assert or_null({"type": ["string", "integer"]})["type"] == ["string", "integer", "null"]
