"""Storage of exports of the usage log."""

import pytest

from chalicelib.storage import keys
from chalicelib.storage.activity.exports import ExportRow, ExportStore
from chalicelib.storage.table import Transaction, WriteConflict
from tests.support.backends import Backend

STORE = ExportStore()


def an_export(backend: Backend) -> ExportRow:
    fields = {"namespace_id": "1", "namespace": "a", "performer": "a", "address": "", "until": "Z"}
    row = ExportRow.under(keys.export("0f"), start=0, end=86400, ends_at=9, **fields)
    transaction = Transaction()
    STORE.add(transaction, row)
    transaction.commit()
    return row


def test_parts_are_stored_in_order_and_discarded_together(backend: Backend) -> None:
    row = an_export(backend)
    row.add_part('"one"', "A", is_whole=False)
    row.add_part('"two"', "B", is_whole=True)
    STORE.save(row)

    export = STORE.find("0f")
    assert export is not None
    assert (export.target, export.etags, export.after, export.is_whole) == ("0f", ['"one"', '"two"'], "B", 1)
    export.begin_anew()
    assert (export.etags, export.after, export.is_whole, export.begun) == ([], "", 0, 1)


def test_of_two_concurrent_changes_of_an_export_the_second_is_a_write_conflict(backend: Backend) -> None:
    an_export(backend)
    first, second = STORE.find("0f"), STORE.find("0f")
    assert first is not None
    assert second is not None
    STORE.save(first)

    with pytest.raises(WriteConflict):
        STORE.save(second)


def test_an_export_is_added_once_and_is_not_found_after_its_removal(backend: Backend) -> None:
    row = an_export(backend)
    with pytest.raises(WriteConflict):
        an_export(backend)
    STORE.remove(row)

    assert STORE.find("0f") is None
