"""Blobs of a repository: found, promised, mounted, adopted, deleted, in whatever state a collector left them."""

import os
import time

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
from tests.support.backends import House
from tests.support.builders import (
    a_bare_push,
    a_blob,
    a_granted,
    a_manifest,
    a_push,
    a_repository,
    at_the_edge,
    someone,
)
from tests.support.rows import DELETING, change, due_at, linked_bytes, object_keys, repository_of, rows_like
from tests.support.sweeping import sweep

NAME = RepositoryName.parse("admin/app")
BASE = RepositoryName.parse("admin/base")
CONTENT = b"some layer" * 10
DIGEST = Digest.of(CONTENT)


def link_of(house: House, repository: str = "admin/app") -> BlobLinkRow:
    row = get(BlobLinkRow, keys.blob_link(repository_of(house, repository).id, DIGEST))
    assert row is not None
    return row


def lease_left(house: House) -> float:
    return link_of(house).leased_until - house.clock()


def is_shown(house: House, actor: Actor | None = None, repository: str = "admin/app", *, promise: bool = False) -> bool:
    actor = actor or someone(house, "admin", repository)
    try:
        house.services.blobs.find(actor, RepositoryName.parse(repository), DIGEST, promise=promise)
    except BlobUnknown:
        return False
    return True


@pytest.mark.parametrize(("passed", "is_renewed"), [(0.3, False), (0.49, False), (0.51, True), (0.9, True), (5, True)])
def test_a_head_renews_a_lease_of_which_less_than_half_is_left(house: House, passed: float, is_renewed: bool) -> None:
    a_blob(house, CONTENT)
    before = link_of(house).leased_until
    house.clock.ahead_s = house.settings.lease_s * passed

    assert is_shown(house, promise=True)

    assert (link_of(house).leased_until > before) == is_renewed
    if is_renewed:
        assert lease_left(house) > house.settings.lease_s - 5
    target = keys.blob_target(repository_of(house).id, DIGEST)
    assert due_at("garbage", target) == link_of(house).leased_until


@pytest.mark.parametrize("why", ["a reader's head", "a pusher's get"])
def test_only_the_head_of_a_pusher_is_a_promise(house: House, why: str) -> None:
    a_blob(house, CONTENT)
    house.user("bob")
    reader = a_granted(house, "bob", Role.READ)
    house.clock.ahead_s = house.settings.lease_s * 0.9
    before = rows_like(house)

    assert is_shown(house, reader, promise=True) if why == "a reader's head" else is_shown(house)

    assert rows_like(house) == before


def test_a_pushed_blob_is_leased_and_its_collector_armed_for_the_leases_end(house: House) -> None:
    a_blob(house, CONTENT)

    assert house.settings.lease_s - 5 < lease_left(house) <= house.settings.lease_s
    assert due_at("garbage", keys.blob_target(repository_of(house).id, DIGEST)) == link_of(house).leased_until


def test_a_found_blob_says_size_and_place_of_its_bytes(house: House) -> None:
    a_blob(house, CONTENT)

    found = house.services.blobs.find(someone(house, "admin", "admin/app"), NAME, DIGEST)

    assert found.size == len(CONTENT)
    assert house.services.objects.get(found.s3_key) == CONTENT


def test_the_same_blob_in_two_repositories_is_stored_once_and_counted_in_both(house: House) -> None:
    a_blob(house, CONTENT, "admin/base")
    a_blob(house, CONTENT)

    app, base = repository_of(house), repository_of(house, "admin/base")
    assert object_keys(house, f"in/{app.id}/") == []
    assert len(object_keys(house, f"in/{base.id}/")) == 1
    assert linked_bytes(house, app) == linked_bytes(house, base) == (len(CONTENT), len(CONTENT), 2 * len(CONTENT))


def test_sizes_stay_exact_through_push_re_push_mount_delete_and_adoption(house: House) -> None:
    for _ in range(3):
        a_blob(house, CONTENT)
        invariants.check(house)
    for _ in range(2):
        mount(house, "admin", "admin/other", "admin/app")
        invariants.check(house)
    house.services.blobs.delete(someone(house, "admin", "admin/app"), NAME, DIGEST)
    invariants.check(house)
    a_blob(house, CONTENT)
    invariants.check(house)
    adopted = os.urandom(77)
    at_the_edge(house, adopted)
    house.services.blobs.find(someone(house, "admin", "admin/app"), NAME, Digest.of(adopted))
    invariants.check(house)

    size = len(CONTENT) + len(adopted)
    assert linked_bytes(house, repository_of(house)) == (size, size, size + len(CONTENT))


def test_an_empty_blob_is_a_blob(house: House) -> None:
    digest = a_blob(house, b"")

    assert house.services.blobs.find(someone(house, "admin", "admin/app"), NAME, digest).size == 0
    assert set(linked_bytes(house, repository_of(house))) == {0}


