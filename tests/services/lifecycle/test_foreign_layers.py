"""A non-distributable layer need not be in the repository; one that is there is kept as any other layer is."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobInUse, ManifestInvalid
from chalicelib.domain.manifests import Manifest
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.states import State
from chalicelib.services.lifecycle.reclaimable import Reclaimable
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import (
    a_blob,
    a_config,
    a_descriptor,
    a_direct_upload,
    a_manifest,
    push_manifest,
    token_actor,
)
from tests.support.rows import repository_of
from tests.support.sweeping import advance_clock, content_keys, delete_tag, expire_everything, sweep

NAME = RepositoryName.parse("admin/app")
FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"


def push_windows(backend: Backend, layer: Digest, size: int | None = None) -> Manifest:
    """Pushes an image with a foreign layer under the tag `windows`."""
    layers = [a_descriptor(layer, FOREIGN, size)]
    return push_manifest(backend, a_manifest(config=a_blob(backend, a_config()), layers=layers), "windows")


def has(backend: Backend, blob: Digest) -> bool:
    return backend.services.stores.blobs.view(repository_of(backend, "admin/app").id, blob).link is not None


def end_leases(backend: Backend) -> None:
    advance_clock(backend, backend.settings.lease_s + 10)
    sweep(backend)
    invariants.check(backend)


@pytest.mark.parametrize("is_direct", [False, True], ids=["app", "edge"])
def test_a_foreign_layer_that_was_pushed_lives_as_long_as_its_image(backend: Backend, is_direct: bool) -> None:
    if is_direct:
        a_direct_upload(backend, b"foreign")
    layer = Digest.of(b"foreign") if is_direct else a_blob(backend)
    push_windows(backend, layer)

    end_leases(backend)
    assert has(backend, layer)

    delete_tag(backend, "windows")
    expire_everything(backend)
    assert content_keys(backend) == []


def test_a_foreign_layer_that_is_pushed_after_its_image_lives_as_long(backend: Backend) -> None:
    push_windows(backend, Digest.of(b"later"))
    layer = a_blob(backend, b"later")

    end_leases(backend)

    assert has(backend, layer)


def test_a_condemned_foreign_layer_is_made_live_by_an_image_that_names_it(backend: Backend) -> None:
    layer = a_blob(backend)
    advance_clock(backend, backend.settings.lease_s + 10)
    repository_id = repository_of(backend, "admin/app").id
    stores = backend.services.stores
    link, _ = stores.garbage.link(repository_id, layer)
    assert link
    stores.garbage.move_link(link, State.CONDEMNED)

    push_windows(backend, layer)

    link, _ = stores.garbage.link(repository_id, layer)
    assert link
    assert link.state == State.LIVE


def test_a_foreign_layer_that_is_not_there_is_not_missing(backend: Backend) -> None:
    absent = Digest.of(b"absent")
    push_windows(backend, absent, 10**10)

    end_leases(backend)

    assert not has(backend, absent)


def test_a_foreign_layer_that_an_image_names_cannot_be_deleted(backend: Backend) -> None:
    layer = a_blob(backend)
    image = push_windows(backend, layer)

    with pytest.raises(BlobInUse, match=str(image.digest)):
        backend.services.registry.blobs.delete(token_actor(backend, "admin", "admin/app"), NAME, layer)


def test_the_size_of_a_foreign_layer_that_is_there_is_compared(backend: Backend) -> None:
    with pytest.raises(ManifestInvalid, match="is 3, but it has 64 bytes"):
        push_windows(backend, a_blob(backend), 3)


def test_what_an_image_would_free_contains_its_foreign_layers(backend: Backend) -> None:
    layer = a_blob(backend)
    image = push_windows(backend, layer)

    freed = Reclaimable(backend.services.stores).of(
        repository_of(backend, "admin/app").id, {image.digest: ["windows"]}, backend.clock()
    )

    assert layer in {one.digest for one in freed.blobs}


def test_of_many_absent_foreign_layers_only_the_first_hundred_are_looked_for(backend: Backend) -> None:
    layers = [a_descriptor(Digest.of(str(number).encode()), FOREIGN) for number in range(150)]
    there = a_descriptor(a_blob(backend), FOREIGN, 3)
    backend.calls.take()

    with pytest.raises(ManifestInvalid, match="is 3, but it has 64 bytes"):
        push_manifest(backend, a_manifest(layers=[*layers, there]), "v1")

    assert backend.calls.take().count("ListObjectsV2") == 100
