"""The connection: fast reads return the same as botocore's, which repeats those that fail."""

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
def test_both_ways_of_reading_return_the_same_bytes(backend: Backend, front: Front, ways: Ways, content: bytes) -> None:
    a_row(content)
    rows = {}
    for way, connection in ways[1].items():
        backend.services.stores.table.connection = connection
        rows[way] = [get(BodyRow, KEY)]
        batch = Batch()
        read = batch.add(BodyRow, KEY)
        batch.read()
        rows[way] += [read.row, *query(BodyRow, KEY)]

    assert [row.content for row in rows["fast"]] == [row.content for row in rows["slow"]] == [content] * 3
    assert front.asked == [
        "slow PutItem",
        *(f"{way} {operation}" for way in ("fast", "slow") for operation in ("GetItem", "BatchGetItem", "Query")),
    ]


@pytest.mark.parametrize("operation", ["get_item", "batch_get_item", "query"])
def test_both_ways_of_reading_return_the_same_answers(
    backend: Backend, front: Front, ways: Ways, operation: str
) -> None:
    a_row(bytes(range(256)))
    name = backend.settings.table
    arguments = {"get_item": KEY, "batch_get_item": ([{"pk": KEY[0], "sk": KEY[1]}],), "query": (KEY[0],)}[operation]
    fast, slow = (
        getattr(connection, operation)(name, *arguments, consistent_read=True) for connection in ways[1].values()
    )
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
def test_a_failed_read_is_repeated_through_botocore(front: Front, trick: Trick) -> None:
    a_row()
    front.tricks = [trick]

    row = get(BodyRow, KEY)

    assert row is not None
    assert row.content == b"bytes"
    assert front.asked[1:] == ["fast GetItem", "slow GetItem"]


def test_errors_are_those_of_botocore(front: Front) -> None:
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


def test_writes_use_only_botocore(front: Front) -> None:
    row = a_row()
    row.delete()

    assert front.asked == ["slow PutItem", "slow DeleteItem"]


def test_both_ways_of_reading_return_none_for_a_missing_row(backend: Backend, front: Front, ways: Ways) -> None:
    for connection in ways[1].values():
        backend.services.stores.table.connection = connection
        assert get(BodyRow, ("R#none", "BODY#none")) is None


def test_a_read_before_the_table_is_opened_is_an_error(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Row, "shared", None)

    with pytest.raises(RuntimeError, match="open_table"):
        get(BodyRow, KEY)
