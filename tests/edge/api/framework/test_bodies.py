"""Bodies of the API: JSON that fits, and what is told of what does not."""

import pytest

from chalicelib.domain.errors import FieldInvalid
from chalicelib.edge.api.framework.bodies import LARGEST, check
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
def test_what_fits_is_taken_and_unknown_fields_are_let_through(document: object) -> None:
    check("test", SCHEMA, document)


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
def test_what_does_not_fit_is_refused_by_its_field(document: object, field: str) -> None:
    with pytest.raises(FieldInvalid) as refused:
        check("test", SCHEMA, document)

    assert field in str(refused.value)


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{not json", "application/json", 400),
        (b"", "application/json", 400),
        (b'{"username": "\xff"}', "application/json", 400),
        (b'{"username": "\\ud800"}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"a=b", "application/x-www-form-urlencoded", 415),
        (b"{}", "", 415),
        (b" " * (LARGEST + 1), "application/json", 413),
    ],
    ids=["no json", "empty", "no utf-8", "half a character", "too deep", "a form", "no type", "too large"],
)
def test_a_body_that_cannot_be_read_is_refused(stranger: ApiClient, content: bytes, kind: str, status: int) -> None:
    answer = stranger.post("/user/", content, Content_Type=kind)

    assert answer.status == status
    assert answer.json()["status"] == status


def test_a_character_in_two_halves_is_whole(admin: ApiClient) -> None:
    answer = admin.put("/user/", b'{"company": "\\ud83d\\ude80"}')

    assert answer.json()["company"] == "\U0001f680"


def test_json_by_another_name_is_json(stranger: ApiClient) -> None:
    content = b'{"username": "carol", "password": "password-1"}'

    assert stranger.post("/user/", content, Content_Type="application/vnd.api+json; charset=utf-8").status == 200
