"""Storage of uploads, in versions, and of their parts."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.ids import ulid
from chalicelib.storage import keys
from chalicelib.storage.registry.uploads import UploadRow, UploadStatus, UploadStore
from chalicelib.storage.table import Transaction, WriteConflict
from tests.support.backends import Backend

STORE = UploadStore()


def an_upload(**fields: object) -> UploadRow:
    return UploadRow.under(keys.upload(ulid()), repository_id="r", algorithm="sha256", expires_at=9, **fields)


def put(row: UploadRow, version: int | None) -> None:
    transaction = Transaction()
    STORE.put(transaction, row, version)
    transaction.commit()


def test_states_of_hashes_are_read_as_they_were_written(backend: Backend) -> None:
    row = an_upload(hash_state=bytes(range(256)), other_state=b"")
    put(row, None)
    upload = STORE.get(row.pk.removeprefix("UP#"))

    assert upload is not None
    assert (upload.hash_state, upload.other_state, upload.version) == (bytes(range(256)), b"", 0)
    assert STORE.get(ulid()) is None


def test_each_write_is_counted_and_one_over_another_version_is_a_write_conflict(backend: Backend) -> None:
    row = an_upload()
    put(row, None)
    for version in (0, 1):
        put(row, version)
    assert row.version == 2

    for version in (None, 0, 1, 3):
        with pytest.raises(WriteConflict):
            put(row, version)


def test_parts_are_listed_by_number_in_whatever_order_they_were_written(backend: Backend) -> None:
    row, other = an_upload(), an_upload()
    identifier = row.pk.removeprefix("UP#")
    STORE.put_parts(row, [(number, f"etag{number}") for number in (10_000, 2, 30)])
    STORE.put_parts(other, [(5, "another upload's")])
    transaction = Transaction()
    STORE.put_part(transaction, row, 1, "first", 7)
    transaction.commit()
    parts = STORE.parts(identifier)

    assert [(part.number, part.etag) for part in parts] == [
        (1, "first"), (2, "etag2"), (30, "etag30"), (10_000, "etag10000"),
    ]  # fmt: skip
    assert [part.size for part in parts] == [7, 0, 0, 0]
    assert {part.expires_at for part in parts} == {9}


def test_a_linked_upload_keeps_its_digest_and_drops_its_tail(backend: Backend) -> None:
    row = an_upload(
        status=UploadStatus.CLOSED, tail_key="in/tail", tail_size=5, s3_key="in/old", digest=Digest.of(b"x"), offset=5
    )
    linked = STORE.linked(row, "in/new")

    assert (linked.status, linked.s3_key, linked.tail_key, linked.tail_size) == (UploadStatus.LINKED, "in/new", None, 0)
    assert (linked.key, linked.digest, linked.offset, linked.version) == (row.key, row.digest, 5, row.version)
    assert (row.status, row.tail_key) == (UploadStatus.CLOSED, "in/tail"), "the row that was read does not change"
