"""The line that the log has of each request says who did what and how it ended, and holds no secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.telemetry import logger
from tests.support.app_client import AppClient, basic

Log = list[dict[str, Any]]
MANIFEST = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
INDEX = {"Content-Type": "application/vnd.oci.image.index.v1+json"}


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    """Returns the lines that are written from now on."""
    lines: Log = []
    monkeypatch.setattr(logger, "info", lambda message, **facts: lines.append({"message": message, **facts}))
    return lines


def test_a_push_is_one_line_with_what_an_operator_asks_for(app_client: AppClient, log: Log) -> None:
    app_client.ask("POST", "/v2/admin/app/blobs/uploads/", app_client.token("admin/app"))
    log.clear()

    app_client.ask("PUT", "/v2/admin/app/manifests/v1", app_client.token("admin/app") | INDEX, MANIFEST)

    (line,) = log
    assert line.pop("request_id") is not None
    assert line.pop("ms") >= 0
    assert line.pop("aws_calls") > 0
    assert line == {
        "message": "request",
        "operation": "PUT /v2/{repository}/manifests/{reference}",
        "repository": "admin/app",
        "actor": "admin",
        "address": "127.0.0.9",
        "bytes_in": len(MANIFEST),
        "status": 201,
        "bytes_out": 0,
    }


def test_the_calls_of_aws_are_those_that_were_made(app_client: AppClient, log: Log) -> None:
    headers = app_client.token("admin/app")
    app_client.backend.calls.take()

    app_client.ask("POST", "/v2/admin/app/blobs/uploads/?digest=" + str(Digest.of(b"x")), headers, b"x")

    assert log[-1]["aws_calls"] == len(app_client.backend.calls.take()) > 0


def test_a_refusal_has_the_code_that_the_client_got(app_client: AppClient, log: Log) -> None:
    app_client.ask("GET", "/v2/admin/none/manifests/v1", app_client.token("admin/none"))

    assert (log[-1]["status"], log[-1]["error"]) == (404, "NAME_UNKNOWN")


def test_a_refusal_over_the_api_has_the_reason_that_its_caller_does_not_get(app_client: AppClient, log: Log) -> None:
    answer = app_client.ask("GET", "/api/v1/repository/admin/none/tag/", {"Authorization": "Bearer none"})

    assert log[-1]["error"] == answer.json()["error_type"]
    assert log[-1]["why"]


def test_a_sign_in_says_who_it_was_and_what_was_granted(app_client: AppClient, log: Log) -> None:
    app_client.ask("GET", "/v2/auth?scope=repository:admin/app:pull,push", basic("admin", "password"))

    assert (log[-1]["actor"], log[-1]["granted"]) == ("admin", ["admin/app:pull,push"])


def test_a_wrong_password_names_nobody(app_client: AppClient, log: Log) -> None:
    """People type a password where the name belongs."""
    app_client.ask("GET", "/v2/auth", basic("my-password", "secret"))

    assert log[-1].get("actor", "") == ""
    assert "my-password" not in json.dumps(log)


def test_a_path_that_nobody_serves_is_not_in_its_line(app_client: AppClient, log: Log) -> None:
    app_client.ask("GET", "/none/of/these")

    assert (log[-1]["operation"], log[-1]["status"]) == ("GET unknown", 404)


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.ask("GET", "/v2/auth?password=SECRET", basic("admin", "SECRET")),
        lambda client: client.ask("GET", "/v2/", {"Authorization": "Bearer SECRET"}),
        lambda client: client.ask("GET", "/v2/", {"Authorization": "SECRET SECRET"}),
        lambda client: client.ask("GET", "/api/v1/user/", {"Authorization": "Bearer SECRET"}),
        lambda client: client.ask("GET", "/api/v1/user/", {"Cookie": "session=SECRET"}),
        lambda client: client.ask("PATCH", "/v2/admin/app/blobs/uploads/SECRET", client.token("admin/app"), b"x"),
        lambda client: client.ask("GET", "/v2/admin/app/blobs/uploads/SECRET/none/at/all"),
        lambda client: client.ask("GET", "/content/9.SECRET/sha256:ab/key/none"),
        lambda client: client.ask("GET", "/exportedlogs/SECRET"),
        lambda client: client.ask("POST", "/api/v1/signin", INDEX, b'{"username": "admin", "password": "SECRET"}'),
        lambda client: client.ask("POST", "/oauth/access_token?code=SECRET&client_secret=SECRET"),
    ],
)
def test_no_secret_is_in_a_line(app_client: AppClient, log: Log, ask: Callable[[AppClient], Any]) -> None:
    ask(app_client)

    assert log
    assert "SECRET" not in json.dumps(log, default=str)
