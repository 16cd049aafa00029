"""Losses: what goes with a tag is what the collector will free, and nothing that something else keeps."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.manifests import Manifest
from chalicelib.services.lifecycle import reclaimable
from chalicelib.services.lifecycle.reclaimable import Reclaimable, ReclaimableManifests
from chalicelib.storage.lifecycle.garbage import GarbageStore
from tests.support.backends import House
from tests.support.builders import a_bare_push, a_blob, a_config, a_manifest, a_push, a_referrer, an_index
from tests.support.rows import repository_of
from tests.support.sweeping import delete_tag, outlive


def lost(
    house: House, manifest: Manifest, *tags: str, at: float | None = None, after: str = ""
) -> ReclaimableManifests:
    services = house.services
    looked = Reclaimable(services._manifests, services._blobs, services._tags, GarbageStore())
    now = house.clock() if at is None else at
    return looked.of(repository_of(house).id, {manifest.digest: tags or ["v1"]}, now, after)


def digests(loss: ReclaimableManifests) -> set[Digest]:
    return {one.digest for one in loss.manifests}


def freed(house: House) -> int:
    """What the collector does free when all is over."""
    outlive(house)
    return GarbageStore().total().bytes


def test_an_image_goes_with_its_config_and_layers(house: House) -> None:
    manifest = a_push(house, "v1", layers=2)
    loss = lost(house, manifest)

    assert digests(loss) == {manifest.digest}
    assert {one.digest for one in loss.blobs} == {blob.digest for blob in manifest.blobs}
    assert (loss.is_whole, loss.following) == (True, None)
    delete_tag(house, "v1")
    assert loss.bytes == freed(house)


def test_what_another_tag_keeps_stays(house: House) -> None:
    manifest = a_bare_push(house, a_manifest(), "v1", "v2")

    assert digests(lost(house, manifest)) == set()
    assert digests(lost(house, manifest, "v1", "v2")) == {manifest.digest}


def test_a_tag_that_ends_before_keeps_nothing(house: House) -> None:
    manifest = a_push(house, "v1", labels={"quay.expires-after": "2h"})
    a_bare_push(house, manifest, "v2")

    assert digests(lost(house, manifest, "v1")) == set()
    assert digests(lost(house, manifest, "v1", at=house.clock() + 8000)) == {manifest.digest}


def test_a_layer_that_another_manifest_uses_stays(house: House) -> None:
    shared, own = a_blob(house), a_blob(house)
    manifest = a_bare_push(house, a_manifest([shared, own], a_blob(house, a_config())), "v1")
    a_bare_push(house, a_manifest([shared], a_blob(house, a_config())), "v2")
    loss = lost(house, manifest)

    assert shared not in {one.digest for one in loss.blobs}
    assert own in {one.digest for one in loss.blobs}
    delete_tag(house, "v1")
    assert loss.bytes == freed(house)


def test_bytes_that_another_repository_has_are_told_and_not_counted(house: House) -> None:
    content = b"shared" * 20
    shared = a_blob(house, content)
    a_push(house, "v1", repository="admin/other")
    a_blob(house, content, "admin/other")
    manifest = a_bare_push(house, a_manifest([shared]), "v1")
    loss = lost(house, manifest)

    assert [(one.digest, one.is_shared) for one in loss.blobs] == [(shared, True)]
    assert loss.bytes == manifest.size


def test_children_go_with_their_index_unless_something_else_keeps_them(house: House) -> None:
    alone, tagged, twice = a_push(house), a_push(house, "keep"), a_push(house)
    index = a_bare_push(house, an_index([alone.digest, tagged.digest, twice.digest]), "v1")
    a_bare_push(house, an_index([twice.digest]), "v2")

    assert digests(lost(house, index)) == {index.digest, alone.digest}


def test_a_child_of_two_indexes_goes_with_both(house: House) -> None:
    child = a_push(house)
    inner = a_bare_push(house, an_index([child.digest]))
    outer = a_bare_push(house, an_index([child.digest, inner.digest]), "v1")

    assert digests(lost(house, outer)) == {outer.digest, inner.digest, child.digest}


def test_a_child_stays_with_the_index_that_names_it(house: House) -> None:
    child = a_push(house, "v1")
    a_bare_push(house, an_index([child.digest]), "index")

    assert digests(lost(house, child)) == set()


def test_referrers_and_signatures_go_with_their_subject(house: House) -> None:
    image = a_push(house, "v1")
    referrer = a_referrer(house, image.digest)
    signature = a_bare_push(house, a_manifest(), f"sha256-{image.digest.hex}.sig")
    kept = a_bare_push(house, a_manifest(), f"sha256-{image.digest.hex}.att", "keep")
    loss = lost(house, image)

    assert digests(loss) == {image.digest, referrer.digest, signature.digest}
    assert kept.digest not in digests(loss)
    delete_tag(house, "v1")
    assert loss.bytes == freed(house)


def test_a_referrer_stays_with_its_subject(house: House) -> None:
    image = a_push(house, "v1")
    referrer = a_bare_push(house, a_manifest(subject=image.digest), "sbom")

    assert digests(lost(house, referrer, "sbom")) == set()


def test_much_is_told_page_by_page_and_bounded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = a_push(house, "v1", layers=4)
    monkeypatch.setattr(reclaimable, "MOST_BLOBS", 2)
    pages, after = [lost(house, manifest)], ""
    while pages[-1].following:
        after = pages[-1].following
        pages.append(lost(house, manifest, after=after))

    assert [len(page.blobs) for page in pages] == [2, 2, 1]
    assert [len(page.manifests) for page in pages] == [1, 0, 0]
    monkeypatch.undo()
    assert sum(page.bytes for page in pages) == lost(house, manifest).bytes
    monkeypatch.setattr(reclaimable, "MOST_MANIFESTS", 1)
    a_referrer(house, manifest.digest)
    assert not lost(house, manifest).is_whole


def test_what_is_not_there_takes_nothing_with_it(house: House) -> None:
    a_push(house, "v1")

    assert lost(house, a_manifest()) == ReclaimableManifests()
