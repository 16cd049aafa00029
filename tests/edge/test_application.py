"""The application: what chalice lacks for a registry, over an app of a few views."""

from __future__ import annotations

import json
import logging
import re
from threading import Barrier, Thread
from typing import Any

import pytest
from chalice.app import Blueprint

from app import app as real
from chalicelib.domain.errors import BlobUnknown, SettingInvalid
from chalicelib.edge.application import RegistryApp
from chalicelib.edge.response import Reply, as_json
from tests.support.app_client import AppClient

app = RegistryApp("small")
meeting = Barrier(2, timeout=10)


@app.route("/things/{repository}/end", methods=["GET", "PUT"])
def show(repository: str) -> Reply:
    """Returns the request as the view sees it."""
    request = app.current_request
    assert request
    body = request.raw_body
    text = body.decode() if isinstance(body, bytes) else body
    return as_json({"repository": repository, "headers": dict(request.headers), "body": text})


@app.route("/meet/{name}", methods=["GET"])
def meet(name: str) -> Reply:
    """Waits for the other request."""
    meeting.wait()
    assert app.current_request
    return as_json([name, app.current_request.query_params["name"]])


@app.route("/v2/refused", methods=["GET"])
def refused() -> Reply:
    """Raises a domain error."""
    raise BlobUnknown("a/b", "sha256:0")


@app.route("/v2/broken", methods=["GET"])
def broken() -> Reply:
    """Raises an exception that is not a domain error."""
    raise KeyError("a secret of the backend")


@app.route("/v2/misconfigured", methods=["GET"])
def misconfigured() -> Reply:
    """Reads a wrong setting."""
    raise SettingInvalid("CLOUDBERTH_PULL_LOG", "'none' is none of hourly, all")


def ask(method: str, target: str, headers: Any = None, body: bytes = b"") -> tuple[dict[str, Any], Any]:
    answer = app(AppClient.event(method, target, headers, body), None)
    return answer, json.loads(answer["body"])


def test_a_repository_spans_slashes() -> None:
    answer, document = ask("GET", "/things/a/b/c/end")

    assert answer["statusCode"] == 200
    assert document["repository"] == "a/b/c"


def test_a_slash_at_the_end_changes_nothing() -> None:
    assert ask("GET", "/things/a/end/") == ask("GET", "/things/a/end")


def test_header_lines_of_one_name_are_joined() -> None:
    """docker sends an Accept line for each type; `headers` of payload 1.0 has only the last one."""
    lines = [("Accept", "a/b"), ("Accept", "c/d;q=0.5"), ("X-One", "1"), ("ACCEPT", "*/*")]
    _, document = ask("GET", "/things/a/end", lines)

    assert document["headers"]["accept"] == "a/b, c/d;q=0.5, */*"
    assert document["headers"]["x-one"] == "1"


def test_cookies_on_several_lines_are_joined_as_cookies() -> None:
    _, document = ask("GET", "/things/a/end", [("Cookie", "a=1; b=2"), ("Host", "x"), ("Cookie", "c=3")])

    assert document["headers"]["cookie"] == "a=1; b=2; c=3"


def test_an_event_without_multi_value_headers_is_understood() -> None:
    event = AppClient.event("GET", "/things/a/end", {"Accept": "a/b"}) | {"multiValueHeaders": None}

    assert json.loads(app(event, None)["body"])["headers"]["accept"] == "a/b"


@pytest.mark.parametrize("content_type", ["application/vnd.oci.image.manifest.v1+json", "text/html", "x", ""])
def test_any_content_type_is_accepted(content_type: str) -> None:
    answer, document = ask("PUT", "/things/a/end", {"Content-Type": content_type}, b'{"a": 1}')

    assert answer["statusCode"] == 200
    assert document["body"] == '{"a": 1}'


@pytest.mark.parametrize("accept", [None, "text/html", "image/png", ""])
def test_the_accept_header_never_causes_a_refusal(accept: str | None) -> None:
    assert ask("GET", "/things/a/end", {"Accept": accept} if accept is not None else {})[0]["statusCode"] == 200


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "HEAD", "OPTIONS", "BREW"])
def test_an_unknown_path_under_v2_is_404_in_oci_s_form(method: str) -> None:
    answer, document = ask(method, "/v2/nowhere/at/all")

    assert answer["statusCode"] == 404
    assert document["errors"][0]["code"] == "UNSUPPORTED"


