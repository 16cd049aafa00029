"""Storage of blobs: link, sizes, blob and timer are written together, if they are as they were read."""

from typing import Any

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.expiry_labels import Lifetime
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.repositories import Repository
from chalicelib.storage import keys
from chalicelib.storage.registry.blobs import BlobLinkRow, BlobRow, BlobStore, LinkableBlob, StoredContent, UsesRow
from chalicelib.storage.table import Batch, Transaction, WriteConflict, get
from tests.support.backends import Backend
from tests.support.rows import CONDEMNED, DELETING, change, due_at, linked_bytes, rows_like

STORE = BlobStore()
DIGEST = Digest.of(b"bytes")


def a_repository(name: str = "admin/app") -> Repository:
    return Repository(ulid(), "n", RepositoryName.parse(name))


def linkable(repository: Repository) -> LinkableBlob:
    batch = Batch()
    view = LinkableBlob(batch, repository, DIGEST)
    batch.read()
    return view


def link(
    repository: Repository, view: LinkableBlob | None = None, key: str = "in/a", until: int = 50, **more: Any
) -> None:
    transaction = Transaction()
    STORE.link(transaction, view or linkable(repository), repository, StoredContent(5, key, **more), until)
    transaction.commit()


def test_a_link_is_written_on_both_sides_with_sizes_blob_and_timer(backend: Backend) -> None:
    repository = a_repository()
    link(repository)
    view = STORE.view(repository.id, DIGEST)

    assert view.link is not None
    assert view.blob is not None
    assert (view.link.size, view.link.leased_until, view.blob.s3_key, view.blob.size) == (5, 50, "in/a", 5)
    assert STORE.linked_from(DIGEST, 10) == [repository.id]
    assert linked_bytes(backend, repository) == (5, 5, 5)
    assert due_at("garbage", keys.blob_target(repository.id, DIGEST)) == 50


def test_a_renewed_link_is_counted_once_and_keeps_the_s3_key(backend: Backend) -> None:
    repository = a_repository()
    link(repository)
    link(repository, key="in/b", until=90)
    view = STORE.view(repository.id, DIGEST)

    assert view.link is not None
    assert view.blob is not None
    assert (view.blob.s3_key, view.link.leased_until) == ("in/a", 90)
    assert linked_bytes(backend, repository) == (5, 5, 5)
    assert due_at("garbage", keys.blob_target(repository.id, DIGEST)) == 90


@pytest.mark.parametrize(("state", "kept"), [(CONDEMNED, "in/a"), (DELETING, "in/b")])
def test_condemned_bytes_are_used_again_unless_they_are_being_deleted(backend: Backend, state: str, kept: str) -> None:
    link(a_repository())
    change(get(BlobRow, keys.blob(DIGEST)), state=state)
    link(a_repository("admin/other"), key="in/b")
    row = get(BlobRow, keys.blob(DIGEST))

    assert row is not None
    assert (row.state, row.s3_key) == ("live", kept)


def test_a_blob_in_two_repositories_counts_once_for_their_namespace(backend: Backend) -> None:
    first, second = a_repository(), a_repository("admin/other")
    link(first)
    assert linkable(second).added(5) == 0
    link(second)

    assert linked_bytes(backend, first) == linked_bytes(backend, second) == (5, 5, 5)


def test_a_blob_may_be_linked_again_without_what_the_namespace_has(backend: Backend) -> None:
    repository = a_repository()
    link(repository)
    transaction = Transaction()
    STORE.renew(transaction, STORE.view(repository.id, DIGEST), StoredContent(5, "in/b"), 70)
    transaction.commit()
    renewed = linkable(repository).link

    assert renewed is not None
    assert renewed.leased_until == 70
    assert linked_bytes(backend, repository) == (5, 5, 5)


@pytest.mark.parametrize("change_between", ["lease", "state", "first link", "blob"])
def test_linking_after_a_change_of_what_was_read_is_a_write_conflict(backend: Backend, change_between: str) -> None:
    repository = a_repository()
    if change_between != "first link":
        link(repository)
    stale = linkable(repository)
    if change_between == "first link":
        link(repository)
    elif change_between == "blob":
        change(get(BlobRow, keys.blob(DIGEST)), state=CONDEMNED)
    else:
        row = get(BlobLinkRow, keys.blob_link(repository.id, DIGEST))
        change(row, **({"leased_until": 60} if change_between == "lease" else {"state": CONDEMNED}))
    before = rows_like(backend)

    with pytest.raises(WriteConflict):
        link(repository, stale, until=99)
    assert rows_like(backend) == before


def test_a_link_does_not_count_while_it_or_its_blob_is_being_deleted(backend: Backend) -> None:
    repository = a_repository()
    link(repository)
    change(get(BlobRow, keys.blob(DIGEST)), state=DELETING)
    view = STORE.view(repository.id, DIGEST)
    assert (view.link, view.blob) == (None, None)
    assert view.stored_link is not None

    change(get(BlobRow, keys.blob(DIGEST)), state="live")
    change(get(BlobLinkRow, keys.blob_link(repository.id, DIGEST)), state=DELETING)
    view = STORE.view(repository.id, DIGEST)
    assert view.link is None
    assert view.blob is not None


def test_labels_found_in_a_blob_are_kept_when_its_lease_is_renewed(backend: Backend) -> None:
    repository = a_repository()
    link(repository, seen=Lifetime("2w"))
    link(repository)
    row = STORE.view(repository.id, DIGEST).link

    assert row is not None
    assert row.seen == Lifetime("2w")


def test_an_unsearched_blob_differs_from_one_without_a_label(backend: Backend) -> None:
    first, second = a_repository(), a_repository("admin/other")
    link(first)
    link(second, seen=Lifetime(None))
    unseen, seen = (STORE.view(repository.id, DIGEST).link for repository in (first, second))

    assert unseen is not None
    assert seen is not None
    assert (unseen.seen, seen.seen) == (None, Lifetime(None))


def test_a_delete_hides_the_link_ends_its_lease_and_schedules_the_collector(backend: Backend) -> None:
    repository = a_repository()
    link(repository)
    row = get(BlobLinkRow, keys.blob_link(repository.id, DIGEST))
    assert row is not None
    STORE.delete(repository.id, row, DIGEST, 20.5)
    after = get(BlobLinkRow, row.key)

    assert after is not None
    assert (after.deleted_at, after.leased_until) == (20.5, 20)
    assert due_at("garbage", keys.blob_target(repository.id, DIGEST)) == 20
    with pytest.raises(WriteConflict):
        STORE.delete(repository.id, row, DIGEST, 30)


def test_manifests_and_repositories_that_have_a_blob_are_found(backend: Backend) -> None:
    manifest, other = Digest.of(b"manifest"), Digest.of(b"other")
    for blob, user in ((DIGEST, manifest), (other, other)):
        UsesRow.under(keys.uses("r", blob, user), manifest=str(user), ulid="u").save()
    repositories = [a_repository(f"admin/r{number}") for number in range(4)]
    for repository in repositories:
        link(repository)

    assert STORE.users("r", DIGEST) == [manifest]
    assert STORE.users("other", DIGEST) == []
    assert STORE.linked_from(DIGEST, 3) == sorted(repository.id for repository in repositories)[:3]
