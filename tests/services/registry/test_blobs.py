"""Finds, mounts, adopts and deletes blobs, in every state in which a collector may leave them."""

import os
import time
from collections.abc import Callable

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobInUse, BlobUnknown
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, Role
from chalicelib.domain.repositories import Visibility
from chalicelib.domain.timers import GARBAGE
from chalicelib.storage import keys
from chalicelib.storage.registry.blobs import BlobLinkRow, BlobRow, FenceRow
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import (
    a_blob,
    a_direct_upload,
    a_manifest,
    a_repository,
    an_actor_with_role,
    push_image,
    push_manifest,
    token_actor,
)
from tests.support.rows import DELETING, change, due_at, linked_bytes, object_keys, repository_of, rows_like
from tests.support.sweeping import sweep

NAME = RepositoryName.parse("admin/app")
BASE = RepositoryName.parse("admin/base")
CONTENT = b"some layer" * 10
DIGEST = Digest.of(CONTENT)


def link_of(backend: Backend, repository: str = "admin/app") -> BlobLinkRow:
    row = get(BlobLinkRow, keys.blob_link(repository_of(backend, repository).id, DIGEST))
    assert row is not None
    return row


def lease_left(backend: Backend) -> float:
    return link_of(backend).leased_until - backend.clock()


def is_visible(
    backend: Backend, actor: Actor | None = None, repository: str = "admin/app", *, promise: bool = False
) -> bool:
    actor = actor or token_actor(backend, "admin", repository)
    try:
        backend.services.registry.blobs.find(actor, RepositoryName.parse(repository), DIGEST, promise=promise)
    except BlobUnknown:
        return False
    return True


@pytest.mark.parametrize(("passed", "is_renewed"), [(0.3, False), (0.49, False), (0.51, True), (0.9, True), (5, True)])
def test_a_head_renews_a_lease_of_which_less_than_half_is_left(
    backend: Backend, passed: float, is_renewed: bool
) -> None:
    a_blob(backend, CONTENT)
    before = link_of(backend).leased_until
    backend.clock.ahead_s = backend.settings.lease_s * passed

    assert is_visible(backend, promise=True)

    assert (link_of(backend).leased_until > before) == is_renewed
    if is_renewed:
        assert lease_left(backend) > backend.settings.lease_s - 5
    target = keys.blob_target(repository_of(backend).id, DIGEST)
    assert due_at("garbage", target) == link_of(backend).leased_until


@pytest.mark.parametrize("why", ["a reader's head", "a pusher's get"])
def test_only_a_head_by_a_pusher_renews_a_lease(backend: Backend, why: str) -> None:
    a_blob(backend, CONTENT)
    backend.user("bob")
    reader = an_actor_with_role(backend, "bob", Role.READ)
    backend.clock.ahead_s = backend.settings.lease_s * 0.9
    before = rows_like(backend)

    assert is_visible(backend, reader, promise=True) if why == "a reader's head" else is_visible(backend)

    assert rows_like(backend) == before


def test_a_pushed_blob_has_a_lease_and_a_timer_of_the_collector_at_its_end(backend: Backend) -> None:
    a_blob(backend, CONTENT)

    assert backend.settings.lease_s - 5 < lease_left(backend) <= backend.settings.lease_s
    assert due_at("garbage", keys.blob_target(repository_of(backend).id, DIGEST)) == link_of(backend).leased_until


def test_a_blob_that_is_found_has_size_and_key_of_its_bytes(backend: Backend) -> None:
    a_blob(backend, CONTENT)

    found = backend.services.registry.blobs.find(token_actor(backend, "admin", "admin/app"), NAME, DIGEST)

    assert found.size == len(CONTENT)
    assert backend.services.stores.objects.get(found.s3_key) == CONTENT


def test_the_same_blob_in_two_repositories_is_stored_once_and_counted_in_both(
    backend: Backend,
) -> None:
    a_blob(backend, CONTENT, "admin/base")
    a_blob(backend, CONTENT)

    app, base = repository_of(backend), repository_of(backend, "admin/base")
    assert object_keys(backend, f"in/{app.id}/") == []
    assert len(object_keys(backend, f"in/{base.id}/")) == 1
    assert linked_bytes(backend, app) == linked_bytes(backend, base) == (len(CONTENT),) * 3


