"""HTTP requests become events of payload format 1.0, and answers become HTTP."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.uploads import LARGEST_BODY
from infra.local.events import LARGEST_EVENT, LARGEST_HEADERS, fits, from_answer, headers_size, to_event


def scope(
    method: str = "GET", path: bytes = b"/v2/", query: bytes = b"", *headers: tuple[bytes, bytes]
) -> dict[str, Any]:
    return {
        "method": method,
        "raw_path": path,
        "query_string": query,
        "headers": list(headers),
        "http_version": "1.1",
        "client": ("127.0.0.1", 50000),
    }


def body_of(event: dict[str, Any]) -> bytes:
    text = event["body"] or ""
    return base64.b64decode(text) if event["isBase64Encoded"] else text.encode()


def test_an_event_has_method_path_and_query_of_the_request() -> None:
    event = to_event(scope("PUT", b"/v2/a/b/", b"n=1&last=a%2Fb&n=2&empty=", (b"host", b"x")), b"")

    assert (event["version"], event["httpMethod"], event["path"]) == ("1.0", "PUT", "/v2/a/b/")
    assert event["queryStringParameters"] == {"n": "2", "last": "a/b", "empty": ""}
    assert event["multiValueQueryStringParameters"] == {"n": ["1", "2"], "last": ["a/b"], "empty": [""]}
    assert event["requestContext"]["path"] == "/v2/a/b/"
    assert event["requestContext"]["identity"] == {"sourceIp": "127.0.0.1"}
    assert event["requestContext"]["requestId"] != to_event(scope(), b"")["requestContext"]["requestId"]


@pytest.mark.parametrize(
    ("sent", "handed_over"),
    [
        (b"/v2/a%2Fb/c", "/v2/a/b/c"),
        (b"/v2/a%252Fb/c", "/v2/a%252Fb/c"),
        (b"/v2/a%25252Fb", "/v2/a%25252Fb"),
        (b"/v2/a/blobs/sha256%3Aabc", "/v2/a/blobs/sha256:abc"),
        (b"/v2/a/blobs/sha256%3aabc", "/v2/a/blobs/sha256:abc"),
        (b"/v2/caf%C3%A9%25%C3%A9", "/v2/caf\u00e9%25\u00e9"),
        (b"/v2/a%ffb", "/v2/a\ufffdb"),
        (b"/v2/a%zz%", "/v2/a%zz%"),
        (b"/v2/a+b", "/v2/a+b"),
    ],
)
def test_a_path_is_decoded_once_as_in_an_http_api(sent: bytes, handed_over: str) -> None:
    event = to_event(scope("GET", sent), b"")

    assert event["path"] == event["requestContext"]["path"] == handed_over


def test_missing_parts_are_null_as_in_api_gateway() -> None:
    event = to_event(scope(), b"")

    assert event["body"] is None
    assert event["queryStringParameters"] is None
    assert event["multiValueQueryStringParameters"] is None


def test_an_event_has_all_header_lines_and_the_last_of_each_name() -> None:
    lines = [(b"accept", b"a/b"), (b"x-other", b"1"), (b"accept", b"c/d")]
    event = to_event(scope("GET", b"/", b"", *lines), b"")

    assert event["headers"] == {"accept": "c/d", "x-other": "1"}
    assert event["multiValueHeaders"] == {"accept": ["a/b", "c/d"], "x-other": ["1"]}


def test_hop_by_hop_headers_do_not_reach_the_app() -> None:
    lines = [(b"transfer-encoding", b"chunked"), (b"connection", b"close"), (b"expect", b"100-continue"), (b"te", b"x")]
    event = to_event(scope("PUT", b"/", b"", *lines), b"body")

    assert event["multiValueHeaders"] == {"content-length": ["4"]}


@pytest.mark.parametrize(
    ("content_type", "body", "encoded"),
    [
        (b"application/json", b'{"a": 1}', False),
        (b"text/plain; charset=utf-8", "caf\u00e9".encode(), False),
        (b"text/plain", b"\xff", True),
        (b"application/octet-stream", b"text", True),
        (b"application/vnd.oci.image.manifest.v1+json", b"{}", True),
        (b"", b"text", True),
    ],
)
def test_only_a_body_with_a_text_type_is_sent_as_text(content_type: bytes, body: bytes, encoded: bool) -> None:
    event = to_event(scope("PUT", b"/", b"", (b"content-type", content_type)), body)

    assert event["isBase64Encoded"] is encoded
    assert body_of(event) == body


@settings(max_examples=50, deadline=None, database=None)
@given(st.binary(max_size=50), st.sampled_from([b"text/plain", b"application/json", b"x/y"]))
def test_any_body_reaches_the_app_byte_by_byte_within_an_event_of_json(body: bytes, content_type: bytes) -> None:
    event = to_event(scope("PUT", b"/", b"", (b"content-type", content_type)), body)

    assert body_of(json.loads(json.dumps(event))) == body


def test_the_largest_body_of_the_app_fits_an_event_with_the_largest_headers() -> None:
    header = (b"x", b"\xff" * (LARGEST_HEADERS - 100))
    event = to_event(scope("PUT", b"/", b"", header), bytes(LARGEST_BODY))

    assert headers_size(scope("PUT", b"/", b"", header)) < LARGEST_HEADERS
    assert fits(event)
    assert len(json.dumps(event, ensure_ascii=False).encode()) < LARGEST_EVENT


def test_an_event_above_lambdas_limit_does_not_fit() -> None:
    assert not fits(to_event(scope("PUT"), bytes(5 * 1024 * 1024)))


def test_request_line_and_headers_are_counted_in_bytes() -> None:
    sent = b"GET /v2/?n=1 HTTP/1.1\r\nhost: x\r\naccept: a/b\r\n"

    assert abs(headers_size(scope("GET", b"/v2/", b"n=1", (b"host", b"x"), (b"accept", b"a/b"))) - len(sent)) <= 2


def test_an_answer_may_have_text_or_bytes() -> None:
    text = from_answer({"statusCode": 200, "headers": {"X-Y": "z"}, "body": "caf\u00e9"}, "GET")
    data = from_answer({"statusCode": 200, "body": base64.b64encode(b"\xff").decode(), "isBase64Encoded": True}, "GET")

    assert text == (200, [(b"x-y", b"z"), (b"content-length", b"5")], "caf\u00e9".encode())
    assert data == (200, [(b"content-length", b"1")], b"\xff")


def test_head_has_the_length_of_the_dropped_body() -> None:
    answer = {"statusCode": 200, "headers": {"Content-Length": "999"}, "body": " " * 10}

    assert from_answer(answer, "HEAD") == (200, [(b"content-length", b"10")], b"")


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body_have_no_length(status: int) -> None:
    assert from_answer({"statusCode": status, "headers": {}, "body": "x"}, "GET") == (status, [], b"")


def test_headers_of_several_values_become_several_lines() -> None:
    answer = {"statusCode": 201, "headers": {"A": "1"}, "multiValueHeaders": {"OCI-Tag": ["a", "b"]}, "body": ""}
    _, headers, _ = from_answer(answer, "PUT")

    assert headers == [(b"a", b"1"), (b"oci-tag", b"a"), (b"oci-tag", b"b"), (b"content-length", b"0")]
