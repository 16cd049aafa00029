"""Blobs whose link and bytes a collector has brought into every state, seen by every request that names them."""

from itertools import product

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUnknown, ManifestBlobUnknown
from chalicelib.domain.names import RepositoryName
from chalicelib.storage import keys
from chalicelib.storage.registry.blobs import BlobLinkRow, BlobRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import House
from tests.support.builders import a_bare_push, a_blob, a_manifest, a_repository, at_the_edge, someone
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


def a_scene(house: House, link: str, blob: str, repository: str = "admin/app") -> str:
    """A blob whose link and bytes are in these states; gives the key of the bytes."""
    a_blob(house, CONTENT, repository)
    key = set_blob_state(house, DIGEST, blob)
    set_link_state(repository_of(house, repository), DIGEST, link)
    return key


def link_of(house: House) -> BlobLinkRow:
    row = get(BlobLinkRow, keys.blob_link(repository_of(house).id, DIGEST))
    assert row is not None
    return row


def is_shown(house: House, *, promise: bool = False) -> bool:
    try:
        house.services.blobs.find(someone(house, "admin", "admin/app"), NAME, DIGEST, promise=promise)
    except BlobUnknown:
        return False
    return True


@every_combination
def test_a_blob_is_shown_when_link_and_bytes_live(house: House, link: str, blob: str) -> None:
    a_scene(house, link, blob)

    assert is_shown(house) == (link in LIVING and blob in LIVING)


@every_combination
def test_a_head_of_somebody_who_may_push_makes_the_condemned_live(house: House, link: str, blob: str) -> None:
    a_scene(house, link, blob)

    if is_shown(house, promise=True):
        assert link_of(house).state == LIVE
    if link == CONDEMNED and blob in LIVING:
        invariants.check(house)
        assert get(BlobRow, keys.blob(DIGEST)).state == LIVE


@every_combination
def test_a_push_leaves_a_live_blob_whatever_was_there(house: House, link: str, blob: str) -> None:
    key_before = a_scene(house, link, blob)

    a_blob(house, CONTENT)

    stored = get(BlobRow, keys.blob(DIGEST))
    assert (link_of(house).state, stored.state) == (LIVE, LIVE)
    assert (stored.s3_key == key_before) == (blob in LIVING), "a dying key is never used again"
    assert set(linked_bytes(house, repository_of(house))) == {len(CONTENT)}
    invariants.check(house)


@every_combination
def test_a_mount_takes_only_what_its_source_shows(house: House, link: str, blob: str) -> None:
    a_scene(house, link, blob, "admin/base")
    target = a_repository(house)
    before = rows_like(house)

    mounted = house.services.blobs.mount(someone(house, "admin", "admin/app", "admin/base"), target, DIGEST, BASE)

    assert mounted == (link in LIVING and blob in LIVING)
    if mounted:
        assert get(BlobRow, keys.blob(DIGEST)).state == LIVE
        assert is_shown(house)
    else:
        assert rows_like(house) == before


@pytest.mark.parametrize("link", STATES)
def test_a_mount_onto_whatever_is_there_leaves_a_live_link_counted_once(house: House, link: str) -> None:
    a_scene(house, link, LIVE)
    a_blob(house, CONTENT, "admin/base")

    actor = someone(house, "admin", "admin/app", "admin/base")
    assert house.services.blobs.mount(actor, repository_of(house), DIGEST, BASE)

    assert link_of(house).state == LIVE
    assert linked_bytes(house, repository_of(house)) == (len(CONTENT), len(CONTENT), 2 * len(CONTENT))
    invariants.check(house)


@every_combination
def test_a_manifest_may_name_a_blob_exactly_when_it_is_shown(house: House, link: str, blob: str) -> None:
    a_scene(house, link, blob)
    shown = is_shown(house)

    try:
        a_bare_push(house, a_manifest([DIGEST]), "v1")
    except ManifestBlobUnknown:
        accepted = False
    else:
        accepted = True

    assert accepted == shown
    if accepted:
        assert (link_of(house).state, is_shown(house)) == (LIVE, True)


def test_a_manifest_that_names_a_condemned_blob_renews_its_lease(house: House) -> None:
    a_scene(house, CONDEMNED, LIVE)
    house.clock.ahead_s = house.settings.lease_s * 2

    a_bare_push(house, a_manifest([DIGEST]), "v1")

    assert link_of(house).leased_until > house.clock() + house.settings.lease_s - 5
    invariants.check(house)


@pytest.mark.parametrize("blob", [DELETING, ABSENT])
def test_an_edge_blob_takes_the_place_of_one_that_dies(house: House, blob: str) -> None:
    a_blob(house, CONTENT)
    set_link_state(repository_of(house), DIGEST, ABSENT)
    dying = set_blob_state(house, DIGEST, blob)
    key = at_the_edge(house, CONTENT)

    assert house.services.blobs.find(someone(house, "admin", "admin/app"), NAME, DIGEST).s3_key == key != dying
    invariants.check(house)


@pytest.mark.parametrize("link", [DELETING, ABSENT])
def test_a_blob_that_is_not_there_cannot_be_deleted(house: House, link: str) -> None:
    a_scene(house, link, LIVE)

    with pytest.raises(BlobUnknown):
        house.services.blobs.delete(someone(house, "admin", "admin/app"), NAME, DIGEST)
