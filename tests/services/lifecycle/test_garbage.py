"""The collector frees everything that nothing keeps, and nothing else, whatever runs meanwhile."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import ManifestUnknown
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import (
    a_blob,
    a_config,
    a_manifest,
    a_referrer,
    an_index,
    push_image,
    push_manifest,
    token_actor,
)
from tests.support.rows import change, due_at, linked_bytes, object_keys, repository_of, rows_like
from tests.support.sweeping import WINDOW_S, advance_clock, content_keys, delete_tag, expire_everything, sweep
from tests.support.tag_actions import TagActions

NAME = RepositoryName.parse("admin/app")


def window(backend: Backend, seconds: int) -> None:
    change(get(NamespaceRow, keys.namespace(backend.account("admin").id)), window_s=seconds)


def delete(backend: Backend, digest: Digest) -> None:
    backend.services.registry.manifests.delete(token_actor(backend, "admin", "admin/app"), NAME, digest)


def is_pullable(backend: Backend, reference: Tag | Digest) -> bool:
    try:
        backend.services.registry.manifests.find(token_actor(backend, "admin", "admin/app"), NAME, reference)
    except ManifestUnknown:
        return False
    return True


@pytest.mark.parametrize("how", ["push", "point"])
def test_a_lease_outlives_a_tag_that_another_client_put_and_deleted(backend: Backend, how: str) -> None:
    """The manifest is a child of an index that is pushed later."""
    window(backend, 0)
    child = push_image(backend)
    if how == "push":
        push_manifest(backend, child, "v1")
    else:
        TagActions(backend).point("v1", str(child.digest))
    delete_tag(backend, "v1")

    sweep(backend)

    assert is_pullable(backend, child.digest)
    push_manifest(backend, an_index([child.digest]), "v2")
    expire_everything(backend)
    assert is_pullable(backend, child.digest)


def test_a_deleted_tag_frees_everything_when_window_and_grace_have_passed(backend: Backend) -> None:
    push_image(backend, "v1", layers=2)
    repository = repository_of(backend)
    delete_tag(backend, "v1")

    advance_clock(backend, WINDOW_S - 60)
    sweep(backend)
    assert len([key for key in content_keys(backend) if key.startswith("MAN#")]) == 1
    expire_everything(backend)

    assert content_keys(backend) == []
    assert object_keys(backend, f"in/{repository.id}/") == []
    assert linked_bytes(backend, repository) == (0, 0, 0)
    assert rows_like(backend, "BLOB#") == []
    assert rows_like(backend, "TIMER#") == []


def test_a_tagged_manifest_is_never_collected(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    expire_everything(backend)

    assert is_pullable(backend, Tag("v1"))
    assert is_pullable(backend, manifest.digest)
    assert rows_like(backend, "TIMER#") == []
    invariants.check(backend)


def test_blobs_that_no_manifest_uses_are_freed_after_their_lease(backend: Backend) -> None:
    a_blob(backend)
    advance_clock(backend, backend.settings.lease_s - 10)
    sweep(backend)
    assert len(content_keys(backend)) == 1

    expire_everything(backend)
    assert content_keys(backend) == []
    assert object_keys(backend, f"in/{repository_of(backend).id}/") == []


def test_an_untagged_manifest_is_freed_after_its_lease(backend: Backend) -> None:
    manifest = push_image(backend)
    expire_everything(backend)

    assert not is_pullable(backend, manifest.digest)
    assert content_keys(backend) == []


def test_a_shared_layer_stays_while_one_manifest_uses_it(backend: Backend) -> None:
    layer = a_blob(backend)
    for tag in ("v1", "v2"):
        push_manifest(backend, a_manifest([layer], a_blob(backend, a_config())), tag)
    delete_tag(backend, "v1")
    expire_everything(backend)

    assert f"BLOB#{layer}" in content_keys(backend)
    assert len([key for key in content_keys(backend) if key.startswith(f"USES#{layer}")]) == 1
    assert len([key for key in content_keys(backend) if key.startswith("BLOB#")]) == 2
    invariants.check(backend)


def test_bytes_that_another_repository_links_stay(backend: Backend) -> None:
    content = b"shared by two"
    push_manifest(backend, a_manifest([a_blob(backend, content)]), "v1")
    push_manifest(backend, a_manifest([a_blob(backend, content, "admin/two")]), "v1", repository="admin/two")
    delete_tag(backend, "v1")
    expire_everything(backend)

    assert content_keys(backend) == []
    two = repository_of(backend, "admin/two")
    found = [row["sk"] for row in rows_like(backend, f"BLOB#{Digest.of(content)}")]
    assert found == [f"IN#{two.namespace_id}", f"LINK#{two.id}", "META"]
    invariants.check(backend)


def test_children_are_kept_and_freed_with_their_index(backend: Backend) -> None:
    children = [push_image(backend) for _ in range(2)]
    index = push_manifest(backend, an_index([child.digest for child in children]), "v1")
    expire_everything(backend)
    assert all(is_pullable(backend, child.digest) for child in children)

    delete_tag(backend, "v1")
    expire_everything(backend)
    assert not is_pullable(backend, index.digest)
    assert content_keys(backend) == []


def test_a_tagged_child_survives_its_index(backend: Backend) -> None:
    child = push_image(backend, "amd64")
    push_manifest(backend, an_index([child.digest]), "v1")
    delete_tag(backend, "v1")
    expire_everything(backend)

    assert is_pullable(backend, child.digest)
    invariants.check(backend)


def test_referrers_are_freed_with_their_subject_and_not_before(backend: Backend) -> None:
    subject = push_image(backend, "v1")
    signature = a_referrer(backend, subject.digest)
    expire_everything(backend)
    assert is_pullable(backend, signature.digest)

    delete_tag(backend, "v1")
    expire_everything(backend)
    assert content_keys(backend) == []


def test_a_deleted_referrer_is_freed_although_its_subject_lives(backend: Backend) -> None:
    subject = push_image(backend, "v1")
    signature = a_referrer(backend, subject.digest)
    delete(backend, signature.digest)
    expire_everything(backend)

    assert f"MAN#{signature.digest}" not in content_keys(backend)
    assert is_pullable(backend, subject.digest)
    assert not [key for key in content_keys(backend) if key.startswith("REFERRER#")]


def test_the_bytes_of_a_large_manifest_are_removed_from_the_bucket(backend: Backend) -> None:
    layer = a_blob(backend)
    push_manifest(backend, a_manifest([layer], annotations={"padding": "x" * 40_000}), "v1")
    repository = repository_of(backend)
    assert len(object_keys(backend, f"bodies/{repository.id}/")) == 1

    delete_tag(backend, "v1")
    expire_everything(backend)
    assert object_keys(backend, f"bodies/{repository.id}/") == []


def test_without_a_window_the_bytes_are_freed_after_lease_and_grace(backend: Backend) -> None:
    window(backend, 0)
    push_image(backend, "v1")
    delete_tag(backend, "v1")
    advance_clock(backend, backend.settings.lease_s + 1)
    sweep(backend)
    assert content_keys(backend) == []
    assert rows_like(backend, "BLOB#", "META")

    advance_clock(backend, backend.settings.grace_s + 1)
    assert sweep(backend) > 0
    assert rows_like(backend, "BLOB#") == []


def test_a_shorter_window_applies_to_earlier_deletions(backend: Backend) -> None:
    push_image(backend, "v1")
    delete_tag(backend, "v1")
    advance_clock(backend, backend.settings.lease_s + 10)
    sweep(backend)
    assert content_keys(backend)

    window(backend, 0)
    repository = repository_of(backend)
    (digest,) = [Digest.parse(key.removeprefix("MAN#")) for key in content_keys(backend) if key.startswith("MAN#")]
    assert backend.services.lifecycle.garbage.collect(keys.manifest_target(repository.id, digest)).again_at is None
    assert not [key for key in content_keys(backend) if key.startswith("MAN#")]


def test_a_timer_for_a_removed_target_is_done(backend: Backend) -> None:
    push_image(backend, "v1")
    identifier, digest = repository_of(backend).id, Digest.of(b"nowhere")
    for target in (
        keys.manifest_target(identifier, digest),
        keys.blob_target(identifier, digest),
        keys.bytes_target(digest),
        keys.key_target(digest, "in/x/y"),
        keys.upload_target("nowhere"),
    ):
        assert backend.services.lifecycle.garbage.collect(target).again_at is None
    assert due_at("garbage", keys.bytes_target(digest)) is None
    invariants.check(backend)


def test_another_target_raises_an_error(backend: Backend) -> None:
    with pytest.raises(ValueError, match="no"):
        backend.services.lifecycle.garbage.collect("R#1#TAG#v1#life")


def test_the_calls_grow_with_what_is_deleted_and_not_with_what_stays(backend: Backend) -> None:
    """A layer of a thousand living manifests is checked with one page of its edges."""
    counted = []
    for living in (1, 40, 120):
        repository = f"admin/living{living}"
        layer = a_blob(backend, repository=repository)
        for number in range(living):
            push_manifest(backend, a_manifest([layer]), f"v{number}", repository=repository)
        dying = a_manifest([layer])
        push_manifest(backend, dying, "dying", repository=repository)
        delete_tag(backend, "dying", repository)
        advance_clock(backend, WINDOW_S + backend.settings.lease_s + 10)
        identifier = repository_of(backend, repository).id
        backend.calls.take()
        backend.services.lifecycle.garbage.collect(keys.manifest_target(identifier, dying.digest))
        backend.services.lifecycle.garbage.collect(keys.blob_target(identifier, layer))
        counted.append(len(backend.calls.take()))

    assert counted[0] == counted[1] == counted[2] <= 20