def test_sizes_stay_exact_through_push_re_push_mount_delete_and_adoption(backend: Backend) -> None:
    for _ in range(3):
        a_blob(backend, CONTENT)
        invariants.check(backend)
    for _ in range(2):
        mount(backend, "admin", "admin/other", "admin/app")
        invariants.check(backend)
    backend.services.registry.blobs.delete(token_actor(backend, "admin", "admin/app"), NAME, DIGEST)
    invariants.check(backend)
    a_blob(backend, CONTENT)
    invariants.check(backend)
    adopted = os.urandom(77)
    a_direct_upload(backend, adopted)
    backend.services.registry.blobs.find(token_actor(backend, "admin", "admin/app"), NAME, Digest.of(adopted))
    invariants.check(backend)

    size = len(CONTENT) + len(adopted)
    assert linked_bytes(backend, repository_of(backend)) == (size, size, size)


def test_an_empty_blob_can_be_pushed(backend: Backend) -> None:
    digest = a_blob(backend, b"")

    assert backend.services.registry.blobs.find(token_actor(backend, "admin", "admin/app"), NAME, digest).size == 0
    assert set(linked_bytes(backend, repository_of(backend))) == {0}


def mount(backend: Backend, who: str, target: str, source: str | None, digest: Digest = DIGEST) -> bool:
    actor = token_actor(backend, who, target, *([source] if source else []))
    repository = backend.services.registry.repositories.for_push(actor, RepositoryName.parse(target))
    name = RepositoryName.parse(source) if source else None
    return backend.services.registry.blobs.mount(actor, repository, digest, name)


def test_a_mount_is_refused_in_the_same_way_for_an_unreadable_a_missing_and_an_empty_repository(
    backend: Backend,
) -> None:
    a_blob(backend, CONTENT, "admin/secret")
    backend.user("bob")
    a_repository(backend, "bob/empty")
    a_repository(backend, "bob/app")
    before = rows_like(backend)

    for source in ("admin/secret", "admin/missing", "nobody/missing", "bob/empty", "bob/missing"):
        assert not mount(backend, "bob", "bob/app", source)

    assert rows_like(backend) == before


def test_a_mount_needs_a_token_for_its_source_too(backend: Backend) -> None:
    a_blob(backend, CONTENT, "admin/base")
    target = a_repository(backend)

    assert not backend.services.registry.blobs.mount(token_actor(backend, "admin", "admin/app"), target, DIGEST, BASE)


@pytest.mark.parametrize("source", ["admin/secret", None])
def test_a_mount_from_a_repository_with_a_role_succeeds(backend: Backend, source: str | None) -> None:
    a_blob(backend, CONTENT, "admin/secret")
    backend.user("bob")
    an_actor_with_role(backend, "bob", Role.READ, "admin/secret")

    assert mount(backend, "bob", "bob/app", source)
    invariants.check(backend)


def test_a_mount_without_a_source_uses_only_repositories_that_the_actor_may_read(backend: Backend) -> None:
    a_blob(backend, CONTENT, "admin/secret")
    backend.user("bob")

    assert not mount(backend, "bob", "bob/app", None)

    a_blob(backend, CONTENT, "admin/open")
    owner = token_actor(backend, "admin", "admin/open")
    backend.services.registry.repositories.change_visibility(
        owner, RepositoryName.parse("admin/open"), Visibility.PUBLIC
    )

    assert mount(backend, "bob", "bob/app", None)
    invariants.check(backend)


def test_a_mount_without_a_source_uses_the_actors_own_repositories(backend: Backend) -> None:
    a_blob(backend, CONTENT, "admin/base")

    assert mount(backend, "admin", "admin/app", None)
    assert not mount(backend, "admin", "admin/app", None, Digest.of(b"never pushed"))


