"""The connection: reads past botocore, which say the same as botocore's and give way to it."""

from __future__ import annotations

import os
import time

import pytest
from pynamodb.exceptions import GetError

from chalicelib.domain.errors import Unavailable
from chalicelib.storage.registry.manifests import BodyRow
from chalicelib.storage.table import Batch, Row, get, query
from tests.storage.conftest import Ways
from tests.storage.fronts import Front, Trick, change_a_letter, hang_up, refuse
from tests.support.backends import Backend

KEY = ("R#1", "BODY#1")


def a_row(content: bytes = b"bytes") -> BodyRow:
    row = BodyRow.under(KEY, ulid="u", content=content)
    row.save()
    return row


@pytest.mark.parametrize("content", [b"", b"\x00", bytes(range(256)), b"YWJj", os.urandom(100_000)], ids=len)
def test_bytes_are_the_same_by_both_ways_of_reading(backend: Backend, front: Front, ways: Ways, content: bytes) -> None:
    a_row(content)
    found = {}
    for way, connection in ways[1].items():
        backend.services.stores.table.connection = connection
        found[way] = [get(BodyRow, KEY)]
        batch = Batch()
        read = batch.add(BodyRow, KEY)
        batch.read()
        found[way] += [read.row, *query(BodyRow, KEY)]

    assert [row.content for row in found["fast"]] == [row.content for row in found["slow"]] == [content] * 3
    assert front.asked == [
        "slow PutItem",
        *(f"{way} {operation}" for way in ("fast", "slow") for operation in ("GetItem", "BatchGetItem", "Query")),
    ]


@pytest.mark.parametrize("operation", ["get_item", "batch_get_item", "query"])
def test_whole_answers_are_the_same_by_both_ways_of_reading(
    backend: Backend, front: Front, ways: Ways, operation: str
) -> None:
    a_row(bytes(range(256)))
    name = backend.settings.table
    asked = {"get_item": KEY, "batch_get_item": ([{"pk": KEY[0], "sk": KEY[1]}],), "query": (KEY[0],)}[operation]
    fast, slow = (getattr(connection, operation)(name, *asked, consistent_read=True) for connection in ways[1].values())
    slow.pop("ResponseMetadata", None)

    assert {name: value for name, value in fast.items() if value} == {
        name: value for name, value in slow.items() if value
    }


@pytest.mark.parametrize(
    "trick",
    [
        hang_up,
        change_a_letter,
        refuse(400, "ProvisionedThroughputExceededException"),
        refuse(400, "ExpiredTokenException"),
        refuse(500, "InternalServerError"),
    ],
    ids=["no answer", "other bytes", "too fast", "credentials too old", "a fault"],
)
def test_what_is_not_a_plain_answer_is_asked_again_through_botocore(front: Front, trick: Trick) -> None:
    a_row()
    front.tricks = [trick]

    found = get(BodyRow, KEY)

    assert found is not None
    assert found.content == b"bytes"
    assert front.asked[1:] == ["fast GetItem", "slow GetItem"]


def test_errors_stay_those_of_botocore(front: Front) -> None:
    front.tricks = [refuse(400, "ValidationException")] * 2

    with pytest.raises(GetError) as refused:
        get(BodyRow, KEY)
    assert refused.value.cause_response_code == "ValidationException"


def test_a_table_that_does_not_answer_is_unavailable(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    front.tricks = [hang_up] * 20

    with pytest.raises(Unavailable):
        get(BodyRow, KEY)
    with pytest.raises(Unavailable):
        a_row()


def test_writes_go_through_botocore_alone(front: Front) -> None:
    row = a_row()
    row.delete()

    assert front.asked == ["slow PutItem", "slow DeleteItem"]


def test_what_is_not_there_is_none_by_both_ways(backend: Backend, front: Front, ways: Ways) -> None:
    for connection in ways[1].values():
        backend.services.stores.table.connection = connection
        assert get(BodyRow, ("R#none", "BODY#none")) is None


def test_a_table_that_was_not_opened_says_so(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Row, "shared", None)

    with pytest.raises(RuntimeError, match="open_table"):
        get(BodyRow, KEY)
