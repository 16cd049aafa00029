"""Request bodies of the API: those that match their schema, and refusals of the others."""

import pytest

from chalicelib.domain.errors import FieldInvalid
from chalicelib.edge.api.framework.bodies import LARGEST, check_schema
from chalicelib.edge.api.framework.operations import FLAG, NUMBER, TEXT, a_list, an_object, one_of, or_null
from tests.support.api_client import ApiClient

SCHEMA = an_object({"name": TEXT}, age=NUMBER, tags=a_list(TEXT), nick=or_null(TEXT), size=one_of("s", "m"), on=FLAG)


@pytest.mark.parametrize(
    "document",
    [
        {"name": "a"},
        {"name": "a", "age": 1, "tags": ["x"], "nick": None, "size": "s", "on": True},
        {"name": "", "more": 1},
    ],
    ids=["least", "all", "more than is known"],
)
def test_a_valid_body_is_accepted_with_unknown_fields(document: object) -> None:
    check_schema("test", SCHEMA, document)


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({}, "name"),
        ({"name": 5}, "name"),
        ({"name": "a", "age": "old"}, "age"),
        ({"name": "a", "age": True}, "age"),
        ({"name": "a", "tags": ["x", 5]}, "tags.1"),
        ({"name": "a", "size": "xl"}, "size"),
        ([], "the body"),
        ("text", "the body"),
        (None, "the body"),
    ],
)
def test_an_invalid_field_is_refused_by_its_name(document: object, field: str) -> None:
    with pytest.raises(FieldInvalid) as refused:
        check_schema("test", SCHEMA, document)

    assert field in str(refused.value)


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{not json", "application/json", 400),
        (b"", "application/json", 400),
        (b'{"username": "\xff"}', "application/json", 400),
        (b'{"username": "\\ud800"}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (
            b'{"username":"carol","password":"password-1","a":' + b"[" * 1000 + b"]" * 1000 + b"}",
            "application/json",
            400,
        ),
        (b'{"username":"carol","password":"password-1","a":' + b"[" * 900 + b"]" * 900 + b"}", "application/json", 400),
        (b"a=b", "application/x-www-form-urlencoded", 415),
        (b"{}", "", 415),
        (b" " * (LARGEST + 1), "application/json", 413),
    ],
    ids=[
        "no json",
        "empty",
        "no utf-8",
        "half a character",
        "too deep",
        "1,000 levels",
        "900",
        "a form",
        "no type",
        "too large",
    ],
)
def test_an_unreadable_body_is_refused(stranger: ApiClient, content: bytes, kind: str, status: int) -> None:
    answer = stranger.post("/user/", content, Content_Type=kind)

    assert answer.status == status
    assert list(answer.json()) == ["message"]


def test_a_pair_of_surrogates_is_one_character(admin: ApiClient) -> None:
    answer = admin.put("/user/", b'{"company": "\\ud83d\\ude80"}')

    assert answer.json()["company"] == "\U0001f680"


def test_a_content_type_that_ends_in_json_is_accepted(stranger: ApiClient) -> None:
    content = b'{"username": "carol", "password": "password-1"}'

    assert stranger.post("/user/", content, Content_Type="application/vnd.api+json; charset=utf-8").status == 200
