"""An index may lack manifests that it lists if the registry, or whoever pushes it within the registry, lets it."""

from collections.abc import Callable

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import ManifestBlobUnknown, ManifestInUse
from chalicelib.domain.manifests import Manifest
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.services.lifecycle.tag_history import TagHistoryQuery
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import a_descriptor, a_manifest, an_index, push_image, push_manifest, token_actor
from tests.support.sweeping import advance_clock, content_keys, delete_tag, expire_everything, sweep

NAME = RepositoryName.parse("admin/app")


@pytest.fixture
def sparse(new_backend: Callable[..., Backend]) -> Backend:
    return new_backend(sparse_index=True)


def push_sparse(backend: Backend, index: Manifest, *tags: str) -> Manifest:
    actor = token_actor(backend, "admin", "admin/app")
    backend.services.registry.manifests.push(actor, NAME, index, [Tag(tag) for tag in tags], may_be_sparse=True)
    return index


def presence(backend: Backend) -> dict[Digest, bool]:
    page = backend.services.lifecycle.tag_history.page(backend.signed_in("admin"), NAME, TagHistoryQuery(1))
    return dict(page.lives[0].children)


def test_a_sparse_index_says_what_it_lacks_and_is_kept_without_it(sparse: Backend) -> None:
    child, absent = push_image(sparse), Digest.of(b"absent")
    push_sparse(sparse, an_index([child.digest, absent]), "multi")

    advance_clock(sparse, sparse.settings.lease_s + 10)
    sweep(sparse)

    assert presence(sparse) == {child.digest: True, absent: False}
    invariants.check(sparse)
    delete_tag(sparse, "multi")
    expire_everything(sparse)
    assert content_keys(sparse) == []


def test_what_a_sparse_index_lacked_is_kept_by_it_once_it_is_pushed(sparse: Backend) -> None:
    later = a_manifest()
    index = push_sparse(sparse, an_index([push_image(sparse).digest, later.digest]), "multi")
    push_manifest(sparse, later)

    advance_clock(sparse, sparse.settings.lease_s + 10)
    sweep(sparse)

    assert presence(sparse)[later.digest]
    with pytest.raises(ManifestInUse, match=str(index.digest)):
        sparse.services.registry.manifests.delete(token_actor(sparse, "admin", "admin/app"), NAME, later.digest)


def test_a_sparse_index_lacks_no_blobs(sparse: Backend) -> None:
    absent = a_descriptor(Digest.of(b"absent"))

    with pytest.raises(ManifestBlobUnknown):
        push_sparse(sparse, an_index(manifests=[absent]), "cache")


def test_many_manifests_may_be_absent(sparse: Backend) -> None:
    child = push_image(sparse)
    push_sparse(sparse, an_index([*(Digest.of(str(number).encode()) for number in range(150)), child.digest]), "multi")

    assert sum(presence(sparse).values()) == 1


def test_an_index_is_not_sparse_unless_its_pusher_lets_it(sparse: Backend) -> None:
    with pytest.raises(ManifestBlobUnknown):
        push_manifest(sparse, an_index([push_image(sparse).digest, Digest.of(b"absent")]), "multi")
