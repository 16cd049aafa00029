"""Garbage: what nobody can reach is freed, and nothing else is, whoever comes in between."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import ManifestUnknown
from chalicelib.domain.names import RepositoryName
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import a_bare_push, a_blob, a_config, a_manifest, a_push, a_referrer, an_index, someone
from tests.support.rows import change, due_at, linked_bytes, object_keys, repository_of, rows_like
from tests.support.sweeping import WINDOW_S, content_keys, delete_tag, later, outlive, sweep
from tests.support.tag_actions import TagActions

NAME = RepositoryName.parse("admin/app")


def window(backend: Backend, seconds: int) -> None:
    change(get(NamespaceRow, keys.namespace(backend.account("admin").id)), window_s=seconds)


def delete(backend: Backend, digest: Digest) -> None:
    backend.services.registry.manifests.delete(someone(backend, "admin", "admin/app"), NAME, digest)


def is_pullable(backend: Backend, reference: Digest | str) -> bool:
    try:
        backend.services.registry.manifests.find(someone(backend, "admin", "admin/app"), NAME, reference)
    except ManifestUnknown:
        return False
    return True


@pytest.mark.parametrize("how", ["push", "point"])
def test_a_lease_outlives_a_tag_that_somebody_else_gave_and_took(backend: Backend, how: str) -> None:
    """A child of an index that is still on its way."""
    window(backend, 0)
    child = a_push(backend)
    if how == "push":
        a_bare_push(backend, child, "v1")
    else:
        TagActions(backend).point("v1", str(child.digest))
    delete_tag(backend, "v1")

    sweep(backend)

    assert is_pullable(backend, child.digest)
    a_bare_push(backend, an_index([child.digest]), "v2")
    outlive(backend)
    assert is_pullable(backend, child.digest)


def test_a_deleted_tag_frees_everything_when_window_and_grace_have_passed(backend: Backend) -> None:
    a_push(backend, "v1", layers=2)
    repository = repository_of(backend)
    delete_tag(backend, "v1")

    later(backend, WINDOW_S - 60)
    sweep(backend)
    assert len([key for key in content_keys(backend) if key.startswith("MAN#")]) == 1
    outlive(backend)

    assert content_keys(backend) == []
    assert object_keys(backend, f"in/{repository.id}/") == []
    assert linked_bytes(backend, repository) == (0, 0, 0)
    assert rows_like(backend, "BLOB#") == []
    assert rows_like(backend, "TIMER#") == []


def test_what_a_tag_names_stays_for_ever(backend: Backend) -> None:
    manifest = a_push(backend, "v1")
    outlive(backend)

    assert is_pullable(backend, "v1")
    assert is_pullable(backend, manifest.digest)
    assert rows_like(backend, "TIMER#") == []
    invariants.check(backend)


def test_blobs_that_nobody_named_go_with_their_lease(backend: Backend) -> None:
    a_blob(backend)
    later(backend, backend.settings.lease_s - 10)
    sweep(backend)
    assert len(content_keys(backend)) == 1

    outlive(backend)
    assert content_keys(backend) == []
    assert object_keys(backend, f"in/{repository_of(backend).id}/") == []


def test_an_untagged_manifest_goes_with_its_lease(backend: Backend) -> None:
    manifest = a_push(backend)
    outlive(backend)

    assert not is_pullable(backend, manifest.digest)
    assert content_keys(backend) == []


def test_a_shared_layer_stays_while_one_manifest_uses_it(backend: Backend) -> None:
    layer = a_blob(backend)
    for tag in ("v1", "v2"):
        a_bare_push(backend, a_manifest([layer], a_blob(backend, a_config())), tag)
    delete_tag(backend, "v1")
    outlive(backend)

    assert f"BLOB#{layer}" in content_keys(backend)
    assert len([key for key in content_keys(backend) if key.startswith(f"USES#{layer}")]) == 1
    assert len([key for key in content_keys(backend) if key.startswith("BLOB#")]) == 2
    invariants.check(backend)


def test_bytes_that_another_repository_has_stay(backend: Backend) -> None:
    content = b"shared by two"
    a_bare_push(backend, a_manifest([a_blob(backend, content)]), "v1")
    a_bare_push(backend, a_manifest([a_blob(backend, content, "admin/two")]), "v1", repository="admin/two")
    delete_tag(backend, "v1")
    outlive(backend)

    assert content_keys(backend) == []
    assert [row["sk"] for row in rows_like(backend, f"BLOB#{Digest.of(content)}")] == [
        f"LINK#{repository_of(backend, 'admin/two').id}",
        "META",
    ]
    invariants.check(backend)


def test_children_live_with_their_index_and_die_with_it(backend: Backend) -> None:
    children = [a_push(backend) for _ in range(2)]
    index = a_bare_push(backend, an_index([child.digest for child in children]), "v1")
    outlive(backend)
    assert all(is_pullable(backend, child.digest) for child in children)

    delete_tag(backend, "v1")
    outlive(backend)
    assert not is_pullable(backend, index.digest)
    assert content_keys(backend) == []


def test_a_child_with_a_tag_of_its_own_survives_its_index(backend: Backend) -> None:
    child = a_push(backend, "amd64")
    a_bare_push(backend, an_index([child.digest]), "v1")
    delete_tag(backend, "v1")
    outlive(backend)

    assert is_pullable(backend, child.digest)
    invariants.check(backend)


def test_referrers_die_with_their_subject_and_never_before(backend: Backend) -> None:
    subject = a_push(backend, "v1")
    signature = a_referrer(backend, subject.digest)
    outlive(backend)
    assert is_pullable(backend, signature.digest)

    delete_tag(backend, "v1")
    outlive(backend)
    assert content_keys(backend) == []


def test_a_deleted_referrer_goes_though_its_subject_lives(backend: Backend) -> None:
    subject = a_push(backend, "v1")
    signature = a_referrer(backend, subject.digest)
    delete(backend, signature.digest)
    outlive(backend)

    assert f"MAN#{signature.digest}" not in content_keys(backend)
    assert is_pullable(backend, subject.digest)
    assert not [key for key in content_keys(backend) if key.startswith("REFERRER#")]


def test_a_long_manifest_s_bytes_leave_the_bucket(backend: Backend) -> None:
    layer = a_blob(backend)
    a_bare_push(backend, a_manifest([layer], annotations={"padding": "x" * 40_000}), "v1")
    repository = repository_of(backend)
    assert len(object_keys(backend, f"bodies/{repository.id}/")) == 1

    delete_tag(backend, "v1")
    outlive(backend)
    assert object_keys(backend, f"bodies/{repository.id}/") == []


def test_with_no_window_the_bytes_go_after_lease_and_grace(backend: Backend) -> None:
    window(backend, 0)
    a_push(backend, "v1")
    delete_tag(backend, "v1")
    later(backend, backend.settings.lease_s + 1)
    sweep(backend)
    assert content_keys(backend) == []
    assert rows_like(backend, "BLOB#", "META")

    later(backend, backend.settings.grace_s + 1)
    assert sweep(backend) > 0
    assert rows_like(backend, "BLOB#") == []


def test_a_shorter_window_counts_for_what_died_before(backend: Backend) -> None:
    a_push(backend, "v1")
    delete_tag(backend, "v1")
    later(backend, backend.settings.lease_s + 10)
    sweep(backend)
    assert content_keys(backend)

    window(backend, 0)
    repository = repository_of(backend)
    (digest,) = [Digest.parse(key.removeprefix("MAN#")) for key in content_keys(backend) if key.startswith("MAN#")]
    assert backend.services.lifecycle.garbage.collect(keys.manifest_target(repository.id, digest)).again_at is None
    assert not [key for key in content_keys(backend) if key.startswith("MAN#")]


def test_a_timer_for_what_has_gone_is_done(backend: Backend) -> None:
    a_push(backend, "v1")
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


def test_a_timer_that_is_none_of_these_is_a_bug(backend: Backend) -> None:
    with pytest.raises(ValueError, match="no"):
        backend.services.lifecycle.garbage.collect("R#1#TAG#v1#life")


def test_the_calls_grow_with_what_dies_and_not_with_what_lives(backend: Backend) -> None:
    """A layer of a thousand living manifests is looked at with one page of its edges."""
    counted = []
    for living in (1, 40, 120):
        repository = f"admin/living{living}"
        layer = a_blob(backend, repository=repository)
        for number in range(living):
            a_bare_push(backend, a_manifest([layer]), f"v{number}", repository=repository)
        dying = a_manifest([layer])
        a_bare_push(backend, dying, "dying", repository=repository)
        delete_tag(backend, "dying", repository)
        later(backend, WINDOW_S + backend.settings.lease_s + 10)
        identifier = repository_of(backend, repository).id
        backend.calls.take()
        backend.services.lifecycle.garbage.collect(keys.manifest_target(identifier, dying.digest))
        backend.services.lifecycle.garbage.collect(keys.blob_target(identifier, layer))
        counted.append(len(backend.calls.take()))

    assert counted[0] == counted[1] == counted[2] <= 20
