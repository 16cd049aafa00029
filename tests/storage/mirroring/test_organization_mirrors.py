"""Tests of the rows of organizations' mirrors: their settings, schedule and leases."""

from dataclasses import replace

import pytest

from chalicelib.domain.ids import ulid
from chalicelib.domain.mirror_runs import LEASE_S, RunCause
from chalicelib.domain.mirrors import MirrorSource, SyncStatus
from chalicelib.domain.organization_mirrors import FRESH, OrganizationMirrorSettings, SourceKind
from chalicelib.domain.repositories import Visibility
from chalicelib.domain.timers import ORGANIZATION_MIRROR
from chalicelib.services.security.sealing import Envelope
from chalicelib.storage import keys
from chalicelib.storage.mirroring.organization_mirrors import OrganizationMirrorRow, OrganizationMirrorStore
from chalicelib.storage.table import Transaction, WriteConflict
from tests.support.backends import Backend
from tests.support.rows import due_at, rows_like

NOW = 50_000
SOURCE = MirrorSource("", "u", "s3cret", False, "http://p:s3cret@proxy", "http://proxy", "example.org")
SETTINGS = OrganizationMirrorSettings(
    SOURCE, SourceKind.HARBOR, "https://harbor.example.com", "team", ("a*",), Visibility.PUBLIC, 3600, 10_000, 60, True
)
STORE = OrganizationMirrorStore()


@pytest.fixture
def envelope(backend: Backend) -> Envelope:
    return backend.services.security.envelope


def stored(envelope: Envelope, settings: OrganizationMirrorSettings = SETTINGS) -> OrganizationMirrorRow:
    """Writes a mirror whose last discovery began at second 49,000, and returns it."""
    row = OrganizationMirrorRow.under(
        keys.organization_mirror("namespace"), robot_id="robot", created_at=1, discovery=ulid(49_000)
    )
    row.take(settings, envelope.seal)
    transaction = Transaction()
    STORE.put(transaction, row, None)
    transaction.commit()
    return row


def again() -> OrganizationMirrorRow:
    row = STORE.get("namespace")
    assert row is not None
    return row


def begun(row: OrganizationMirrorRow) -> OrganizationMirrorRow:
    transaction = Transaction()
    STORE.begin(transaction, row, ulid(NOW), RunCause.REQUEST, NOW)
    transaction.commit()
    return again()


def ended(row: OrganizationMirrorRow, status: SyncStatus, *, is_changed: bool = False) -> OrganizationMirrorRow:
    transaction = Transaction()
    STORE.end(transaction, row, status, NOW, is_changed=is_changed)
    transaction.commit()
    return again()


def next_due() -> int | None:
    return due_at(ORGANIZATION_MIRROR, "namespace")


def test_settings_are_read_as_they_were_written_and_no_secret_is_in_the_table(
    backend: Backend, envelope: Envelope
) -> None:
    stored(envelope)
    assert again().settings(envelope.open) == SETTINGS
    assert "s3cret" not in str(rows_like(backend, "N#namespace"))
    assert rows_like(backend, "A#robot", "MIRROR#namespace")


@pytest.mark.parametrize(("start_at", "due"), [(NOW + 9, NOW + 9), (10_000, NOW), (49_999, NOW)])
def test_the_first_discovery_begins_at_the_start_or_at_once(envelope: Envelope, start_at: int, due: int) -> None:
    row, transaction = stored(envelope, replace(SETTINGS, start_at=start_at)), Transaction()
    row.discovery = None
    STORE.schedule(transaction, row, NOW, is_changed=False)
    transaction.commit()
    assert (row.next_at, next_due()) == (due, due)


@pytest.mark.parametrize("is_enabled", [True, False])
def test_changed_settings_are_brought_to_the_repositories_at_once(envelope: Envelope, is_enabled: bool) -> None:
    row, transaction = stored(envelope, replace(SETTINGS, is_enabled=is_enabled)), Transaction()
    STORE.schedule(transaction, row, NOW, is_changed=True)
    transaction.commit()
    assert (row.next_at, next_due()) == (NOW, NOW)


