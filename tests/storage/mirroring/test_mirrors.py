"""Tests of the rows of mirrors: their sealed source, their schedule, and the view of those that run."""

from dataclasses import replace

import pytest

from chalicelib.domain.ids import ulid
from chalicelib.domain.mirrors import MirrorSettings, MirrorSource, SyncStatus
from chalicelib.domain.repositories import Mode
from chalicelib.domain.timers import MIRROR
from chalicelib.services.security.sealing import Envelope
from chalicelib.storage import keys
from chalicelib.storage.mirroring.mirrors import MirrorRow, MirrorStore
from chalicelib.storage.table import Transaction, WriteConflict
from tests.support.backends import Backend
from tests.support.rows import due_at, rows_like

# A parametrized test has the same name in every process.
LAST_RUN = ulid(49_000)[:10] + 16 * "0"

SOURCE = MirrorSource("quay.io/a/b", "u", "s3cret", False, "http://p:s3cret@proxy", "http://proxy", "example.org")
SETTINGS = MirrorSettings(SOURCE, ("v1.*", "!*-rc"), 3600, 10_000, 300, False, ("arm64",), True)


def a_row(envelope: Envelope, repository_id: str = "repository", namespace_id: str = "namespace") -> MirrorRow:
    row = MirrorRow.under(
        keys.mirror(repository_id), repository_id=repository_id, namespace_id=namespace_id, robot_id="robot"
    )
    row.take(SETTINGS, envelope.seal)
    return row


def put(row: MirrorRow, stored_version: int | None = None) -> None:
    transaction = Transaction()
    MirrorStore().put(transaction, row, stored_version)
    transaction.commit()


@pytest.fixture
def envelope(backend: Backend) -> Envelope:
    return backend.services.security.envelope


def test_settings_are_read_as_they_were_written_and_no_secret_is_in_the_table(
    backend: Backend, envelope: Envelope
) -> None:
    put(a_row(envelope))

    stored = MirrorStore().get("repository")

    assert stored is not None
    assert stored.settings(envelope.open) == SETTINGS
    assert "s3cret" not in str(rows_like(backend, "R#repository"))


def test_a_source_that_was_sealed_for_another_repository_does_not_open(envelope: Envelope) -> None:
    row = a_row(envelope)
    row.repository_id = "other"

    with pytest.raises(Exception, match=r"^$"):
        row.settings(envelope.open)


def test_of_two_writers_the_second_one_reads_again(envelope: Envelope) -> None:
    put(a_row(envelope))
    with pytest.raises(WriteConflict):
        put(a_row(envelope))
    put(a_row(envelope), 0)
    with pytest.raises(WriteConflict):
        put(a_row(envelope), 0)


@pytest.mark.parametrize(
    ("mode", "is_enabled", "status", "run", "due"),
    [
        (Mode.MIRROR, True, SyncStatus.NEVER_RUN, None, 50_000),
        (Mode.MIRROR, True, SyncStatus.SUCCESS, LAST_RUN, 49_600),
        (Mode.MIRROR, False, SyncStatus.SUCCESS, LAST_RUN, None),
        (Mode.NORMAL, True, SyncStatus.SUCCESS, LAST_RUN, None),
        (Mode.READ_ONLY, True, SyncStatus.CANCEL, LAST_RUN, None),
    ],
)
def test_a_schedule_arms_a_timer_only_where_it_may_begin_runs(
    backend: Backend,
    envelope: Envelope,
    mode: Mode,
    is_enabled: bool,
    status: SyncStatus,
    run: str | None,
    due: int | None,
) -> None:
    row = a_row(envelope)
    row.take(replace(SETTINGS, is_enabled=is_enabled), envelope.seal)
    row.status, row.run = status, run
    transaction, now = Transaction(), 49_100 if run else 50_000

    MirrorStore().schedule(transaction, row, mode, now)
    transaction.commit()

    assert (row.next_at, due_at(MIRROR, "repository")) == (due, due)
    assert (row.view is None, row.view_at) == (due is None, None if due is None else "namespace#repository")


def test_the_view_has_the_mirrors_of_one_namespace_or_of_all(backend: Backend, envelope: Envelope) -> None:
    rows = [a_row(envelope, f"repository{number}", f"n{number % 2}") for number in range(20)]
    for row in rows:
        row.view, row.view_at = keys.view_mirrors(row.repository_id)[0], f"{row.namespace_id}#{row.repository_id}"
        put(row)
    put(a_row(envelope, "off", "n1"))

    assert len({row.view for row in rows}) > 4
    assert len(MirrorStore().active()) == 20
    assert {row.namespace_id for row in MirrorStore().active("n1")} == {"n1"}
    assert len(MirrorStore().active("n1")) == 10
    assert MirrorStore().active("n") == []
