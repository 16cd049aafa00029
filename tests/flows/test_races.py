"""Concurrent requests: exactly one succeeds, the history has no gaps, and nothing is counted or kept twice."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from threading import Barrier

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import ManifestUnknown
from chalicelib.domain.manifests import Manifest
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.tags import FOREVER
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import (
    a_blob,
    a_config,
    a_direct_upload,
    a_manifest,
    a_referrer,
    a_repository,
    an_index,
    push_image,
    push_manifest,
    token_actor,
)
from tests.support.crashes import Crash, just_before_commit
from tests.support.rows import linked_bytes, object_keys, repository_of, rows_like
from tests.support.uploading import Client, remaining_keys

NAME = RepositoryName.parse("admin/app")
Operation = Callable[[], object]


def at_once(operations: Sequence[Operation]) -> list[object]:
    """Runs all operations at the same moment, each in a thread; raises the error of any."""
    barrier = Barrier(len(operations))

    def run(operation: Operation) -> object:
        barrier.wait()
        return operation()

    with ThreadPoolExecutor(len(operations)) as threads:
        return list(threads.map(run, operations))


def lives(backend: Backend, tag: str = "v1") -> list[tuple[str, int, int]]:
    """Returns a tag's history: digest, start and end of each life, in order."""
    rows = rows_like(backend, f"R#{repository_of(backend).id}", f"LIFE#{tag}#")
    return [(row["digest"], row["started_at"], row.get("ended_at", FOREVER)) for row in rows]


def tag_of(backend: Backend, tag: str = "v1") -> Digest | None:
    try:
        return backend.services.registry.manifests.pull(
            token_actor(backend, "admin", "admin/app"), NAME, Tag(tag)
        ).digest
    except ManifestUnknown:
        return None


def check_history(backend: Backend, pushed: Sequence[Manifest], tag: str = "v1") -> None:
    """Checks that each push has one life, that only the winner's is open, and that none begins too early."""
    history, winner = lives(backend, tag), tag_of(backend, tag)
    opened = [digest for digest, _, end in history if end == FOREVER]

    assert opened == ([str(winner)] if winner else [])
    assert sorted(digest for digest, _, _ in history) == sorted(str(manifest.digest) for manifest in pushed)
    assert all(start <= end for _, start, end in history)
    invariants.check(backend)
    invariants.check_edges(backend)


def delete_tag(backend: Backend, tag: str = "v1") -> None:
    with suppress(ManifestUnknown):
        backend.services.registry.tags.delete_granted(token_actor(backend, "admin", "admin/app"), NAME, Tag(tag))


def an_image(backend: Backend) -> Manifest:
    return a_manifest([a_blob(backend)], a_blob(backend, a_config()))


def test_of_two_concurrent_pushes_of_a_tag_one_wins_completely(backend: Backend) -> None:
    pushed: list[Manifest] = []
    for _ in range(4):
        pair = [an_image(backend), an_image(backend)]
        at_once([partial(push_manifest, backend, manifest, "v1") for manifest in pair])
        pushed += pair
        assert tag_of(backend) in [manifest.digest for manifest in pair]
        check_history(backend, pushed)


def test_a_push_with_a_conflict_reads_again_and_wins_after_the_other(backend: Backend) -> None:
    first, second = an_image(backend), an_image(backend)
    with just_before_commit(backend, lambda: push_manifest(backend, second, "v1")):
        push_manifest(backend, first, "v1")

    assert tag_of(backend) == first.digest
    assert [digest for digest, _, _ in lives(backend)] == [str(second.digest), str(first.digest)]
    check_history(backend, [first, second])


def test_a_push_of_several_tags_with_a_conflict_on_one_moves_them_all(backend: Backend) -> None:
    first, second = an_image(backend), an_image(backend)
    with just_before_commit(backend, lambda: push_manifest(backend, second, "v2")):
        push_manifest(backend, first, "v1", "v2", "v3")

    assert {tag_of(backend, tag) for tag in ("v1", "v2", "v3")} == {first.digest}
    check_history(backend, [second, first], "v2")