def test_an_open_discovery_keeps_its_timer(envelope: Envelope) -> None:
    row, transaction = begun(stored(envelope)), Transaction()
    STORE.schedule(transaction, row, NOW, is_changed=True)
    assert (transaction.is_empty, next_due(), row.next_at) == (True, NOW + LEASE_S, None)


def test_one_worker_has_a_discovery_until_its_lease_ends(envelope: Envelope) -> None:
    row = begun(stored(envelope))
    assert STORE.claim(row, "one", NOW)
    assert (row.status, row.workers, row.lease_until) == (SyncStatus.SYNCING, 1, NOW + LEASE_S)
    assert not STORE.claim(again(), "two", NOW + LEASE_S - 1)
    assert STORE.renew(row, NOW + 60)
    assert not STORE.claim(again(), "two", NOW + LEASE_S)
    assert STORE.claim(again(), "two", NOW + LEASE_S + 60)
    assert not STORE.renew(row, NOW + LEASE_S)


def test_a_worker_that_puts_a_discovery_back_is_not_counted(envelope: Envelope) -> None:
    row = begun(stored(envelope))
    STORE.claim(row, "one", NOW)
    STORE.put_back(row)
    assert (again().workers, again().lease_until) == (0, 0)


@pytest.mark.parametrize(
    ("status", "next_at", "tries"), [(SyncStatus.SUCCESS, 53_200, 0), (SyncStatus.FAIL, NOW + 60, 1)]
)
def test_an_ended_discovery_is_followed_by_the_next(
    envelope: Envelope, status: SyncStatus, next_at: int, tries: int
) -> None:
    row = ended(begun(stored(envelope)), status)
    assert (row.status, row.next_at, row.tries, next_due()) == (status, next_at, tries, next_at)


def test_a_discovery_during_which_the_settings_changed_is_followed_at_once(envelope: Envelope) -> None:
    assert ended(begun(stored(envelope)), SyncStatus.SUCCESS, is_changed=True).next_at == NOW


def test_without_a_schedule_nothing_follows(envelope: Envelope) -> None:
    row = ended(begun(stored(envelope, replace(SETTINGS, is_enabled=False))), SyncStatus.FAIL)
    assert (row.next_at, next_due()) == (None, None)


def test_a_cancelled_discovery_is_open_no_more_and_the_schedule_goes_on(envelope: Envelope) -> None:
    row, transaction = begun(stored(envelope)), Transaction()
    assert STORE.is_open(row, row)
    STORE.cancel(transaction, row, ulid(NOW), NOW)
    transaction.commit()
    cancelled = again()
    assert (cancelled.status, cancelled.next_at, next_due()) == (SyncStatus.CANCEL, 53_200, NOW)
    assert not STORE.is_open(cancelled, row)
    assert not STORE.claim(row, "one", NOW)
    later = Transaction()
    STORE.require_open(later, row)
    STORE.leave_robot(later, row)
    with pytest.raises(WriteConflict):
        later.commit()


def test_a_cancel_is_settled_only_if_no_other_followed(envelope: Envelope) -> None:
    row, transaction = begun(stored(envelope)), Transaction()
    STORE.cancel(transaction, row, "01", NOW)
    transaction.commit()
    row = again()
    row.cancelled = "00"
    STORE.settle_cancel(row)
    assert again().cancelled == "01"
    STORE.settle_cancel(again())
    assert again().cancelled is None


def test_a_removed_mirror_leaves_its_robot_and_a_timer(backend: Backend, envelope: Envelope) -> None:
    row, transaction = stored(envelope), Transaction()
    STORE.remove(transaction, row, NOW)
    transaction.commit()
    assert STORE.get("namespace") is None
    assert rows_like(backend, "A#robot") == []
    assert next_due() == NOW


def test_a_mirror_is_written_only_at_the_version_that_was_read(envelope: Envelope) -> None:
    row, transaction = stored(envelope), Transaction()
    STORE.put(transaction, row, 7)
    with pytest.raises(WriteConflict):
        transaction.commit()


def test_nothing_is_discovered_at_first(backend: Backend) -> None:
    assert STORE.discovered("namespace") == []
    assert FRESH.timeout_s == 300
