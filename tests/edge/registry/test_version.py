"""`GET /v2/`."""

from collections.abc import Callable

import pytest

from tests.support.app_client import AppClient


@pytest.mark.parametrize("path", ["/v2/", "/v2"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_request_without_a_token_is_challenged(app_client: AppClient, method: str, path: str) -> None:
    answer = app_client.ask(method, path)

    assert answer.status == 401
    assert answer.headers["www-authenticate"] == ('Bearer realm="http://registry.test/v2/auth",service="registry.test"')
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0"
    assert (answer.body == b"") is (method == "HEAD")


def test_a_valid_token_is_accepted_without_a_call(app_client: AppClient) -> None:
    token = app_client.token()
    app_client.ask("GET", "/v2/", token)
    app_client.backend.calls.take()
    answer = app_client.ask("GET", "/v2/", token)

    assert (answer.status, answer.body) == (200, b"{}")
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0"
    assert app_client.backend.calls.take() == []


@pytest.mark.parametrize("chosen", ["true", "false"])
def test_whether_an_index_may_be_sparse_is_said(new_app_client: Callable[..., AppClient], chosen: str) -> None:
    client = new_app_client(sparse_index=chosen == "true")

    assert client.ask("GET", "/v2/", client.token()).headers["x-sparse-manifest-support"] == chosen


def test_an_invalid_token_is_reported_as_such(app_client: AppClient) -> None:
    answer = app_client.ask("GET", "/v2/", {"Authorization": "Bearer x"})

    assert answer.status == 401
    assert answer.headers["www-authenticate"].endswith(',error="invalid_token"')
