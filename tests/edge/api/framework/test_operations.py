"""Operations: declared once, guarded before their view is called."""

from chalicelib.edge.api.concepts import CONCEPTS
from chalicelib.edge.api.framework.operations import TEXT, Operation, answered, or_null
from chalicelib.edge.response import Reply
from tests.support.api_client import ApiClient

# What Quay, and whoever looks after it, has at addresses of their own.
OUTSIDE = (
    "/.well-known/", "/_internal_ping", "/config", "/csrf_token", "/exportedlogs/", "/health", "/keys/",
    "/openapi.json", "/status", "/v1/",
)  # fmt: skip
DECLARED: list[Operation] = [operation for concept in CONCEPTS for operation in concept.operations.declared]


def test_every_operation_has_an_id_of_its_own() -> None:
    assert len({operation.id for operation in DECLARED}) == len(DECLARED)


def test_every_operation_says_what_it_does() -> None:
    assert [operation.id for operation in DECLARED if not operation.about] == []


def test_every_path_begins_as_quays_do_and_ends_without_a_slash() -> None:
    beginnings = ("/api/v1/", "/oauth/", "/oauth2/", *OUTSIDE)
    paths = [operation.path for operation in DECLARED]

    assert [path for path in paths if not path.startswith(beginnings) or path.endswith("/")] == []


def test_no_change_passes_without_a_csrf_token(stranger: ApiClient) -> None:
    guarded = [one for one in DECLARED if one.method != "GET" and one.path.startswith("/api/") and not one.is_csrf_free]
    refusals = {operation.id: refusal(stranger, operation) for operation in guarded}

    assert len(guarded) > 80
    expected = (403, "CSRF token was invalid or missing.")
    assert {name: refused for name, refused in refusals.items() if refused != expected} == {}


def refusal(stranger: ApiClient, operation: Operation) -> tuple[int, str]:
    """Status and error of an operation that is asked for without a CSRF token."""
    path = operation.path.replace("{", "").replace("}", "")
    answer = stranger.app_client.ask(operation.method, path, {"Content-Type": "application/json"}, b"{}")
    return answer.status, answer.json().get("error", "") if answer.body else ""


def test_what_a_view_gives_back_becomes_an_answer() -> None:
    assert answered(None).status_code == 204
    assert answered({"a": 1}).body == '{"a":1}'
    assert answered([]).body == "[]"
    reply = Reply("x", {}, 202)
    assert answered(reply) is reply


def test_null_may_stand_beside_any_kind() -> None:
    assert or_null(TEXT)["type"] == ["string", "null"]
    assert or_null({"type": ["string", "integer"]})["type"] == ["string", "integer", "null"]
