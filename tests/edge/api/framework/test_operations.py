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


@pytest.mark.parametrize("operation", DECLARED, ids=lambda operation: operation.id)
def test_every_operation_has_a_description_and_answers(operation: Operation) -> None:
    assert operation.about
    assert operation.path.startswith(("/api/v1/", "/oauth/", "/oauth2/", *OUTSIDE))
    assert not operation.path.endswith("/")


@pytest.mark.parametrize(
    "operation",
    [one for one in DECLARED if one.method != "GET" and one.path.startswith("/api/") and not one.is_csrf_free],
    ids=lambda operation: operation.id,
)
def test_every_change_needs_a_csrf_token(stranger: ApiClient, operation: Operation) -> None:
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
