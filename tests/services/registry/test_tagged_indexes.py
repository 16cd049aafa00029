"""What an index with a tag names can be pulled: it is not deleted under the tag, and it is back when the tag is."""

from unittest import mock

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUnknown, ManifestBlobUnknown, ManifestInUse, ManifestUnknown
from chalicelib.domain.manifests import Manifest
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.tag_changes import TagUpdate
from chalicelib.services.lifecycle.tag_history import TagHistoryQuery
from chalicelib.services.registry import named_contents
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import a_blob, a_manifest, an_index, push_image, push_manifest, token_actor
from tests.support.rows import repository_of
from tests.support.sweeping import advance_clock, content_keys, delete_tag, expire_everything, sweep

NAME = RepositoryName.parse("admin/app")


def delete(backend: Backend, manifest: Manifest) -> None:
    backend.services.registry.manifests.delete(token_actor(backend, "admin", "admin/app"), NAME, manifest.digest)


def restore(backend: Backend, tag: str, manifest: Manifest) -> None:
    backend.services.registry.tags.restore(backend.signed_in("admin"), NAME, Tag(tag), manifest.digest)


def is_pulled(backend: Backend, manifest: Manifest) -> bool:
    actor, manifests = token_actor(backend, "admin", "admin/app"), backend.services.registry.manifests
    try:
        assert manifests.find(actor, NAME, manifest.digest).size == manifest.size
        return manifests.pull(actor, NAME, manifest.digest).content == manifest.content
    except ManifestUnknown:
        return False


def presence(backend: Backend, tag: str) -> dict[Digest, bool]:
    """Returns the children in the latest life of a tag, and whether each is there."""
    page = backend.services.lifecycle.tag_history.page(backend.signed_in("admin"), NAME, TagHistoryQuery(1, tag=tag))
    return dict(page.lives[0].children)


def test_a_manifest_that_an_index_with_a_tag_names_is_not_deleted(backend: Backend) -> None:
    child = push_image(backend, "amd64")
    index = push_manifest(backend, an_index([child.digest]), "multi")

    with pytest.raises(ManifestInUse, match=f"index {index.digest}, which has a tag, names manifest {child.digest}"):
        delete(backend, child)

    actor = token_actor(backend, "admin", "admin/app")
    assert backend.services.registry.manifests.find(actor, NAME, Tag("amd64")).digest == child.digest


def test_a_manifest_of_an_index_within_an_index_with_a_tag_is_not_deleted(backend: Backend) -> None:
    child = push_image(backend)
    inner = push_manifest(backend, an_index([child.digest]))
    outer = push_manifest(backend, an_index([inner.digest]), "multi")

    for manifest in (child, inner):
        with pytest.raises(ManifestInUse, match=f"index {outer.digest}"):
            delete(backend, manifest)


def test_an_index_without_a_tag_is_taken_apart_in_any_order(backend: Backend) -> None:
    one, two = push_image(backend), push_image(backend)
    index = push_manifest(backend, an_index([one.digest, two.digest]))

    for manifest in (one, index, two):
        delete(backend, manifest)
        assert not is_pulled(backend, manifest)
    expire_everything(backend)
    assert content_keys(backend) == []


def test_an_index_whose_tag_has_expired_is_taken_apart(backend: Backend) -> None:
    child = push_image(backend)
    push_manifest(backend, an_index([child.digest], annotations={"quay.expires-after": "1h"}), "multi")
    advance_clock(backend, 3601)

    delete(backend, child)

    assert not is_pulled(backend, child)


def test_a_refused_index_with_a_tag_protects_nothing(backend: Backend) -> None:
    child = push_image(backend)
    with pytest.raises(ManifestBlobUnknown):
        push_manifest(backend, an_index([child.digest, Digest.of(b"absent")]), "multi")

    delete(backend, child)

    assert not is_pulled(backend, child)


