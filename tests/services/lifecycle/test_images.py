"""Manifests and images are described by digest, by Docker v1 id, and in lists."""

import json

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import Denied, ResourceUnknown
from chalicelib.domain.names import RepositoryName
from chalicelib.services.lifecycle import images
from chalicelib.services.lifecycle.images import ManifestView
from tests.support.backends import Backend
from tests.support.builders import a_blob, a_manifest, an_index, push_image, push_manifest
from tests.support.rows import repository_of, set_blob_state
from tests.support.sweeping import delete_tag, expire_everything

NAME = RepositoryName.parse("admin/app")


def view_of(backend: Backend, digest: Digest, who: str = "admin") -> ManifestView:
    return backend.services.lifecycle.images.get(backend.signed_in(who), NAME, digest)


def test_an_image_has_the_fields_of_its_config(backend: Backend) -> None:
    config = {"history": [{"created_by": "RUN x"}], "config": {"Labels": {"a": "b"}}, "created": "2024-01-02T03:04:05Z"}
    layer = a_blob(backend)
    pushed = push_manifest(backend, a_manifest([layer], a_blob(backend, json.dumps(config).encode())), "v1")
    found = view_of(backend, pushed.digest)

    assert [(one.digest, one.command) for one in found.image.layers] == [(str(layer), "RUN x")]
    assert (found.image.labels, found.image.created_at, found.is_index) == ({"a": "b"}, 1704164645, False)


def test_an_index_and_an_artifact_are_described_too(backend: Backend) -> None:
    child = push_image(backend)
    index = push_manifest(backend, an_index([child.digest]), "v1")
    thing = push_manifest(backend, a_manifest([a_blob(backend)]), "v2")

    assert (view_of(backend, index.digest).is_index, view_of(backend, index.digest).image.layers) == (True, ())
    assert len(view_of(backend, thing.digest).image.layers) == 1


def test_a_manifest_that_only_the_time_machine_keeps_is_described_until_it_is_removed(backend: Backend) -> None:
    digest = push_image(backend, "v1", labels={"a": "b"}).digest
    delete_tag(backend, "v1")
    assert view_of(backend, digest).image.labels == {"a": "b"}
    expire_everything(backend)

    with pytest.raises(ResourceUnknown):
        view_of(backend, digest)


def test_a_manifest_is_described_without_the_bytes_of_its_config(backend: Backend) -> None:
    pushed = push_image(backend, "v1", labels={"a": "b"})
    assert pushed.config is not None
    key = set_blob_state(backend, pushed.config.digest, "live")
    backend.services.stores.objects.delete(key)

    assert view_of(backend, pushed.digest).image.labels == {}
    assert len(view_of(backend, pushed.digest).image.layers) == 1


@pytest.mark.parametrize("digest", ["", "nonsense", "sha256:abc", "sha256:" + "0" * 64, "md5:" + "0" * 32])
def test_an_unknown_manifest_is_not_found(backend: Backend, digest: str) -> None:
    push_image(backend, "v1")
    with pytest.raises(ResourceUnknown):
        view_of(backend, Digest.existing(digest))
    with pytest.raises(ResourceUnknown):
        backend.services.lifecycle.images.by_id(backend.signed_in("admin"), NAME, digest.removeprefix("sha256:"))


def test_an_image_by_its_docker_v1_id_has_its_tags(backend: Backend) -> None:
    digest = push_image(backend, "v1", "v2", "v3").digest
    delete_tag(backend, "v2")
    found = backend.services.lifecycle.images.by_id(backend.signed_in("admin"), NAME, digest.hex)

    assert (found.manifest.digest, found.tags) == (digest, ("v1", "v3"))


def test_images_are_listed_with_their_tags_page_by_page(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "PAGE", 2)
    first = push_image(backend, "v1")
    second = push_image(backend, "v2", "v3")
    actor = backend.signed_in("admin")
    page = backend.services.lifecycle.images.page(actor, NAME)

    assert [(one.digest, sorted(one.tags)) for one in page.images] == [(second.digest, ["v2", "v3"])]
    page = backend.services.lifecycle.images.page(actor, NAME, page.following or "")
    assert [(one.digest, list(one.tags), page.following) for one in page.images] == [(first.digest, ["v1"], None)]


def test_images_need_the_right_to_read(backend: Backend) -> None:
    digest = push_image(backend, "v1").digest
    backend.user("eve")
    eve = backend.signed_in("eve")

    with pytest.raises(Denied):
        view_of(backend, digest, "eve")
    with pytest.raises(Denied):
        backend.services.lifecycle.images.page(eve, NAME)
    with pytest.raises(Denied):
        backend.services.lifecycle.images.by_id(eve, NAME, digest.hex)


def test_a_manifest_of_another_repository_is_not_found(backend: Backend) -> None:
    digest = push_image(backend, "v1", repository="admin/other").digest
    push_image(backend, "v1")
    assert repository_of(backend).id != repository_of(backend, "admin/other").id

    with pytest.raises(ResourceUnknown):
        view_of(backend, digest)
