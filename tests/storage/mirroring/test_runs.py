"""Rows of runs change only in the hands of who has them."""

from typing import Any

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.mirror_runs import LEASE_S, RunCause, RunPhase, TagChange, TagDifference, TagOutcome
from chalicelib.storage import keys
from chalicelib.storage.mirroring.runs import MirrorRunRow, MirrorRunStore
from chalicelib.storage.table import Transaction, WriteConflict
from tests.support.backends import Backend

REPOSITORY, RUN, NOW = "r1", "01J00000000000000000000000", 1_800_000_000
DIGEST = Digest.of(b"1")


@pytest.fixture
def store(backend: Backend) -> MirrorRunStore:
    return backend.services.stores.mirror_runs


@pytest.fixture
def run(store: MirrorRunStore) -> MirrorRunRow:
    row = MirrorRunRow.under(
        keys.mirror_run(REPOSITORY, RUN), cause=RunCause.REQUEST, settings_version=1, began_at=NOW, pending=1
    )
    transaction = Transaction()
    store.add(transaction, row)
    transaction.commit()
    return row


def stored(store: MirrorRunStore) -> Any:
    return store.get(REPOSITORY, RUN)


def test_a_run_has_one_worker_until_its_lease_is_over(store: MirrorRunStore, run: MirrorRunRow) -> None:
    assert store.claim(run, "a", NOW)
    assert not store.claim(stored(store), "b", NOW + LEASE_S - 1)
    assert store.claim(stored(store), "b", NOW + LEASE_S)
    assert not store.renew(run, NOW)


def test_a_comparison_is_kept_only_by_its_worker(store: MirrorRunStore, run: MirrorRunRow) -> None:
    store.claim(run, "a", NOW)
    run.matched, run.phase = 7, RunPhase.COPYING
    store.keep_comparison(run)
    assert (stored(store).matched, stored(store).lease_until, stored(store).tries) == (7, 0, 0)
    run.worker = "b"
    with pytest.raises(WriteConflict):
        store.keep_comparison(run)


def test_a_tag_is_settled_once_and_counted_once(store: MirrorRunStore, run: MirrorRunRow) -> None:
    store.add_tags(RUN, [TagDifference("v1", TagChange.ADD, DIGEST)], NOW)
    row = store.claim_tag(RUN, "v1", "a", NOW)
    assert row is not None
    assert store.claim_tag(RUN, "v1", "b", NOW) is None
    row.outcome, row.bytes_done, row.ended_at = TagOutcome.DONE, 5, NOW
    for is_first in (True, False):
        transaction = Transaction()
        store.settle(transaction, run, row)
        if is_first:
            transaction.commit()
        else:
            with pytest.raises(WriteConflict):
                transaction.commit()
    found = stored(store)
    assert (found.pending, found.added, found.bytes_done) == (0, 1, 5)
    assert not store.has_tag(run, row)


def test_a_tag_that_is_put_back_waits_for_the_next_worker(store: MirrorRunStore, run: MirrorRunRow) -> None:
    store.add_tags(RUN, [TagDifference("v1", TagChange.ADD, DIGEST)], NOW)
    store.put_back(store.claim_tag(RUN, "v1", "a", NOW), 7)
    again = store.claim_tag(RUN, "v1", "b", NOW + 5)
    assert (again.tries, again.began_at, again.spent_s) == (1, NOW, 7)


def test_a_tag_that_is_gone_is_no_work_for_a_worker_of_tags(store: MirrorRunStore, run: MirrorRunRow) -> None:
    store.add_tags(RUN, [TagDifference("v1", TagChange.REMOVE, None)], NOW)

    assert store.claim_tag(RUN, "v1", "a", NOW) is None


def test_a_blob_has_one_worker_and_keeps_its_upload(store: MirrorRunStore) -> None:
    first = store.claim_blob(RUN, DIGEST, "a", NOW)
    store.keep_upload(first, "upload")
    assert store.claim_blob(RUN, DIGEST, "b", NOW) is None
    store.renew_blob(first, NOW + 1)
    assert store.claim_blob(RUN, DIGEST, "b", NOW + LEASE_S) is None
    assert store.claim_blob(RUN, DIGEST, "b", NOW + 1 + LEASE_S).upload_id == "upload"


def test_upstreams_are_left_alone_until_their_time(store: MirrorRunStore) -> None:
    assert store.not_before("quay.io", "u") == 0
    store.limit("quay.io", "u", NOW)
    assert store.not_before("quay.io", "u") == NOW
    assert store.not_before("quay.io", "other") == 0


def test_only_the_last_runs_are_kept(store: MirrorRunStore) -> None:
    for number in range(25):
        transaction = Transaction()
        key = keys.mirror_run(REPOSITORY, f"{number:026d}")
        row = MirrorRunRow.under(key, cause=RunCause.PLAN, settings_version=1, began_at=NOW)
        store.add(transaction, row)
        transaction.commit()
    store.forget_old(store.latest(REPOSITORY, 40))
    assert [int(row.id) for row in store.latest(REPOSITORY, 40)] == list(range(24, 4, -1))
