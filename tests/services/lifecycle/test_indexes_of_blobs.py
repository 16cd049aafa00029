"""An index may name blobs, as BuildKit's registry cache does: each is kept as what it is."""

import json

import pytest

from chalicelib.domain import media_types
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobInUse, ManifestBlobUnknown
from chalicelib.domain.manifests import Manifest, parse_manifest
from chalicelib.domain.names import RepositoryName
from chalicelib.services.lifecycle.reclaimable import Reclaimable
from chalicelib.services.lifecycle.tag_history import TagHistoryQuery
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import a_blob, a_descriptor, a_manifest, push_manifest, token_actor
from tests.support.rows import repository_of
from tests.support.sweeping import advance_clock, content_keys, delete_tag, expire_everything, sweep

NAME = RepositoryName.parse("admin/app")
CACHE_CONFIG = "application/vnd.buildkit.cacheconfig.v0"


def an_index_of(*entries: dict[str, object]) -> Manifest:
    """Returns an index of these entries, as BuildKit pushes its cache."""
    document = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": list(entries)}
    return parse_manifest(json.dumps(document).encode(), media_types.OCI_INDEX)


def a_cache(backend: Backend) -> tuple[Manifest, Digest, Digest]:
    """Pushes a cache under the tag `cache`; returns it with its layer and its config."""
    layer, config = a_blob(backend), a_blob(backend)
    index = an_index_of(a_descriptor(layer), a_descriptor(config, CACHE_CONFIG))
    return push_manifest(backend, index, "cache"), layer, config


def is_there(backend: Backend, blob: Digest) -> bool:
    return backend.services.stores.blobs.view(repository_of(backend, "admin/app").id, blob).link is not None


def test_the_blobs_of_an_index_live_as_long_as_it_does(backend: Backend) -> None:
    _, layer, config = a_cache(backend)

    advance_clock(backend, backend.settings.lease_s + 10)
    sweep(backend)
    invariants.check(backend)
    assert is_there(backend, layer)
    assert is_there(backend, config)

    delete_tag(backend, "cache")
    expire_everything(backend)
    assert content_keys(backend) == []


def test_a_blob_that_an_index_names_cannot_be_deleted(backend: Backend) -> None:
    index, layer, _ = a_cache(backend)

    with pytest.raises(BlobInUse, match=str(index.digest)):
        backend.services.registry.blobs.delete(token_actor(backend, "admin", "admin/app"), NAME, layer)


def test_an_entry_that_is_neither_blob_nor_manifest_is_missing_once(backend: Backend) -> None:
    absent = Digest.of(b"absent")

    with pytest.raises(ManifestBlobUnknown) as refused:
        push_manifest(backend, an_index_of(a_descriptor(a_blob(backend)), a_descriptor(absent)), "cache")

    assert refused.value.digests == [str(absent)]


def test_a_blob_is_no_manifest_where_the_type_of_a_manifest_is_written(backend: Backend) -> None:
    blob = a_blob(backend)

    with pytest.raises(ManifestBlobUnknown):
        push_manifest(backend, an_index_of(a_descriptor(blob, media_types.OCI_MANIFEST)), "multi")


def test_a_manifest_of_another_type_is_kept_as_a_manifest(backend: Backend) -> None:
    bundle = push_manifest(backend, a_manifest([a_blob(backend)]))
    push_manifest(backend, an_index_of(a_descriptor(bundle.digest, bundle.media_type)), "multi")

    advance_clock(backend, backend.settings.lease_s + 10)
    sweep(backend)

    invariants.check(backend)
    row = backend.services.stores.manifests.get(repository_of(backend, "admin/app").id, bundle.digest)
    assert row
    assert row.is_pullable


def test_a_cache_has_no_manifests_and_is_not_sparse(backend: Backend) -> None:
    a_cache(backend)

    page = backend.services.lifecycle.tag_history.page(
        backend.signed_in("admin"), NAME, TagHistoryQuery(5, tag="cache")
    )

    assert page.lives[0].children == {}


def test_what_a_cache_would_free_contains_its_blobs(backend: Backend) -> None:
    index, layer, config = a_cache(backend)

    freed = Reclaimable(backend.services.stores).of(
        repository_of(backend, "admin/app").id, {index.digest: ["cache"]}, backend.clock()
    )

    assert {one.digest for one in freed.blobs} == {layer, config}
