"""The prediction contains what the collector frees with a tag, and nothing that something else keeps."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.manifests import Manifest
from chalicelib.services.lifecycle import reclaimable
from chalicelib.services.lifecycle.reclaimable import Reclaimable, ReclaimableManifests
from chalicelib.storage.lifecycle.garbage import GarbageStore
from tests.support.backends import Backend
from tests.support.builders import a_blob, a_config, a_manifest, a_referrer, an_index, push_image, push_manifest
from tests.support.rows import repository_of
from tests.support.sweeping import delete_tag, expire_everything


def lost(
    backend: Backend, manifest: Manifest, *tags: str, at: float | None = None, after: str = ""
) -> ReclaimableManifests:
    looked = Reclaimable(backend.services.stores)
    now = backend.clock() if at is None else at
    return looked.of(repository_of(backend).id, {manifest.digest: tags or ["v1"]}, now, after)


def digests(loss: ReclaimableManifests) -> set[Digest]:
    return {one.digest for one in loss.manifests}


def freed(backend: Backend) -> int:
    """Returns what the collector frees in the end."""
    expire_everything(backend)
    return GarbageStore().total().bytes


def test_an_image_is_freed_with_its_config_and_layers(backend: Backend) -> None:
    manifest = push_image(backend, "v1", layers=2)
    loss = lost(backend, manifest)

    assert digests(loss) == {manifest.digest}
    assert {one.digest for one in loss.blobs} == {blob.digest for blob in manifest.blobs}
    assert (loss.is_whole, loss.following) == (True, None)
    delete_tag(backend, "v1")
    assert loss.bytes == freed(backend)


def test_a_manifest_that_another_tag_names_stays(backend: Backend) -> None:
    manifest = push_manifest(backend, a_manifest(), "v1", "v2")

    assert digests(lost(backend, manifest)) == set()
    assert digests(lost(backend, manifest, "v1", "v2")) == {manifest.digest}


def test_a_tag_that_ends_before_keeps_nothing(backend: Backend) -> None:
    manifest = push_image(backend, "v1", labels={"quay.expires-after": "2h"})
    push_manifest(backend, manifest, "v2")

    assert digests(lost(backend, manifest, "v1")) == set()
    assert digests(lost(backend, manifest, "v1", at=backend.clock() + 8000)) == {manifest.digest}


def test_a_layer_that_another_manifest_uses_stays(backend: Backend) -> None:
    shared, own = a_blob(backend), a_blob(backend)
    manifest = push_manifest(backend, a_manifest([shared, own], a_blob(backend, a_config())), "v1")
    push_manifest(backend, a_manifest([shared], a_blob(backend, a_config())), "v2")
    loss = lost(backend, manifest)

    assert shared not in {one.digest for one in loss.blobs}
    assert own in {one.digest for one in loss.blobs}
    delete_tag(backend, "v1")
    assert loss.bytes == freed(backend)


def test_bytes_that_another_repository_links_are_listed_and_not_counted(backend: Backend) -> None:
    content = b"shared" * 20
    shared = a_blob(backend, content)
    push_image(backend, "v1", repository="admin/other")
    a_blob(backend, content, "admin/other")
    manifest = push_manifest(backend, a_manifest([shared]), "v1")
    loss = lost(backend, manifest)

    assert [(one.digest, one.is_shared) for one in loss.blobs] == [(shared, True)]
    assert loss.bytes == manifest.size


def test_children_are_freed_with_their_index_unless_something_else_keeps_them(backend: Backend) -> None:
    alone, tagged, twice = push_image(backend), push_image(backend, "keep"), push_image(backend)
    index = push_manifest(backend, an_index([alone.digest, tagged.digest, twice.digest]), "v1")
    push_manifest(backend, an_index([twice.digest]), "v2")

    assert digests(lost(backend, index)) == {index.digest, alone.digest}


def test_a_child_of_two_indexes_is_freed_with_both(backend: Backend) -> None:
    child = push_image(backend)
    inner = push_manifest(backend, an_index([child.digest]))
    outer = push_manifest(backend, an_index([child.digest, inner.digest]), "v1")

    assert digests(lost(backend, outer)) == {outer.digest, inner.digest, child.digest}


def test_a_child_stays_with_the_index_that_names_it(backend: Backend) -> None:
    child = push_image(backend, "v1")
    push_manifest(backend, an_index([child.digest]), "index")

    assert digests(lost(backend, child)) == set()


def test_referrers_and_signatures_are_freed_with_their_subject(backend: Backend) -> None:
    image = push_image(backend, "v1")
    referrer = a_referrer(backend, image.digest)
    signature = push_manifest(backend, a_manifest(), f"sha256-{image.digest.hex}.sig")
    index = push_manifest(backend, an_index([referrer.digest]), f"sha256-{image.digest.hex}")
    kept = push_manifest(backend, a_manifest(), f"sha256-{image.digest.hex}.att", "keep")
    loss = lost(backend, image)

    assert digests(loss) == {image.digest, referrer.digest, signature.digest, index.digest}
    assert kept.digest not in digests(loss)
    delete_tag(backend, "v1")
    assert loss.bytes == freed(backend)


def test_a_referrer_stays_with_its_subject(backend: Backend) -> None:
    image = push_image(backend, "v1")
    referrer = push_manifest(backend, a_manifest(subject=image.digest), "sbom")

    assert digests(lost(backend, referrer, "sbom")) == set()


def test_a_large_prediction_is_paged_and_bounded(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = push_image(backend, "v1", layers=4)
    monkeypatch.setattr(reclaimable, "MOST_BLOBS", 2)
    pages, after = [lost(backend, manifest)], ""
    while pages[-1].following:
        after = pages[-1].following
        pages.append(lost(backend, manifest, after=after))

    assert [len(page.blobs) for page in pages] == [2, 2, 1]
    assert [len(page.manifests) for page in pages] == [1, 0, 0]
    monkeypatch.undo()
    assert sum(page.bytes for page in pages) == lost(backend, manifest).bytes
    monkeypatch.setattr(reclaimable, "MOST_MANIFESTS", 1)
    a_referrer(backend, manifest.digest)
    assert not lost(backend, manifest).is_whole


def test_a_prediction_is_not_whole_if_a_subject_has_more_referrers_than_are_read(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = push_image(backend, "v1")
    for number in range(3):
        push_manifest(backend, a_manifest(subject=image.digest), f"sbom-{number}")
    assert lost(backend, image).is_whole
    monkeypatch.setattr(reclaimable, "MOST_MANIFESTS", 2)

    loss = lost(backend, image)
    assert (digests(loss), loss.is_whole) == ({image.digest}, False)


def test_an_unknown_manifest_frees_nothing(backend: Backend) -> None:
    push_image(backend, "v1")

    assert lost(backend, a_manifest()) == ReclaimableManifests()
