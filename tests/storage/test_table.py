"""The table: batches of any size, queries after a key, and conflicts of writers."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from pynamodb.exceptions import TransactWriteError

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import Unavailable
from chalicelib.storage import table
from chalicelib.storage.registry.blobs import BlobLinkRow, LinkRow
from chalicelib.storage.registry.manifests import BodyRow, ManifestRow
from chalicelib.storage.registry.repositories import RepositoryNameRow
from chalicelib.storage.registry.sizes import SizeRow
from chalicelib.storage.table import (
    ATTEMPTS,
    LONGEST_PAUSE_S,
    Batch,
    Transaction,
    WriteConflict,
    absent,
    get,
    put_all,
    put_new,
    query,
    query_run,
    retry_on_conflict,
    update_if,
    view,
)
from tests.storage.fronts import Front, do_half
from tests.support.backends import Backend
from tests.support.rows import rows_like


def links(count: int, pk: str = "BLOB#x") -> list[LinkRow]:
    return [LinkRow.under((pk, f"LINK#{number:04d}"), repository_id=str(number)) for number in range(count)]


def read_all(rows: list[LinkRow]) -> list[str | None]:
    batch = Batch()
    reads = [batch.add(LinkRow, row.key) for row in rows]
    batch.read()
    return [read.row.repository_id if read.row else None for read in reads]


def test_rows_are_written_25_per_call_and_read_100_per_call(backend: Backend) -> None:
    rows = links(250)
    backend.calls.take()
    put_all(rows)
    assert backend.calls.take() == ["BatchWriteItem"] * 10

    assert read_all(rows) == [str(number) for number in range(250)]
    assert backend.calls.take() == ["BatchGetItem"] * 3


def test_a_key_that_is_added_twice_is_read_once(backend: Backend) -> None:
    (row,) = links(1)
    row.save()
    batch = Batch()
    twice = [batch.add(LinkRow, row.key), batch.add(LinkRow, row.key)]
    missing = batch.add(SizeRow, ("N#none", "SIZE#0"))
    backend.calls.take()

    batch.read()

    assert [read.row.repository_id for read in twice if read.row] == ["0", "0"]
    assert missing.row is None
    assert backend.calls.take() == ["BatchGetItem"]


def test_an_empty_batch_makes_no_call(backend: Backend) -> None:
    backend.calls.take()
    Batch().read()
    put_all([])

    assert backend.calls.take() == []


@pytest.mark.parametrize("key", [("x" * 2049, "y"), ("x", "y" * 1025), ("x", "é" * 513)])
def test_a_key_that_is_too_long_has_no_row(backend: Backend, key: tuple[str, str]) -> None:
    backend.calls.take()
    batch = Batch()
    read = batch.add(SizeRow, key)
    batch.read()

    assert (read.row, get(SizeRow, key), list(query(SizeRow, key))) == (None, None, [])
    assert backend.calls.take() == []


def test_unprocessed_items_of_a_batch_are_sent_again(backend: Backend, front: Front) -> None:
    rows = links(120)
    front.tricks = [do_half] * 4
    put_all(rows)
    assert len(front.asked) > 5
    assert len(rows_like(backend, "BLOB#x")) == 120

    front.asked, front.tricks = [], [do_half] * 4
    assert read_all(rows) == [str(number) for number in range(120)]
    assert len(front.asked) == 6


def test_a_query_starts_after_a_sort_key_and_stays_within_its_prefix(backend: Backend) -> None:
    put_all(links(10))
    put_all([LinkRow.under(("BLOB#x", other), repository_id=other) for other in ("LINJ#9", "LINK", "LINK\x7e", "META")])

    def found(after: str = "", limit: int | None = None) -> list[str]:
        return [row.sk for row in query(LinkRow, ("BLOB#x", "LINK#"), after=after, limit=limit)]

    every = [f"LINK#{number:04d}" for number in range(10)]
    assert found() == every
    assert found("LINK#0003") == every[4:]
    assert found("LINK#0003", 2) == every[4:6]
    assert found("LINK#00035") == every[4:], "a key that does not exist"
    assert found("LINK#0009") == found("LINK#z") == []
    assert found("LINK#") == every


def test_a_query_of_more_than_a_megabyte_is_read_to_its_end(backend: Backend) -> None:
    put_all(BodyRow.under(("R#1", f"BODY#{number:02d}"), ulid="u", content=bytes(100_000)) for number in range(12))
    backend.calls.take()

    assert len(list(query(BodyRow, ("R#1", "BODY#")))) == 12
    assert backend.calls.take().count("Query") >= 2


def test_a_range_returns_rows_of_each_kind_and_whether_they_are_all(backend: Backend) -> None:
    put_all(links(3))
    put_all(BodyRow.under(("BLOB#x", sk), ulid=sk) for sk in ("LINK", "META", "NOTE"))
    run, kinds = ("BLOB#x", "LINK#", "META"), {"LINK#": LinkRow, "META": BodyRow}

    rows, is_all = query_run(run, kinds)
    assert ([row.sk for row in rows], is_all) == (["LINK#0000", "LINK#0001", "LINK#0002", "META"], True)
    assert [type(row) for row in rows[2:]] == [LinkRow, BodyRow]
    assert [row.sk for row in query_run(run, {"META": BodyRow})[0]] == ["META"]
    for limit, expected in ((2, False), (4, False), (5, True)):
        rows, is_all = query_run(run, kinds, limit)
        assert (len(rows), is_all) == (min(limit, 4), expected)


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_a_view_is_read_in_order_after_a_value(backend: Backend, limit: int) -> None:
    def name(word: str) -> RepositoryNameRow:
        shared = {"name": word, "repository_id": word, "visibility": "public"}
        return RepositoryNameRow.under(("N#1", f"REPO#{word}"), view="CATALOG#public", view_at=word, **shared)

    put_all(name(word) for word in "dbcae")

    assert [row.name for row in view(RepositoryNameRow, "CATALOG#public", "b", limit)] == list("cde")[:limit]
    assert [row.name for row in view(RepositoryNameRow, "CATALOG#public", "", limit)] == list("abcde")[:limit]


def test_a_failed_condition_is_a_write_conflict_and_nothing_is_written(backend: Backend) -> None:
    first, second = links(2)
    first.save()
    transaction = Transaction()
    transaction.put(second)
    transaction.put(first, absent())

    with pytest.raises(WriteConflict):
        transaction.commit()
    assert get(LinkRow, second.key) is None


def test_a_failed_check_is_a_write_conflict(backend: Backend) -> None:
    (row,) = links(1)
    transaction = Transaction()
    transaction.put(row)
    transaction.check(LinkRow, ("BLOB#y", "META"), LinkRow.pk.exists())

    with pytest.raises(WriteConflict):
        transaction.commit()


def test_an_impossible_transaction_is_not_a_write_conflict(backend: Backend) -> None:
    transaction = Transaction()
    transaction.put(BodyRow.under(("R#1", "BODY#1"), ulid="u", content=bytes(500_000)))

    with pytest.raises(TransactWriteError):
        transaction.commit()


def test_a_transaction_changes_and_removes_rows_by_their_keys(backend: Backend) -> None:
    first, second = links(2)
    put_all([first, second])
    transaction = Transaction()
    transaction.update(LinkRow.under(first.key), LinkRow.repository_id.set("new"), condition=LinkRow.pk.exists())
    transaction.delete(LinkRow.under(second.key), LinkRow.repository_id == "1")
    transaction.commit()

    assert read_all([first, second]) == ["new", None]


def test_a_new_row_is_put_once(backend: Backend) -> None:
    first, second = links(1)[0], links(1)[0]
    second.repository_id = "other"

    assert put_new(first)
    assert not put_new(second)
    assert read_all([first]) == ["0"]


def conflicting(times: int) -> Callable[[], str]:
    left = [times]

    def attempt() -> str:
        if left[0]:
            left[0] -= 1
            raise WriteConflict
        return "won"

    return attempt


def test_a_write_conflict_is_retried_with_short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)

    assert retry_on_conflict(conflicting(0)) == "won"
    assert pauses == []
    assert retry_on_conflict(conflicting(ATTEMPTS - 1)) == "won"
    assert len(pauses) == ATTEMPTS - 1
    assert all(0 <= pause <= LONGEST_PAUSE_S for pause in pauses)
    assert len(set(pauses)) > 10, "pauses are jittered"


def test_endless_write_conflicts_raise_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)

    with pytest.raises(Unavailable):
        retry_on_conflict(conflicting(ATTEMPTS))


def test_other_errors_are_not_retried() -> None:
    calls = []

    def attempt() -> None:
        calls.append(1)
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        retry_on_conflict(attempt)
    assert calls == [1]


def test_of_ten_concurrent_writers_each_succeeds_in_the_end(backend: Backend) -> None:
    key = ("R#1", "MAN#1")
    ManifestRow.under(key, media_type="t", size=1, ulid="u", pushed_at=0).save()

    def once(_: int) -> None:
        def attempt() -> None:
            row = get(ManifestRow, key)
            assert row is not None
            transaction = Transaction()
            transaction.update(
                row, ManifestRow.version.set(row.version + 1), condition=ManifestRow.version == row.version
            )
            transaction.commit()

        retry_on_conflict(attempt)

    with ThreadPoolExecutor(5) as threads:
        list(threads.map(once, range(10)))
    row_after = get(ManifestRow, key)
    assert row_after is not None
    assert row_after.version == 10


def test_attributes_are_read_as_they_were_written(backend: Backend) -> None:
    digest = Digest.of(b"x", "sha512")
    full = ManifestRow.under(
        ("R#1", "MAN#1"), media_type="t", size=2**60, subject=digest, ulid="u", pushed_at=1, live_until=253402300799
    )
    link = BlobLinkRow.under(("R#1", "BLOB#1"), size=0, leased_until=1, deleted_at=1_700_000_000.125)
    put_all([full, link])
    manifest, blob = get(ManifestRow, full.key), get(BlobLinkRow, link.key)

    assert manifest is not None
    assert blob is not None
    assert (manifest.size, manifest.subject, manifest.live_until) == (2**60, digest, 253402300799)
    assert (manifest.leased_until, manifest.artifact_type, manifest.deleted_at) == (None, None, None)
    assert (blob.size, blob.deleted_at, blob.expires_after) == (0, 1_700_000_000.125, None)


def test_the_table_has_two_indexes_and_a_stream_of_both_images(backend: Backend) -> None:
    described = table.description("t")

    assert described["BillingMode"] == "PAY_PER_REQUEST"
    assert described["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert {index["IndexName"] for index in described["GlobalSecondaryIndexes"]} == {"due", "view"}


def test_a_row_is_changed_only_where_its_condition_holds(backend: Backend) -> None:
    row = SizeRow.under(("C", "C"), bytes=1)
    row.save()
    assert update_if(row, [SizeRow.bytes.set(2)], SizeRow.bytes == 1)
    assert row.bytes == 2
    assert not update_if(SizeRow.under(row.key), [SizeRow.bytes.set(3)], SizeRow.bytes == 1)
    stored = get(SizeRow, row.key)
    assert stored is not None
    assert stored.bytes == 2
