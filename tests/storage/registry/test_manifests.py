"""Storage of manifests: bytes in the table or the bucket, edges, and versioned states."""

import json

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.storage import keys
from chalicelib.storage.objects import ObjectGone
from chalicelib.storage.registry.manifests import (
    LARGEST_ANNOTATIONS,
    LARGEST_INLINE,
    BodyRow,
    ManifestRow,
    ManifestStore,
    ReferrerRow,
    tagged_row,
)
from chalicelib.storage.table import Transaction, WriteConflict, get
from tests.support.backends import Backend
from tests.support.builders import a_manifest, an_index
from tests.support.rows import CONDEMNED, DELETING, due_at, rows_like

SUBJECT = Digest.of(b"subject")


@pytest.fixture
def store(backend: Backend) -> ManifestStore:
    return ManifestStore(backend.services.stores.objects)


def a_row(digest: Digest, **fields: object) -> ManifestRow:
    return ManifestRow.under(keys.manifest("r", digest), media_type="t", size=1, ulid="u", pushed_at=0, **fields)


def put(store: ManifestStore, row: ManifestRow, stored: ManifestRow | None) -> None:
    transaction = Transaction()
    store.put(transaction, row, stored)
    transaction.commit()


@pytest.mark.parametrize("over", [-1, 0, 1, 100_000])
def test_manifests_above_32_kb_are_stored_in_the_bucket_and_read_back(
    backend: Backend, store: ManifestStore, over: int
) -> None:
    bare = a_manifest(annotations={"filler": ""}).size
    manifest = a_manifest(annotations={"filler": "x" * (LARGEST_INLINE + over - bare)})
    assert manifest.size == LARGEST_INLINE + over
    row = store.put_body("r", manifest, "ULID")
    row.save()

    assert (row.s3_key is None) == (over <= 0)
    assert store.get_body("r", manifest.digest) == manifest.content
    assert store.get_whole("r", manifest.digest) == (None, manifest.content)


def test_state_and_bytes_take_one_read(backend: Backend, store: ManifestStore) -> None:
    manifest = a_manifest()
    put(store, a_row(manifest.digest), None)
    store.put_body("r", manifest, "u").save()
    backend.calls.take()
    row, content = store.get_whole("r", manifest.digest)

    assert row is not None
    assert content == manifest.content
    assert backend.calls.take() == ["BatchGetItem"]


def test_a_missing_manifest_has_neither_state_nor_bytes(backend: Backend, store: ManifestStore) -> None:
    assert store.get_whole("r", SUBJECT) == (None, None)
    assert store.get_body("r", SUBJECT) is None
    with pytest.raises(ObjectGone):
        store.content(BodyRow.under(keys.body("r", SUBJECT), ulid="u", s3_key="bodies/r/lost"))


def test_edges_name_each_blob_and_child_once_with_the_ulid_of_the_push(backend: Backend, store: ManifestStore) -> None:
    blob, config = Digest.of(b"layer"), Digest.of(b"config")
    image, index = a_manifest([blob, blob], config), an_index([SUBJECT, SUBJECT])
    for manifest in (image, index):
        store.write_edges("r", manifest, "ULID", 70)

    edges = {(row["sk"], row["ulid"]) for row in rows_like(backend, "R#r")}
    assert edges == {
        (f"USES#{blob}#{image.digest}", "ULID"),
        (f"USES#{config}#{image.digest}", "ULID"),
        (f"PARENT#{SUBJECT}#{index.digest}", "ULID"),
    }
    assert due_at("garbage", keys.manifest_target("r", image.digest)) == 70


def test_states_are_written_only_over_the_version_that_was_read(backend: Backend, store: ManifestStore) -> None:
    put(store, a_row(SUBJECT), None)
    stored = store.get("r", SUBJECT)
    put(store, a_row(SUBJECT), stored)
    now = store.get("r", SUBJECT)

    assert now is not None
    assert now.version == 1
    for stale in (stored, None):
        with pytest.raises(WriteConflict):
            put(store, a_row(SUBJECT), stale)


