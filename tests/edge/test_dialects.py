"""The dialect of a reply, by the requested path."""

import pytest

from tests.support.app_client import AppClient


@pytest.mark.parametrize("path", ["/v2/nothing/here", "/v2/a/b/unknown"])
def test_errors_under_v2_are_in_oci_s_dialect(app_client: AppClient, path: str) -> None:
    answer = app_client.ask("GET", path)

    assert answer.status == 404
    assert answer.code == "UNSUPPORTED"


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v2/x", "/nothing", "/v2x"])
def test_errors_elsewhere_are_in_quay_s_dialect(app_client: AppClient, path: str) -> None:
    answer = app_client.ask("GET", path)

    assert answer.status == 404
    assert answer.json()["error_type"] == "not_found"
    assert answer.json()["detail"] == "Not Found"


def test_an_unsupported_method_is_refused_with_the_supported_ones(app_client: AppClient) -> None:
    answer = app_client.ask("PATCH", "/api/v1/user/")

    assert answer.status == 405
    assert answer.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, POST, PUT"


def test_a_preflight_of_another_origin_is_answered(app_client: AppClient) -> None:
    answer = app_client.ask("OPTIONS", "/api/v1/user/", {"Origin": "https://elsewhere.example.com"})

    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    assert answer.body == b""


def test_a_script_of_another_origin_may_read_answers_of_the_api_only(app_client: AppClient) -> None:
    assert app_client.ask("GET", "/api/v1/user/").headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in app_client.ask("GET", "/csrf_token").headers