@pytest.mark.parametrize("way", ["restored", "given another tag"])
def test_an_index_that_has_a_tag_again_has_its_children_again(backend: Backend, way: str) -> None:
    child, other = push_image(backend), push_image(backend)
    index = push_manifest(backend, an_index([child.digest, other.digest]), "multi")
    delete_tag(backend, "multi")
    delete(backend, child)
    assert presence(backend, "multi") == {child.digest: False, other.digest: True}

    if way == "restored":
        restore(backend, "multi", index)
    else:
        update = TagUpdate(digest=index.digest)
        backend.services.registry.tags.update(backend.signed_in("admin"), NAME, Tag("multi"), update)

    assert is_pulled(backend, child)
    assert presence(backend, "multi") == {child.digest: True, other.digest: True}
    with pytest.raises(ManifestInUse):
        delete(backend, child)
    expire_everything(backend)
    invariants.check(backend)
    assert is_pulled(backend, child)


def test_a_deleted_index_that_is_restored_has_its_children_again(backend: Backend) -> None:
    child = push_image(backend)
    inner = push_manifest(backend, an_index([child.digest]))
    outer = push_manifest(backend, an_index([inner.digest]), "multi")
    for manifest in (outer, inner, child):
        delete(backend, manifest)
        assert not is_pulled(backend, manifest)

    restore(backend, "multi", outer)

    assert all(is_pulled(backend, manifest) for manifest in (outer, inner, child))


def test_the_blobs_of_a_child_that_is_back_are_back(backend: Backend) -> None:
    layer = a_blob(backend)
    child = push_manifest(backend, a_manifest([layer]))
    index = push_manifest(backend, an_index([child.digest]), "multi")
    delete_tag(backend, "multi")
    delete(backend, child)
    actor, blobs = token_actor(backend, "admin", "admin/app"), backend.services.registry.blobs
    blobs.delete(actor, NAME, layer)
    with pytest.raises(BlobUnknown):
        blobs.find(actor, NAME, layer)

    restore(backend, "multi", index)

    assert blobs.find(actor, NAME, layer).digest == layer


def test_a_deletion_that_looked_before_the_push_of_an_index_leaves_no_hole(backend: Backend) -> None:
    child = push_image(backend)
    index = an_index([child.digest])
    manifests, actor = backend.services.registry.manifests, token_actor(backend, "admin", "admin/app")
    push_manifest(backend, index, "multi")

    manifests._delete(actor, repository_of(backend, "admin/app"), child.digest)

    assert is_pulled(backend, child)
    push_manifest(backend, index, "again")
    push_manifest(backend, an_index([child.digest]), "other")


def test_an_index_of_many_deleted_manifests_is_refused_after_some_looks(backend: Backend) -> None:
    children = [push_manifest(backend, a_manifest()) for _ in range(4)]
    push_manifest(backend, an_index([child.digest for child in children]))
    for child in children:
        delete(backend, child)
    backend.calls.take()

    with mock.patch.object(named_contents, "MOST_MISSED", 2), pytest.raises(ManifestBlobUnknown) as refused:
        push_manifest(backend, an_index([child.digest for child in children]), "multi")

    assert refused.value.digests == [str(child.digest) for child in children[:2]]
    # The first looks at the edges of the manifest and of its index, the second at its own.
    assert backend.calls.take().count("Query") == 3


def test_a_child_that_is_back_can_have_a_tag_and_is_deleted_no_more(backend: Backend) -> None:
    child = push_image(backend)
    index = push_manifest(backend, an_index([child.digest]), "multi")
    delete_tag(backend, "multi")
    delete(backend, child)
    restore(backend, "multi", index)

    update = TagUpdate(digest=child.digest)
    backend.services.registry.tags.update(backend.signed_in("admin"), NAME, Tag("amd64"), update)
    delete_tag(backend, "multi")
    sweep(backend)

    assert is_pulled(backend, child)
    invariants.check(backend)


def test_head_of_a_child_that_is_back_by_a_pusher_finds_it(backend: Backend) -> None:
    child = push_image(backend)
    index = push_manifest(backend, an_index([child.digest]), "multi")
    delete_tag(backend, "multi")
    delete(backend, child)
    restore(backend, "multi", index)
    advance_clock(backend, backend.settings.lease_s)
    backend.calls.take()

    actor = token_actor(backend, "admin", "admin/app")
    backend.calls.take()
    backend.services.registry.manifests.find(actor, NAME, child.digest)

    assert backend.calls.take() == ["GetItem", "Query", "BatchGetItem"]
