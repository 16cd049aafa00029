"""Signature tags are removed with the manifest they are about, and not before."""

import json
from collections.abc import Callable

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.manifests import Manifest, parse_manifest
from chalicelib.services.lifecycle.signature_tags import SignatureTags
from chalicelib.storage import keys
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import a_manifest, an_index, push_image, push_manifest
from tests.support.crashes import crash_everywhere, meanwhile
from tests.support.rows import events, repository_of, rows_like
from tests.support.sweeping import WINDOW_S, advance_clock, content_keys, delete_tag, expire_everything, sweep
from tests.support.tag_actions import TagActions


def name_of(subject: Digest, ending: str = ".sig") -> str:
    return f"{subject.algorithm}-{subject.hex[:64]}{ending}"


def a_signed(backend: Backend, *more: str, repository: str = "admin/app") -> tuple[Manifest, Manifest]:
    """Pushes an image and its signature, under its signature tag and `more` tags."""
    image = push_image(backend, "v1", repository=repository)
    signature = push_manifest(backend, a_manifest(), name_of(image.digest), *more, repository=repository)
    return image, signature


def tags(backend: Backend, repository: str = "admin/app") -> list[str]:
    return [row["name"] for row in rows_like(backend, f"R#{repository_of(backend, repository).id}", "TAG#")]


def kept(backend: Backend) -> list[str]:
    """Digests of the manifests that are there."""
    return [key.removeprefix("MAN#") for key in content_keys(backend) if key.startswith("MAN#")]


def test_signature_tags_stay_while_the_subject_can_be_restored_and_end_with_it(backend: Backend) -> None:
    image, signature = a_signed(backend)
    for ending in (".att", ".sbom", ""):
        push_manifest(backend, a_manifest(), name_of(image.digest, ending))
    delete_tag(backend, "v1")
    advance_clock(backend, WINDOW_S - 60)
    sweep(backend)
    assert len(tags(backend)) == 4
    assert str(signature.digest) in kept(backend)
    advance_clock(backend, 120)
    sweep(backend)

    assert tags(backend) == []
    told = [json.loads(record["metadata"]) for record in events(backend, "permanently_delete_tag")]
    assert {one["subject"] for one in told} == {str(image.digest)}
    assert len(told) == 4
    expire_everything(backend)
    assert content_keys(backend) == []


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_an_index_under_ocis_referrers_tag_ends_with_its_subject_and_the_signatures_that_it_lists(
    backend: Backend, algorithm: str
) -> None:
    content = a_manifest()
    image = push_manifest(backend, parse_manifest(content.content, content.media_type, algorithm), "v1")
    signature = push_manifest(backend, a_manifest(subject=image.digest))
    push_manifest(backend, an_index([signature.digest]), name_of(image.digest, ""))
    delete_tag(backend, "v1")
    advance_clock(backend, WINDOW_S - 60)
    sweep(backend)
    assert tags(backend) == [name_of(image.digest, "")]
    expire_everything(backend)

    assert content_keys(backend) == []


def test_a_tag_that_repeats_the_digest_of_its_own_image_keeps_the_image(backend: Backend) -> None:
    image = push_image(backend, "v1")
    push_manifest(backend, image, name_of(image.digest, ""))
    delete_tag(backend, "v1")
    expire_everything(backend)

    assert kept(backend) == [str(image.digest)]


def test_another_tag_keeps_the_signature(backend: Backend) -> None:
    _, signature = a_signed(backend, "keep")
    delete_tag(backend, "v1")
    expire_everything(backend)

    assert tags(backend) == ["keep"]
    assert kept(backend) == [str(signature.digest)]
    invariants.check(backend)


def test_the_window_does_not_keep_a_signature_tag_that_was_deleted_before(backend: Backend) -> None:
    image, signature = a_signed(backend)
    delete_tag(backend, "v1")
    advance_clock(backend, WINDOW_S - 60)
    delete_tag(backend, name_of(image.digest))
    advance_clock(backend, 120)
    sweep(backend)

    assert str(signature.digest) not in kept(backend)


def test_an_immutable_signature_tag_is_removed_too(backend: Backend) -> None:
    image, _ = a_signed(backend)
    TagActions(backend).set_immutable(name_of(image.digest), immutable=True)
    delete_tag(backend, "v1")
    expire_everything(backend)

    assert content_keys(backend) == []


def test_signatures_of_other_manifests_stay(backend: Backend) -> None:
    a_signed(backend)
    other = push_image(backend, "v2")
    push_manifest(backend, a_manifest(), name_of(other.digest))
    delete_tag(backend, "v1")
    expire_everything(backend)

    assert tags(backend) == [name_of(other.digest), "v2"]


def test_a_push_that_restores_the_subject_keeps_its_signature_tags(backend: Backend) -> None:
    for number in range(1, 60):
        repository = f"admin/round{number}"
        image, _ = a_signed(backend, repository=repository)
        delete_tag(backend, "v1", repository)
        advance_clock(backend, WINDOW_S + 60)
        target = keys.manifest_target(repository_of(backend, repository).id, image.digest)

        def again(image: Manifest = image, repository: str = repository) -> None:
            # A client that pushes again signs again.
            blobs = [blob.digest for blob in image.blobs]
            assert blobs
            push_manifest(backend, image, "v1", repository=repository)
            push_manifest(backend, a_manifest(), name_of(image.digest), repository=repository)

        with meanwhile(backend, number, again) as done:
            backend.services.lifecycle.garbage.collect(target)
        if not done:
            assert number > 5
            return
        assert "v1" in tags(backend, repository)
        assert name_of(image.digest) in tags(backend, repository)
        invariants.check(backend)
    raise AssertionError("a collection ends")


def test_the_removal_recovers_from_a_crash_at_any_call(backend: Backend) -> None:
    def prepare(number: int) -> Callable[[], object]:
        repository = f"admin/round{number}"
        image, _ = a_signed(backend, repository=repository)
        delete_tag(backend, "v1", repository)
        advance_clock(backend, WINDOW_S + 60)
        identifier = repository_of(backend, repository).id
        row = get(ManifestRow, keys.manifest(identifier, image.digest))
        assert row is not None
        target = keys.manifest_target(identifier, image.digest)
        return lambda: backend.services.lifecycle.garbage.collect(target)

    rounds = crash_everywhere(backend, prepare)
    assert rounds >= 7
    for number in range(1, rounds + 2):
        assert tags(backend, f"admin/round{number}") == []
    assert len(events(backend, "permanently_delete_tag")) == rounds + 1


@pytest.mark.parametrize("has_siblings", [True, False])
def test_a_manifest_without_signature_tags_costs_one_query(backend: Backend, has_siblings: bool) -> None:
    image = a_signed(backend)[0] if has_siblings else push_image(backend, "v1")
    repository = repository_of(backend)
    row = get(ManifestRow, keys.manifest(repository.id, image.digest))
    assert row is not None
    signature_tags = SignatureTags(backend.services.stores)
    backend.calls.take()
    signature_tags.end(repository.id, image.digest, row)

    assert (backend.calls.take() == ["Query"]) is not has_siblings