def test_a_manifest_pushed_concurrently_under_six_tags_has_them_all(backend: Backend) -> None:
    manifest = an_image(backend)
    at_once([partial(push_manifest, backend, manifest, f"v{tag}") for tag in range(6)])

    assert {tag_of(backend, f"v{tag}") for tag in range(6)} == {manifest.digest}
    invariants.check(backend)
    invariants.check_edges(backend)


def test_five_concurrent_equal_pushes_make_one_life_a_second(backend: Backend) -> None:
    manifest = an_image(backend)
    at_once([lambda: push_manifest(backend, manifest, "v1")] * 5)

    starts = [start for _, start, _ in lives(backend)]
    assert len(starts) == len(set(starts))
    check_history(backend, [manifest] * len(starts))


def test_a_push_with_a_conflict_with_an_equal_one_keeps_edges_of_its_own_ulid(backend: Backend) -> None:
    """Another push's edges count for a lease only; then the collector would remove what the manifest names."""
    manifest = an_image(backend)
    with just_before_commit(backend, lambda: push_manifest(backend, manifest, "v2")):
        push_manifest(backend, manifest, "v1")

    invariants.check(backend)
    invariants.check_edges(backend)


def test_a_repeated_push_that_crashes_leaves_all_edges_of_the_manifest(backend: Backend) -> None:
    """Nobody may repair the edges, so they count while the manifest lives, under any ULID (ADR 2)."""
    manifest = an_image(backend)
    push_manifest(backend, manifest, "v1")

    def die() -> None:
        raise Crash

    with pytest.raises(Crash), just_before_commit(backend, die):
        push_manifest(backend, manifest, "v2")

    assert tag_of(backend) == manifest.digest
    named = {f"USES#{blob.digest}#{manifest.digest}" for blob in manifest.blobs}
    assert {row["sk"] for row in rows_like(backend, "R#", "USES#")} == named
    invariants.check(backend)


WAYS: dict[str, Callable[[Backend, bytes], object]] = {
    "in one request": lambda backend, content: a_blob(backend, content),
    "in chunks": lambda backend, content: in_chunks(backend, content),
    "by the edge": lambda backend, content: by_the_edge(backend, content),
}


def in_chunks(backend: Backend, content: bytes) -> None:
    client = Client(backend)
    client.append(content[:500])
    client.append(content[500:])
    client.close(Digest.of(content))


def by_the_edge(backend: Backend, content: bytes) -> None:
    a_direct_upload(backend, content)
    backend.services.registry.blobs.find(
        token_actor(backend, "admin", "admin/app"), NAME, Digest.of(content), promise=True
    )


def check_one_blob(backend: Backend, content: bytes) -> None:
    repository, digest = repository_of(backend), Digest.of(content)
    assert linked_bytes(backend, repository) == (len(content),) * 3
    assert [row["sk"] for row in rows_like(backend, f"BLOB#{digest}")] == [
        f"IN#{repository.namespace_id}", f"LINK#{repository.id}", "META"
    ]  # fmt: skip
    found = backend.services.registry.blobs.find(token_actor(backend, "admin", "admin/app"), NAME, digest)
    assert backend.services.stores.objects.get(found.s3_key) == content
    invariants.check(backend)


@pytest.mark.parametrize("way", ["in one request", "in chunks"])
def test_a_blob_from_ten_concurrent_pushes_is_linked_and_counted_once_and_leaves_no_orphan(
    backend: Backend, way: str
) -> None:
    a_repository(backend)
    content = os.urandom(1000)
    at_once([lambda: WAYS[way](backend, content)] * 10)

    check_one_blob(backend, content)
    assert len(object_keys(backend, f"in/{repository_of(backend).id}/")) == 1
    assert remaining_keys(backend) == set()


def test_a_blob_from_concurrent_pushes_by_all_ways_is_linked_and_counted_once(backend: Backend) -> None:
    """The reconcile finds a copy that the upload edge wrote beside the winner, since no other code learns of it."""
    a_repository(backend)
    content = os.urandom(1000)
    at_once([lambda way=way: way(backend, content) for way in WAYS.values()] * 3)

    check_one_blob(backend, content)
    assert all(f"/sha256/{Digest.of(content).hex}/" in key for key in remaining_keys(backend))


