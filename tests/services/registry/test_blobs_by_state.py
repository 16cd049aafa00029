"""Requests for a blob whose link and bytes are in every state that a collector sets."""

from itertools import product

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUnknown, ManifestBlobUnknown
from chalicelib.domain.names import RepositoryName
from chalicelib.storage import keys
from chalicelib.storage.registry.blobs import BlobLinkRow, BlobRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import a_blob, a_direct_upload, a_manifest, a_repository, push_manifest, token_actor
from tests.support.rows import (
    ABSENT,
    CONDEMNED,
    DELETING,
    LIVE,
    STATES,
    linked_bytes,
    repository_of,
    rows_like,
    set_blob_state,
    set_link_state,
)

NAME = RepositoryName.parse("admin/app")
BASE = RepositoryName.parse("admin/base")
CONTENT = b"some layer" * 10
DIGEST = Digest.of(CONTENT)
LIVING = (LIVE, CONDEMNED)
COMBINATIONS = list(product(STATES, STATES))
every_combination = pytest.mark.parametrize(("link", "blob"), COMBINATIONS, ids=lambda state: state)


def a_scene(backend: Backend, link: str, blob: str, repository: str = "admin/app") -> str:
    """Creates a blob whose link and bytes are in these states; returns the key of the bytes."""
    a_blob(backend, CONTENT, repository)
    key = set_blob_state(backend, DIGEST, blob)
    set_link_state(repository_of(backend, repository), DIGEST, link)
    return key


def link_of(backend: Backend) -> BlobLinkRow:
    row = get(BlobLinkRow, keys.blob_link(repository_of(backend).id, DIGEST))
    assert row is not None
    return row


def is_visible(backend: Backend, *, promise: bool = False) -> bool:
    try:
        backend.services.registry.blobs.find(token_actor(backend, "admin", "admin/app"), NAME, DIGEST, promise=promise)
    except BlobUnknown:
        return False
    return True


@every_combination
def test_a_blob_is_found_if_its_link_and_its_bytes_live(backend: Backend, link: str, blob: str) -> None:
    a_scene(backend, link, blob)

    assert is_visible(backend) == (link in LIVING and blob in LIVING)


@every_combination
def test_a_head_by_a_pusher_makes_a_condemned_blob_live(backend: Backend, link: str, blob: str) -> None:
    a_scene(backend, link, blob)

    if is_visible(backend, promise=True):
        assert link_of(backend).state == LIVE
    if link == CONDEMNED and blob in LIVING:
        invariants.check(backend)
        assert get(BlobRow, keys.blob(DIGEST)).state == LIVE


@every_combination
def test_a_push_leaves_a_live_blob_in_every_former_state(backend: Backend, link: str, blob: str) -> None:
    key_before = a_scene(backend, link, blob)

    a_blob(backend, CONTENT)

    stored = get(BlobRow, keys.blob(DIGEST))
    assert (link_of(backend).state, stored.state) == (LIVE, LIVE)
    assert (stored.s3_key == key_before) == (blob in LIVING), "a dying key is never used again"
    assert set(linked_bytes(backend, repository_of(backend))) == {len(CONTENT)}
    invariants.check(backend)


@every_combination
def test_a_mount_succeeds_only_if_the_blob_can_be_pulled_from_its_source(
    backend: Backend, link: str, blob: str
) -> None:
    a_scene(backend, link, blob, "admin/base")
    target = a_repository(backend)
    before = rows_like(backend)

    mounted = backend.services.registry.blobs.mount(
        token_actor(backend, "admin", "admin/app", "admin/base"), target, DIGEST, BASE
    )

    assert mounted == (link in LIVING and blob in LIVING)
    if mounted:
        assert get(BlobRow, keys.blob(DIGEST)).state == LIVE
        assert is_visible(backend)
    else:
        assert rows_like(backend) == before


@pytest.mark.parametrize("link", STATES)
def test_a_mount_leaves_a_live_link_that_is_counted_once_in_every_former_state(backend: Backend, link: str) -> None:
    a_scene(backend, link, LIVE)
    a_blob(backend, CONTENT, "admin/base")

    actor = token_actor(backend, "admin", "admin/app", "admin/base")
    assert backend.services.registry.blobs.mount(actor, repository_of(backend), DIGEST, BASE)

    assert link_of(backend).state == LIVE
    assert set(linked_bytes(backend, repository_of(backend))) == {len(CONTENT)}
    invariants.check(backend)


@every_combination
def test_a_manifest_may_name_a_blob_exactly_if_it_can_be_pulled(backend: Backend, link: str, blob: str) -> None:
    a_scene(backend, link, blob)
    visible = is_visible(backend)

    try:
        push_manifest(backend, a_manifest([DIGEST]), "v1")
    except ManifestBlobUnknown:
        accepted = False
    else:
        accepted = True

    assert accepted == visible
    if accepted:
        assert (link_of(backend).state, is_visible(backend)) == (LIVE, True)


def test_a_manifest_that_names_a_condemned_blob_renews_its_lease(backend: Backend) -> None:
    a_scene(backend, CONDEMNED, LIVE)
    backend.clock.ahead_s = backend.settings.lease_s * 2

    push_manifest(backend, a_manifest([DIGEST]), "v1")

    assert link_of(backend).leased_until > backend.clock() + backend.settings.lease_s - 5
    invariants.check(backend)


@pytest.mark.parametrize("blob", [DELETING, ABSENT])
def test_a_direct_upload_replaces_bytes_that_are_being_deleted(backend: Backend, blob: str) -> None:
    a_blob(backend, CONTENT)
    set_link_state(repository_of(backend), DIGEST, ABSENT)
    dying = set_blob_state(backend, DIGEST, blob)
    key = a_direct_upload(backend, CONTENT)

    assert (
        backend.services.registry.blobs.find(token_actor(backend, "admin", "admin/app"), NAME, DIGEST).s3_key
        == key
        != dying
    )
    invariants.check(backend)


@pytest.mark.parametrize("link", [DELETING, ABSENT])
def test_a_blob_that_is_not_there_cannot_be_deleted(backend: Backend, link: str) -> None:
    a_scene(backend, link, LIVE)

    with pytest.raises(BlobUnknown):
        backend.services.registry.blobs.delete(token_actor(backend, "admin", "admin/app"), NAME, DIGEST)
