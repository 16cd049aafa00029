"""Tests of the rows of proxy caches: their sealed source, and what upstream last said of a tag."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.mirrors import MirrorSource
from chalicelib.domain.proxy_caches import ProxyCacheSettings
from chalicelib.services.security.sealing import Envelope
from chalicelib.storage import keys
from chalicelib.storage.mirroring.proxy_caches import KEPT_S, ProxyCacheRow, ProxyCacheStore
from chalicelib.storage.table import Transaction, WriteConflict
from tests.support.backends import Backend
from tests.support.rows import rows_like

SETTINGS = ProxyCacheSettings(MirrorSource("quay.io/team", "u", "s3cret", False), 60)
STORE = ProxyCacheStore()


@pytest.fixture
def envelope(backend: Backend) -> Envelope:
    return backend.services.security.envelope


def stored(envelope: Envelope) -> ProxyCacheRow:
    row, transaction = ProxyCacheRow.under(keys.proxy_cache("namespace"), keeper_id="keeper"), Transaction()
    row.take(SETTINGS, envelope.seal)
    STORE.add(transaction, row)
    transaction.commit()
    return row


def test_settings_are_read_as_they_were_written_and_no_secret_is_in_the_table(
    backend: Backend, envelope: Envelope
) -> None:
    stored(envelope)
    row = STORE.get("namespace")
    assert row is not None
    assert (row.settings(envelope.open), row.namespace_id) == (SETTINGS, "namespace")
    assert "s3cret" not in str(rows_like(backend, "N#namespace"))


def test_a_cache_that_is_another_one_meanwhile_is_neither_removed_nor_taken_for_the_former(envelope: Envelope) -> None:
    row = stored(envelope)
    row.keeper_id = "former"
    for act in (STORE.remove, STORE.require):
        transaction = Transaction()
        transaction.delete(ProxyCacheRow.under(("X", "X")))
        act(transaction, row)
        with pytest.raises(WriteConflict):
            transaction.commit()


def test_what_upstream_said_is_kept_beyond_its_end(backend: Backend) -> None:
    digest = Digest.of(b"x")
    STORE.check("repository", "v1", digest, 100)
    checked = STORE.checked("repository", "v1")
    assert checked is not None
    assert (checked.digest, checked.until, checked.expires_at) == (digest, 100, 100 + KEPT_S)
    assert STORE.checked("repository", "v2") is None
