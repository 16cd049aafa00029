"""A manifest is kept by tags, the Time Machine's window, a lease, an index or a subject, and by nothing else."""

from collections.abc import Callable

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.manifests import Manifest
from chalicelib.services.registry.manifest_keepers import ManifestKeepers
from tests.support.backends import Backend
from tests.support.builders import a_manifest, an_index, push_image, push_manifest
from tests.support.rows import repository_of
from tests.support.sweeping import WINDOW_S, delete_tag, expire_everything


def is_kept(backend: Backend, digest: Digest, later_s: int = 0) -> bool:
    stores, identifier = backend.services.stores, repository_of(backend).id
    row = stores.manifests.get(identifier, digest)
    assert row is not None
    return ManifestKeepers(stores).keep(identifier, row, int(backend.clock()) + later_s, WINDOW_S)


def under_an_index(backend: Backend) -> Manifest:
    child = push_image(backend)
    push_manifest(backend, an_index([child.digest]), "index")
    return child


def with_a_subject(backend: Backend) -> Manifest:
    return push_manifest(backend, a_manifest(subject=push_image(backend, "v1").digest))


@pytest.mark.parametrize("make", [under_an_index, with_a_subject])
def test_an_index_and_a_subject_keep_a_manifest_for_ever(backend: Backend, make: Callable[[Backend], Manifest]) -> None:
    assert is_kept(backend, make(backend).digest, 10 * WINDOW_S)


@pytest.mark.parametrize(("later_s", "kept"), [(WINDOW_S - 60, True), (WINDOW_S + 60, False)])
def test_the_window_over_a_tag_keeps_a_manifest_until_it_closes(backend: Backend, later_s: int, kept: bool) -> None:
    manifest = push_image(backend, "v1")
    delete_tag(backend, "v1")

    assert is_kept(backend, manifest.digest, later_s) is kept


def test_a_lease_keeps_a_manifest_until_it_ends(backend: Backend) -> None:
    manifest = push_image(backend)

    assert is_kept(backend, manifest.digest, backend.settings.lease_s - 60)
    assert not is_kept(backend, manifest.digest, backend.settings.lease_s + 60)


def test_the_collector_removes_exactly_what_nothing_keeps(backend: Backend) -> None:
    alone, child, referrer = push_image(backend), under_an_index(backend), with_a_subject(backend)
    identifier = repository_of(backend).id
    kept = {one.digest: is_kept(backend, one.digest, WINDOW_S) for one in (alone, child, referrer)}
    expire_everything(backend)

    there = backend.services.stores.manifests.get_all(identifier, list(kept))
    assert {digest: digest in there for digest in kept} == kept