def mount(house: House, who: str, target: str, source: str | None, digest: Digest = DIGEST) -> bool:
    actor = someone(house, who, target, *([source] if source else []))
    repository = house.services.repositories.for_push(actor, RepositoryName.parse(target))
    name = RepositoryName.parse(source) if source else None
    return house.services.blobs.mount(actor, repository, digest, name)


def test_a_mount_from_an_unreadable_a_missing_and_an_empty_repository_is_refused_alike(house: House) -> None:
    a_blob(house, CONTENT, "admin/secret")
    house.user("bob")
    a_repository(house, "bob/empty")
    a_repository(house, "bob/app")
    before = rows_like(house)

    for source in ("admin/secret", "admin/missing", "nobody/missing", "bob/empty", "bob/missing"):
        assert not mount(house, "bob", "bob/app", source)

    assert rows_like(house) == before


def test_a_mount_needs_a_token_for_its_source_too(house: House) -> None:
    a_blob(house, CONTENT, "admin/base")
    target = a_repository(house)

    assert not house.services.blobs.mount(someone(house, "admin", "admin/app"), target, DIGEST, BASE)


@pytest.mark.parametrize("source", ["admin/secret", None])
def test_a_mount_from_what_one_was_granted_is_done(house: House, source: str | None) -> None:
    a_blob(house, CONTENT, "admin/secret")
    house.user("bob")
    a_granted(house, "bob", Role.READ, "admin/secret")

    assert mount(house, "bob", "bob/app", source)
    invariants.check(house)


def test_a_mount_that_names_no_source_takes_only_from_what_one_may_read(house: House) -> None:
    a_blob(house, CONTENT, "admin/secret")
    house.user("bob")

    assert not mount(house, "bob", "bob/app", None)

    a_blob(house, CONTENT, "admin/open")
    owner = someone(house, "admin", "admin/open")
    house.services.repositories.change_visibility(owner, RepositoryName.parse("admin/open"), Visibility.PUBLIC)

    assert mount(house, "bob", "bob/app", None)
    invariants.check(house)


def test_a_mount_that_names_no_source_takes_from_ones_own(house: House) -> None:
    a_blob(house, CONTENT, "admin/base")

    assert mount(house, "admin", "admin/app", None)
    assert not mount(house, "admin", "admin/app", None, Digest.of(b"never pushed"))


@pytest.mark.parametrize("state", [DELETING, "deleted"])
def test_a_mount_that_names_no_source_passes_over_a_source_that_no_longer_shows_the_blob(
    house: House, state: str
) -> None:
    """Whichever of the two comes first."""
    for repository in ("admin/one", "admin/two"):
        a_blob(house, CONTENT, repository)
    first = min((repository_of(house, name) for name in ("admin/one", "admin/two")), key=lambda it: it.id)
    row = get(BlobLinkRow, keys.blob_link(first.id, DIGEST))
    change(row, **({"deleted_at": 1} if state == "deleted" else {"state": state}))

    assert mount(house, "admin", "admin/app", None)


def test_a_mounted_config_keeps_what_was_seen_in_it(house: House) -> None:
    content = b'{"config": {"Labels": {"quay.expires-after": "2h"}}}'
    digest = a_blob(house, content, "admin/base")

    assert mount(house, "admin", "admin/app", "admin/base", digest)

    row = get(BlobLinkRow, keys.blob_link(repository_of(house).id, digest))
    assert (row.sniffed, row.expires_after) == (1, "2h")


def test_a_blob_mounted_onto_itself_stays_as_it_is(house: House) -> None:
    a_blob(house, CONTENT)

    assert mount(house, "admin", "admin/app", "admin/app")
    invariants.check(house)


def test_a_blob_from_the_edge_is_adopted_where_it_lies(house: House) -> None:
    key = at_the_edge(house, CONTENT)

    found = house.services.blobs.find(someone(house, "admin", "admin/app"), NAME, DIGEST)

    assert (found.s3_key, found.size) == (key, len(CONTENT))
    assert lease_left(house) > house.settings.lease_s - 5
    assert due_at("garbage", keys.blob_target(repository_of(house).id, DIGEST)) == link_of(house).leased_until
    invariants.check(house)


def test_a_manifest_that_names_a_blob_at_the_edge_adopts_it(house: House) -> None:
    at_the_edge(house, CONTENT)

    a_bare_push(house, a_manifest([DIGEST]), "v1")

    invariants.check(house)


def test_a_reader_adopts_nothing(house: House) -> None:
    at_the_edge(house, CONTENT)
    house.user("bob")
    before = rows_like(house, "R#", "BLOB#")

    assert not is_shown(house, a_granted(house, "bob", Role.READ), promise=True)

    assert rows_like(house, "R#", "BLOB#") == before == []


def test_a_blob_of_another_repository_at_the_edge_is_not_adopted_here(house: House) -> None:
    at_the_edge(house, CONTENT, repository="admin/base")
    a_repository(house)

    assert not is_shown(house)


