"""Replies: raw bytes, JSON, and links to the next page."""

import base64
import json

import pytest

from chalicelib.edge.response import Reply, as_json, challenged, empty, next_link
from tests.support.stack import ROOT


@pytest.mark.parametrize("content_type", ["application/json", "application/octet-stream", "text/plain", "a/b+json"])
def test_bytes_are_base64_encoded_whatever_their_type(content_type: str) -> None:
    body = b'{"caf\xc3\xa9": "\xff"}'
    answer = Reply(body, {"Content-Type": content_type}).to_dict([])

    assert answer["isBase64Encoded"]
    assert base64.b64decode(answer["body"]) == body
    assert answer["headers"] == {"Content-Type": content_type}


def test_text_is_sent_as_text() -> None:
    answer = Reply("caf\u00e9", {"Content-Type": "text/plain"}, 201).to_dict([])

    assert answer["body"] == "caf\u00e9"
    assert answer["statusCode"] == 201
    assert not answer.get("isBase64Encoded")


def test_an_empty_reply_has_status_and_headers_only() -> None:
    answer = empty(204, {"Range": "0-0"}).to_dict()

    assert (answer["statusCode"], answer["body"], answer["headers"]) == (204, "", {"Range": "0-0"})


def test_a_header_of_several_values_becomes_several_lines() -> None:
    answer = empty(201, {"OCI-Tag": ["a", "b"]}).to_dict()

    assert answer["multiValueHeaders"] == {"OCI-Tag": ["a", "b"]}
    assert "OCI-Tag" not in answer["headers"]


def test_json_has_its_type_and_keeps_text_readable() -> None:
    reply = as_json({"name": "caf\u00e9"}, 400, {"X": "y"})

    assert reply.to_dict()["body"] == '{"name":"caf\u00e9"}'
    assert reply.headers == {"Content-Type": "application/json", "X": "y"}
    assert reply.status_code == 400


def test_json_may_have_another_content_type() -> None:
    assert as_json({}, headers={"Content-Type": "application/vnd.oci.image.index.v1+json"}).headers == {
        "Content-Type": "application/vnd.oci.image.index.v1+json"
    }


def test_the_link_to_the_next_page_has_its_parameters_escaped() -> None:
    assert next_link("/v2/a/tags/list", {"last": 'v1>,"&', "n": 5}) == {
        "Link": '</v2/a/tags/list?last=v1%3E%2C%22%26&n=5>; rel="next"'
    }


def test_every_reply_can_be_serialized_for_lambda() -> None:
    for reply in (empty(202, {}), as_json([1]), Reply(bytes(range(256)), {})):
        assert json.loads(json.dumps(reply.to_dict([])))["statusCode"]


def test_every_challenge_is_sent_twice() -> None:
    writers = [
        path.name
        for path in (ROOT / "chalicelib" / "edge").rglob("*.py")
        if "WWW-Authenticate" in path.read_text("utf-8")
    ]

    assert writers == ["response.py"]
    assert challenged("Bearer") == {"WWW-Authenticate": "Bearer", "Registry-Challenge": "Bearer"}
