"""Files of the usage log in the table: found by their hash, changed by whoever read them last."""

import pytest

from chalicelib.storage import keys
from chalicelib.storage.activity.exports import ExportRow, ExportStore
from chalicelib.storage.table import Transaction, WriteConflict
from tests.support.backends import Backend

STORE = ExportStore()


def an_export(backend: Backend) -> ExportRow:
    told = {"namespace_id": "1", "namespace": "a", "performer": "a", "address": "", "until": "Z"}
    row = ExportRow.under(keys.export("0f"), start=0, end=86400, ends_at=9, **told)
    transaction = Transaction()
    STORE.add(transaction, row)
    transaction.commit()
    return row


def test_parts_are_kept_in_their_order_and_forgotten_together(backend: Backend) -> None:
    row = an_export(backend)
    row.add_part('"one"', "A", is_whole=False)
    row.add_part('"two"', "B", is_whole=True)
    STORE.save(row)

    found = STORE.find("0f")
    assert found is not None
    assert (found.target, found.etags, found.after, found.is_whole) == ("0f", ['"one"', '"two"'], "B", 1)
    found.begin_anew()
    assert (found.etags, found.after, found.is_whole, found.begun) == ([], "", 0, 1)


def test_of_two_who_read_a_file_the_second_to_change_it_reads_again(backend: Backend) -> None:
    an_export(backend)
    first, second = STORE.find("0f"), STORE.find("0f")
    assert first is not None
    assert second is not None
    STORE.save(first)

    with pytest.raises(WriteConflict):
        STORE.save(second)


def test_one_is_not_added_twice_and_once_removed_is_not_found(backend: Backend) -> None:
    row = an_export(backend)
    with pytest.raises(WriteConflict):
        an_export(backend)
    STORE.remove(row)

    assert STORE.find("0f") is None