def test_a_renewal_extends_the_lease_and_makes_a_condemned_manifest_live(
    backend: Backend, store: ManifestStore
) -> None:
    put(store, a_row(SUBJECT, state=CONDEMNED), None)
    row = store.get("r", SUBJECT)
    assert row is not None
    store.renew(row, "target", 90)
    after = store.get("r", SUBJECT)

    assert after is not None
    assert (after.state, after.leased_until, after.version) == ("live", 90, 1)
    assert due_at("garbage", "target") == 90
    with pytest.raises(WriteConflict):
        store.renew(row, "target", 99)


@pytest.mark.parametrize(
    ("fields", "living", "pullable"),
    [
        ({}, True, True),
        ({"state": CONDEMNED}, True, True),
        ({"deleted_at": 1}, True, False),
        ({"state": DELETING}, False, False),
    ],
    ids=str,
)
def test_a_manifest_can_be_pulled_if_it_is_live_and_not_deleted(
    fields: dict[str, object], living: bool, pullable: bool
) -> None:
    row = a_row(SUBJECT, **fields)

    assert (row.is_living, row.is_pullable) == (living, pullable)


@pytest.mark.parametrize("over", [0, 1])
def test_annotations_above_8_kb_are_not_stored_in_the_edge(backend: Backend, store: ManifestStore, over: int) -> None:
    """The limit counts bytes of UTF-8, of which an umlaut has two."""
    frame = len(json.dumps({"a": ""}, separators=(",", ":")))
    text = "\u00e4" + "x" * (LARGEST_ANNOTATIONS + over - frame - 2)
    manifest = a_manifest(subject=SUBJECT, annotations={"a": text})
    transaction = Transaction()
    store.put_referrer(transaction, "r", manifest, "u")
    transaction.commit()
    (row,) = store.referrers("r", SUBJECT, None, 10)

    assert (row.annotations is None) == bool(over)
    assert over or json.loads(row.annotations or "") == {"a": text}


def test_referrers_are_listed_by_digest_after_a_digest(backend: Backend, store: ManifestStore) -> None:
    digests = sorted((Digest.of(bytes([number])) for number in range(5)), key=str)
    for digest in digests:
        key = keys.referrer("r", SUBJECT, digest)
        ReferrerRow.under(key, digest=str(digest), media_type="t", size=1, ulid="u").save()

    def listed(after: Digest | None, limit: int) -> list[str]:
        return [row.digest for row in store.referrers("r", SUBJECT, after, limit)]

    expected = [str(digest) for digest in digests]
    assert listed(None, 10) == expected
    assert listed(digests[1], 2) == expected[2:4]
    assert listed(digests[4], 2) == []
    assert list(store.referrers("r", Digest.of(b"other"), None, 10)) == []


def test_a_deleted_referrer_is_marked_and_a_missing_one_is_a_write_conflict(
    backend: Backend, store: ManifestStore
) -> None:
    manifest = a_manifest(subject=SUBJECT)
    row = a_row(manifest.digest, subject=SUBJECT)

    def hide() -> None:
        transaction = Transaction()
        store.hide_referrer(transaction, "r", row, manifest.digest, 7)
        transaction.commit()

    with pytest.raises(WriteConflict):
        hide()
    transaction = Transaction()
    store.put_referrer(transaction, "r", manifest, "u")
    transaction.commit()
    hide()

    assert [edge.deleted_at for edge in store.referrers("r", SUBJECT, None, 10)] == [7]


def test_the_bytes_of_a_live_manifest_get_the_ulid_of_a_new_push(backend: Backend, store: ManifestStore) -> None:
    manifest = a_manifest()
    transaction = Transaction()
    store.move_body(transaction, "r", manifest.digest, "new")
    with pytest.raises(WriteConflict):
        transaction.commit()
    store.put_body("r", manifest, "old").save()
    transaction = Transaction()
    store.move_body(transaction, "r", manifest.digest, "new")
    transaction.commit()
    row = get(BodyRow, keys.body("r", manifest.digest))

    assert row is not None
    assert (row.ulid, row.content) == ("new", manifest.content)


def test_the_tags_of_a_manifest_are_found_by_its_edges(backend: Backend, store: ManifestStore) -> None:
    for tag, until in (("v1", 5), ("v2", 9)):
        tagged_row("r", SUBJECT, tag, until).save()
    tagged_row("r", Digest.of(b"other"), "v3", 1).save()

    assert [(row.tag, row.until) for row in store.tagged("r", SUBJECT)] == [("v1", 5), ("v2", 9)]