@pytest.mark.parametrize("state", [DELETING, "deleted"])
def test_a_mount_without_a_source_skips_repositories_where_the_blob_is_deleted(backend: Backend, state: str) -> None:
    for repository in ("admin/one", "admin/two"):
        a_blob(backend, CONTENT, repository)
    first = min((repository_of(backend, name) for name in ("admin/one", "admin/two")), key=lambda it: it.id)
    row = get(BlobLinkRow, keys.blob_link(first.id, DIGEST))
    change(row, **({"deleted_at": 1} if state == "deleted" else {"state": state}))

    assert mount(backend, "admin", "admin/app", None)


def test_a_mounted_config_keeps_its_expiry_label(backend: Backend) -> None:
    content = b'{"config": {"Labels": {"quay.expires-after": "2h"}}}'
    digest = a_blob(backend, content, "admin/base")

    assert mount(backend, "admin", "admin/app", "admin/base", digest)

    row = get(BlobLinkRow, keys.blob_link(repository_of(backend).id, digest))
    assert (row.sniffed, row.expires_after) == (1, "2h")


def test_a_blob_mounted_from_its_own_repository_does_not_change(backend: Backend) -> None:
    a_blob(backend, CONTENT)

    assert mount(backend, "admin", "admin/app", "admin/app")
    invariants.check(backend)


def test_a_direct_upload_is_adopted_in_place(backend: Backend) -> None:
    key = a_direct_upload(backend, CONTENT)

    found = backend.services.registry.blobs.find(token_actor(backend, "admin", "admin/app"), NAME, DIGEST)

    assert (found.s3_key, found.size) == (key, len(CONTENT))
    assert lease_left(backend) > backend.settings.lease_s - 5
    assert due_at("garbage", keys.blob_target(repository_of(backend).id, DIGEST)) == link_of(backend).leased_until
    invariants.check(backend)


def test_a_manifest_that_names_a_direct_upload_adopts_it(backend: Backend) -> None:
    a_direct_upload(backend, CONTENT)

    push_manifest(backend, a_manifest([DIGEST]), "v1")

    invariants.check(backend)


def test_a_head_by_a_reader_adopts_no_direct_upload(backend: Backend) -> None:
    a_direct_upload(backend, CONTENT)
    backend.user("bob")
    before = rows_like(backend, "R#", "BLOB#")

    assert not is_visible(backend, an_actor_with_role(backend, "bob", Role.READ), promise=True)

    assert rows_like(backend, "R#", "BLOB#") == before == []


def test_a_direct_upload_into_another_repository_is_not_adopted(backend: Backend) -> None:
    a_direct_upload(backend, CONTENT, repository="admin/base")
    a_repository(backend)

    assert not is_visible(backend)


def test_a_registry_without_an_upload_edge_looks_for_no_direct_uploads(new_backend: Callable[..., Backend]) -> None:
    backend = new_backend(edge="off")
    a_direct_upload(backend, CONTENT)
    backend.calls.take()

    assert not is_visible(backend)
    assert "ListObjectsV2" not in backend.calls.take()


def test_a_fenced_key_is_not_adopted(backend: Backend) -> None:
    key = a_direct_upload(backend, CONTENT)
    FenceRow.under(keys.fence(key), expires_at=int(backend.clock()) + 100).save()

    assert not is_visible(backend)
    assert rows_like(backend, "R#", "BLOB#") == []


def test_a_new_direct_upload_is_adopted_although_the_previous_key_is_fenced(backend: Backend) -> None:
    fenced = a_direct_upload(backend, CONTENT)
    FenceRow.under(keys.fence(fenced), expires_at=int(backend.clock()) + 100).save()
    time.sleep(1.1)  # S3 stores times in whole seconds
    key = a_direct_upload(backend, CONTENT)

    assert backend.services.registry.blobs.find(token_actor(backend, "admin", "admin/app"), NAME, DIGEST).s3_key == key