def test_a_house_without_an_edge_looks_for_nothing_there(new_house) -> None:
    house = new_house(edge="off")
    at_the_edge(house, CONTENT)
    house.calls.take()

    assert not is_shown(house)
    assert "ListObjectsV2" not in house.calls.take()


def test_a_fenced_key_is_not_adopted(house: House) -> None:
    key = at_the_edge(house, CONTENT)
    FenceRow.under(keys.fence(key), expires_at=int(house.clock()) + 100).save()

    assert not is_shown(house)
    assert rows_like(house, "R#", "BLOB#") == []


def test_a_blob_pushed_again_to_the_edge_is_adopted_beside_its_fenced_forerunner(house: House) -> None:
    fenced = at_the_edge(house, CONTENT)
    FenceRow.under(keys.fence(fenced), expires_at=int(house.clock()) + 100).save()
    time.sleep(1.1)  # S3 tells times by the second
    key = at_the_edge(house, CONTENT)

    assert house.services.blobs.find(someone(house, "admin", "admin/app"), NAME, DIGEST).s3_key == key


def test_an_edge_blob_that_the_registry_has_elsewhere_is_linked_to_the_bytes_it_has(house: House) -> None:
    a_blob(house, CONTENT, "admin/base")
    kept = get(BlobRow, keys.blob(DIGEST)).s3_key
    at_the_edge(house, CONTENT)

    assert house.services.blobs.find(someone(house, "admin", "admin/app"), NAME, DIGEST).s3_key == kept
    invariants.check(house)


def test_a_deleted_blob_is_gone_for_everyone_and_its_collector_woken_at_once(house: House) -> None:
    a_blob(house, CONTENT)

    house.services.blobs.delete(someone(house, "admin", "admin/app"), NAME, DIGEST)

    assert not is_shown(house, promise=True)
    assert not mount(house, "admin", "admin/other", "admin/app")
    assert due_at("garbage", keys.blob_target(repository_of(house).id, DIGEST)) <= house.clock()
    with pytest.raises(BlobUnknown):
        house.services.blobs.delete(someone(house, "admin", "admin/app"), NAME, DIGEST)


def test_a_deleted_blob_that_is_pushed_again_is_back(house: House) -> None:
    a_blob(house, CONTENT)
    house.services.blobs.delete(someone(house, "admin", "admin/app"), NAME, DIGEST)

    a_blob(house, CONTENT)

    assert is_shown(house)
    invariants.check(house)


def test_a_deleted_blob_that_is_pushed_again_to_the_edge_is_back(house: House) -> None:
    at_the_edge(house, CONTENT, house.clock() - 10)
    assert is_shown(house)
    house.services.blobs.delete(someone(house, "admin", "admin/app"), NAME, DIGEST)
    assert not is_shown(house), "its old bytes do not bring it back"
    sweep(house, GARBAGE)
    assert (rows_like(house, "R#", "BLOB#"), is_shown(house)) == ([], False), "nor do they without its link"

    at_the_edge(house, CONTENT, house.clock() + 10)

    assert is_shown(house)
    invariants.check(house)


def test_a_deleted_blob_stays_where_another_repository_has_it(house: House) -> None:
    a_blob(house, CONTENT)
    a_blob(house, CONTENT, "admin/base")
    house.services.blobs.delete(someone(house, "admin", "admin/app"), NAME, DIGEST)

    assert is_shown(house, repository="admin/base")


def test_a_blob_that_a_pullable_manifest_uses_is_not_deleted(house: House) -> None:
    manifest = a_push(house, "v1")
    layer = manifest.blobs[-1].digest
    before = rows_like(house)

    with pytest.raises(BlobInUse) as refused:
        house.services.blobs.delete(someone(house, "admin", "admin/app"), NAME, layer)

    assert (refused.value.digest, refused.value.manifest) == (str(layer), str(manifest.digest))
    assert rows_like(house) == before


def test_a_blob_whose_manifest_was_deleted_can_be_deleted(house: House) -> None:
    manifest = a_push(house, "v1")
    actor = someone(house, "admin", "admin/app")
    house.services.manifests.delete(actor, NAME, manifest.digest)

    house.services.blobs.delete(actor, NAME, manifest.blobs[-1].digest)

    with pytest.raises(BlobUnknown):
        house.services.blobs.find(actor, NAME, manifest.blobs[-1].digest)


def test_a_deleted_blob_shows_again_when_a_manifest_that_uses_it_is_restored(house: House) -> None:
    manifest = a_push(house, "v1")
    layer, actor = manifest.blobs[-1].digest, someone(house, "admin", "admin/app")
    house.services.manifests.delete(actor, NAME, manifest.digest)
    a_blob(house, CONTENT)
    house.services.blobs.delete(actor, NAME, DIGEST)
    row = get(BlobLinkRow, keys.blob_link(repository_of(house).id, layer))
    change(row, deleted_at=int(house.clock()))

    change(get(ManifestRow, keys.manifest(repository_of(house).id, manifest.digest)), deleted_at=None)

    assert house.services.blobs.find(actor, NAME, layer).digest == layer
