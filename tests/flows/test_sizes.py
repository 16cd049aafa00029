"""What repositories and namespaces count through pushes, mounts and removals, and what a quota says to it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import QuotaExceeded
from chalicelib.domain.names import RepositoryName
from chalicelib.storage.accounts.quotas import linked_bytes
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import a_blob, a_manifest, a_quota, a_repository, push_image, push_manifest, token_actor
from tests.support.rows import ABSENT, set_link_state
from tests.support.sweeping import delete_tag, expire_everything


def test_a_blob_that_the_namespace_has_may_be_pushed_again_into_every_repository(backend: Backend) -> None:
    content = b"first" * 8
    digest = a_blob(backend, content)
    a_quota(backend, 41)

    a_blob(backend, content)
    a_blob(backend, content, "admin/other")
    mount_into(backend, "admin/third", digest)
    assert linked_bytes(backend.account("admin").id) == 40
    with pytest.raises(QuotaExceeded):
        a_blob(backend, b"12")


def mount_into(backend: Backend, repository: str, digest: Digest, source: str = "admin/app") -> None:
    registry, actor = backend.services.registry, token_actor(backend, "admin", repository, source)
    target = registry.repositories.for_push(actor, RepositoryName.parse(repository))
    assert registry.blobs.mount(actor, target, digest, RepositoryName.parse(source))


def test_a_blob_counts_until_the_last_repository_of_the_namespace_loses_it(backend: Backend) -> None:
    content, namespace_id = b"first" * 8, backend.account("admin").id
    repositories = [a_repository(backend, f"admin/{name}") for name in ("one", "two", "three")]
    backend.user("bob")
    for name in ("admin/one", "admin/two", "admin/three", "bob/base"):
        a_blob(backend, content, name)

    for repository, left in zip(repositories, (40, 40, 0), strict=True):
        set_link_state(repository, Digest.of(content), ABSENT)
        assert linked_bytes(namespace_id) == left
    assert linked_bytes(backend.account("bob").id) == 40
    a_blob(backend, content, "admin/one")
    assert linked_bytes(namespace_id) == 40


def test_a_blob_that_many_repositories_get_at_once_counts_once(backend: Backend) -> None:
    names = [f"admin/{number}" for number in range(6)]
    a_quota(backend, 64)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda name: a_blob(backend, b"x" * 64, name), names))

    assert linked_bytes(backend.account("admin").id) == 64
    invariants.check(backend)


def test_manifests_count_in_each_repository_that_stores_them_until_they_are_removed(backend: Backend) -> None:
    namespace_id, manifest = backend.account("admin").id, a_manifest()
    for repository in ("admin/app", "admin/other"):
        push_manifest(backend, manifest, "v1", repository=repository)
        push_manifest(backend, manifest, "v2", repository=repository)
        assert backend.services.stores.repositories.sizes([a_repository(backend, repository).id]).popitem()[1] == (
            manifest.size
        )
    assert linked_bytes(namespace_id) == 2 * manifest.size
    invariants.check(backend)

    for tag in ("v1", "v2"):
        delete_tag(backend, tag)
    expire_everything(backend)
    assert linked_bytes(namespace_id) == manifest.size
    invariants.check(backend)


def test_a_manifest_needs_room_and_a_stored_one_none(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    new = a_manifest()
    a_quota(backend, linked_bytes(backend.account("admin").id) + new.size - 1)

    push_manifest(backend, manifest, "v2")
    with pytest.raises(QuotaExceeded):
        push_manifest(backend, new, "v3")
    a_quota(backend, linked_bytes(backend.account("admin").id) + new.size)
    push_manifest(backend, new, "v3")
    invariants.check(backend)


def test_manifests_of_the_largest_size_do_not_fill_a_bucket_past_the_quota(backend: Backend) -> None:
    a_quota(backend, 100_000)
    filled = [a_manifest(annotations={"filler": f"{number}" * 40_000}) for number in range(3)]
    for manifest in filled[:2]:
        push_manifest(backend, manifest)

    with pytest.raises(QuotaExceeded):
        push_manifest(backend, filled[2])
    assert linked_bytes(backend.account("admin").id) <= 100_000


def test_one_manifest_that_is_pushed_many_times_at_once_counts_once(backend: Backend) -> None:
    manifest = a_manifest()
    a_repository(backend)
    a_quota(backend, manifest.size)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda number: push_manifest(backend, manifest, f"v{number}"), range(6)))

    assert linked_bytes(backend.account("admin").id) == manifest.size
    invariants.check(backend)