def test_a_blob_pushed_concurrently_into_two_repositories_is_stored_once(backend: Backend) -> None:
    for repository in ("admin/app", "admin/other"):
        a_repository(backend, repository)
    for _ in range(3):
        content = os.urandom(300)
        at_once([partial(a_blob, backend, content, name) for name in ("admin/app", "admin/other")])
        assert len(rows_like(backend, f"BLOB#{Digest.of(content)}", "META")) == 1

    assert remaining_keys(backend) == remaining_keys(backend, "admin/other") == set()
    invariants.check(backend)


def test_a_blob_that_is_deleted_during_a_push_is_either_there_or_not(backend: Backend) -> None:
    content = os.urandom(300)
    digest = a_blob(backend, content)
    actor = token_actor(backend, "admin", "admin/app")
    for _ in range(4):
        a_blob(backend, content)
        at_once([lambda: a_blob(backend, content), lambda: backend.services.registry.blobs.delete(actor, NAME, digest)])
        invariants.check(backend)
    a_blob(backend, content)

    check_one_blob(backend, content)
    assert remaining_keys(backend) == set()


def test_a_delete_with_a_conflict_with_a_push_deletes_the_pushed_tag(backend: Backend) -> None:
    first, second = push_image(backend, "v1"), an_image(backend)
    with just_before_commit(backend, lambda: push_manifest(backend, second, "v1")):
        delete_tag(backend)

    assert tag_of(backend) is None
    check_history(backend, [first, second])


def test_a_push_with_a_conflict_with_a_delete_creates_the_tag_again(backend: Backend) -> None:
    first, second = push_image(backend, "v1"), an_image(backend)
    with just_before_commit(backend, lambda: delete_tag(backend)):
        push_manifest(backend, second, "v1")

    assert tag_of(backend) == second.digest
    check_history(backend, [first, second])


def test_concurrent_deletes_and_pushes_of_a_tag_leave_a_history_without_gaps(backend: Backend) -> None:
    pushed = [push_image(backend, "v1")]
    for _ in range(4):
        pushed.append(an_image(backend))
        at_once([lambda: push_manifest(backend, pushed[-1], "v1"), lambda: delete_tag(backend)])
        check_history(backend, pushed)


def test_two_deletes_of_one_tag_end_one_life(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    at_once([lambda: delete_tag(backend)] * 3)

    check_history(backend, [manifest])
    assert tag_of(backend) is None


def delete_manifest(backend: Backend, manifest: Manifest) -> None:
    with suppress(ManifestUnknown):
        backend.services.registry.manifests.delete(token_actor(backend, "admin", "admin/app"), NAME, manifest.digest)


def test_a_manifest_deleted_while_it_is_tagged_is_either_gone_with_its_tag_or_complete(
    backend: Backend,
) -> None:
    for _ in range(4):
        manifest = push_image(backend, "v1")
        at_once([partial(push_manifest, backend, manifest, "v2"), partial(delete_manifest, backend, manifest)])
        invariants.check(backend)
        assert tag_of(backend, "v2") in (None, manifest.digest)


def test_a_tag_that_is_added_to_a_manifest_during_its_deletion_is_deleted_with_it(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    with just_before_commit(backend, lambda: push_manifest(backend, manifest, "late")):
        delete_manifest(backend, manifest)

    assert (tag_of(backend), tag_of(backend, "late")) == (None, None)
    invariants.check(backend)


def test_an_index_that_is_pushed_during_its_childs_deletion_never_names_lost_content(backend: Backend) -> None:
    child = push_image(backend, "v1")
    index = an_index([child.digest])
    with just_before_commit(backend, lambda: delete_manifest(backend, child)):
        push_manifest(backend, index, "v2")

    assert tag_of(backend, "v2") == index.digest
    invariants.check(backend)
    invariants.check_edges(backend)


def test_concurrently_pushed_referrers_are_all_listed(backend: Backend) -> None:
    subject = push_image(backend, "v1")
    pushed = at_once([lambda: a_referrer(backend, subject.digest)] * 5)
    page = backend.services.registry.referrers.list(
        token_actor(backend, "admin", "admin/app"), NAME, subject.digest, None, None
    )

    assert {it.digest for it in page.items} == {it.digest for it in pushed if isinstance(it, Manifest)}
    invariants.check(backend)