def test_an_unknown_path_outside_v2_is_404_in_quay_s_form() -> None:
    answer, document = ask("GET", "/nowhere")

    assert (answer["statusCode"], document["status"], document["error_type"]) == (404, 404, "not_found")


@pytest.mark.parametrize("method", ["POST", "DELETE", "HEAD", "OPTIONS", "BREW"])
def test_an_unsupported_method_under_v2_is_405_with_the_supported_ones(method: str) -> None:
    answer, document = ask(method, "/v2/refused")

    assert answer["statusCode"] == 405
    assert answer["headers"]["Allow"] == "GET"
    assert document["errors"][0]["detail"] == {"allowed": ["GET"]}


def test_an_unsupported_method_outside_v2_is_405_in_quay_s_form() -> None:
    answer, document = ask("DELETE", "/things/a/end")

    assert (answer["statusCode"], answer["headers"]["Allow"]) == (405, "GET, PUT")
    assert list(document) == ["message"]


def test_a_domain_error_becomes_its_reply() -> None:
    answer, document = ask("GET", "/v2/refused")

    assert answer["statusCode"] == 404
    assert document["errors"] == [
        {
            "code": "BLOB_UNKNOWN",
            "message": "no blob sha256:0 in a/b",
            "detail": {"name": "a/b", "digest": "sha256:0"},
        }
    ]


def test_a_bug_is_a_plain_500_and_logged_once_with_the_request(caplog: pytest.LogCaptureFixture) -> None:
    event = AppClient.event("GET", "/v2/broken")
    with caplog.at_level(logging.INFO):
        answer = app(event, None)

    assert answer["statusCode"] == 500
    assert "secret" not in answer["body"]
    assert json.loads(answer["body"])["errors"][0]["code"] == "UNKNOWN"
    (record,) = [record for record in caplog.records if record.exc_info]
    assert vars(record)["request_id"] == event["requestContext"]["requestId"]
    assert vars(record)["path"] == "/v2/broken"


def test_a_wrong_setting_is_503_to_strangers_and_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    answer, document = ask("GET", "/v2/misconfigured")

    assert answer["statusCode"] == 503
    assert "CLOUDBERTH" not in answer["body"]
    assert document["errors"][0]["code"] == "UNAVAILABLE"
    (record,) = [record for record in caplog.records if record.message == "setting invalid"]
    assert vars(record)["setting"] == "CLOUDBERTH_PULL_LOG"


def test_concurrent_requests_do_not_see_each_other() -> None:
    seen: dict[str, Any] = {}
    threads = [
        Thread(target=lambda name=name: seen.update({name: ask("GET", f"/meet/{name}?name={name}")[1]}))
        for name in ("first", "second")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == {"first": ["first", "first"], "second": ["second", "second"]}


def test_late_blueprints_are_loaded_once_by_the_first_request_to_them() -> None:
    late, loads = RegistryApp("late"), []
    late.route("/v2/here", methods=["GET"])(refused)
    there = Blueprint("there")
    there.route("/there", methods=["GET"])(refused)

    def load() -> list[Blueprint]:
        loads.append(1)
        return [there]

    late.register_late(load)

    assert late(AppClient.event("GET", "/v2/here"), None)["statusCode"] == 404
    assert loads == []
    both = [Thread(target=late, args=(AppClient.event("GET", "/there"), None)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert json.loads(late(AppClient.event("GET", "/there"), None)["body"])["error_type"] == "not_found"
    assert loads == [1]
    assert late(AppClient.event("GET", "/v2/here"), None)["statusCode"] == 404


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


@pytest.mark.parametrize("pattern", [*(one for one in real.routes if one.startswith("/")), "/v2/none", "/none", "/"])
@pytest.mark.parametrize("method", METHODS)
def test_no_browser_runs_or_guesses_any_answer(app_client: AppClient, pattern: str, method: str) -> None:
    digest = f"sha256:{'0' * 64}"
    path = re.sub(r"{(\w+)}", lambda found: {"repository": "a/b", "digest": digest}.get(found[1], "x"), pattern)

    for headers in ({}, app_client.token("a/b"), {"Authorization": "Bearer x"}):
        answer = app_client.ask(method, path, headers)

        assert answer.headers["content-security-policy"].startswith("default-src 'none'; ")
        assert not path.startswith("/v2") or answer.headers["content-security-policy"].endswith("; sandbox")
        assert answer.headers["x-content-type-options"] == "nosniff"