def test_a_direct_upload_of_a_blob_that_exists_is_linked_to_the_existing_bytes(backend: Backend) -> None:
    a_blob(backend, CONTENT, "admin/base")
    kept = get(BlobRow, keys.blob(DIGEST)).s3_key
    a_direct_upload(backend, CONTENT)

    assert backend.services.registry.blobs.find(token_actor(backend, "admin", "admin/app"), NAME, DIGEST).s3_key == kept
    invariants.check(backend)


def test_a_deleted_blob_cannot_be_pulled_and_its_collector_is_due_at_once(backend: Backend) -> None:
    a_blob(backend, CONTENT)

    backend.services.registry.blobs.delete(token_actor(backend, "admin", "admin/app"), NAME, DIGEST)

    assert not is_visible(backend, promise=True)
    assert not mount(backend, "admin", "admin/other", "admin/app")
    assert due_at("garbage", keys.blob_target(repository_of(backend).id, DIGEST)) <= backend.clock()
    with pytest.raises(BlobUnknown):
        backend.services.registry.blobs.delete(token_actor(backend, "admin", "admin/app"), NAME, DIGEST)


def test_a_deleted_blob_that_is_pushed_again_can_be_pulled(backend: Backend) -> None:
    a_blob(backend, CONTENT)
    backend.services.registry.blobs.delete(token_actor(backend, "admin", "admin/app"), NAME, DIGEST)

    a_blob(backend, CONTENT)

    assert is_visible(backend)
    invariants.check(backend)


def test_a_deleted_blob_that_is_uploaded_directly_again_can_be_pulled(backend: Backend) -> None:
    a_direct_upload(backend, CONTENT, backend.clock() - 10)
    assert is_visible(backend)
    backend.services.registry.blobs.delete(token_actor(backend, "admin", "admin/app"), NAME, DIGEST)
    assert not is_visible(backend), "its old bytes do not bring it back"
    sweep(backend, GARBAGE)
    assert (rows_like(backend, "R#", "BLOB#"), is_visible(backend)) == ([], False), "nor do they without its link"

    a_direct_upload(backend, CONTENT, backend.clock() + 10)

    assert is_visible(backend)
    invariants.check(backend)


def test_a_deleted_blob_stays_in_another_repository(backend: Backend) -> None:
    a_blob(backend, CONTENT)
    a_blob(backend, CONTENT, "admin/base")
    backend.services.registry.blobs.delete(token_actor(backend, "admin", "admin/app"), NAME, DIGEST)

    assert is_visible(backend, repository="admin/base")


def test_a_blob_that_a_pullable_manifest_uses_is_not_deleted(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    layer = manifest.blobs[-1].digest
    before = rows_like(backend)

    with pytest.raises(BlobInUse) as refused:
        backend.services.registry.blobs.delete(token_actor(backend, "admin", "admin/app"), NAME, layer)

    assert (refused.value.digest, refused.value.manifest) == (str(layer), str(manifest.digest))
    assert rows_like(backend) == before


def test_a_blob_whose_manifest_was_deleted_can_be_deleted(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    actor = token_actor(backend, "admin", "admin/app")
    backend.services.registry.manifests.delete(actor, NAME, manifest.digest)

    backend.services.registry.blobs.delete(actor, NAME, manifest.blobs[-1].digest)

    with pytest.raises(BlobUnknown):
        backend.services.registry.blobs.find(actor, NAME, manifest.blobs[-1].digest)


def test_a_deleted_blob_can_be_pulled_again_when_a_manifest_that_uses_it_is_restored(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    layer, actor = manifest.blobs[-1].digest, token_actor(backend, "admin", "admin/app")
    backend.services.registry.manifests.delete(actor, NAME, manifest.digest)
    a_blob(backend, CONTENT)
    backend.services.registry.blobs.delete(actor, NAME, DIGEST)
    row = get(BlobLinkRow, keys.blob_link(repository_of(backend).id, layer))
    change(row, deleted_at=int(backend.clock()))

    change(get(ManifestRow, keys.manifest(repository_of(backend).id, manifest.digest)), deleted_at=None)

    assert backend.services.registry.blobs.find(actor, NAME, layer).digest == layer
