"""Which words an answer has, by the path that was asked."""

import pytest

from tests.support.app_client import AppClient


@pytest.mark.parametrize("path", ["/v2/nothing/here", "/v2/a/b/unknown"])
def test_the_registry_answers_in_ocis_words(app_client: AppClient, path: str) -> None:
    answer = app_client.ask("GET", path)

    assert answer.status == 404
    assert answer.code == "UNSUPPORTED"


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v2/x", "/nothing", "/v2x"])
def test_everything_else_answers_in_quays(app_client: AppClient, path: str) -> None:
    answer = app_client.ask("GET", path)

    assert answer.status == 404
    assert answer.json()["error_type"] == "not_found"
    assert answer.json()["message"] == "Not Found"


def test_a_method_that_a_path_does_not_have_is_told_with_those_it_has(app_client: AppClient) -> None:
    answer = app_client.ask("PATCH", "/api/v1/user/")

    assert answer.status == 405
    assert answer.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, POST, PUT"


def test_a_script_of_another_origin_may_ask_what_it_may(app_client: AppClient) -> None:
    answer = app_client.ask("OPTIONS", "/api/v1/user/", {"Origin": "https://elsewhere.example.com"})

    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    assert answer.body == b""


def test_a_script_of_another_origin_may_read_what_the_api_answers_and_nothing_beside_it(app_client: AppClient) -> None:
    assert app_client.ask("GET", "/api/v1/user/").headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in app_client.ask("GET", "/csrf_token").headers
