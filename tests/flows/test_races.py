"""Several at once: one whole winner, a history without gaps, and nothing counted or kept twice."""

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
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.tags import FOREVER
from tests.support import invariants
from tests.support.backends import House
from tests.support.builders import (
    a_bare_push,
    a_blob,
    a_config,
    a_manifest,
    a_push,
    a_referrer,
    a_repository,
    an_index,
    at_the_edge,
    someone,
)
from tests.support.crashes import Crash, just_before_commit
from tests.support.rows import linked_bytes, object_keys, repository_of, rows_like
from tests.support.uploading import Client, leftovers

NAME = RepositoryName.parse("admin/app")
Operation = Callable[[], object]


def at_once(operations: Sequence[Operation]) -> list[object]:
    """Runs all at the same moment, each in a thread; raises what any of them raises."""
    barrier = Barrier(len(operations))

    def run(operation: Operation) -> object:
        barrier.wait()
        return operation()

    with ThreadPoolExecutor(len(operations)) as threads:
        return list(threads.map(run, operations))


def lives(house: House, tag: str = "v1") -> list[tuple[str, int, int]]:
    """A tag's history: digest, start and end of each life, in their order."""
    rows = rows_like(house, f"R#{repository_of(house).id}", f"LIFE#{tag}#")
    return [(row["digest"], row["started_at"], row.get("ended_at", FOREVER)) for row in rows]


def tag_of(house: House, tag: str = "v1") -> Digest | None:
    try:
        return house.services.manifests.pull(someone(house, "admin", "admin/app"), NAME, tag).digest
    except ManifestUnknown:
        return None


def check_history(house: House, pushed: Sequence[Manifest], tag: str = "v1") -> None:
    """Each push has one life, only the winner's is open, and none begins before it could."""
    history, winner = lives(house, tag), tag_of(house, tag)
    opened = [digest for digest, _, end in history if end == FOREVER]

    assert opened == ([str(winner)] if winner else [])
    assert sorted(digest for digest, _, _ in history) == sorted(str(manifest.digest) for manifest in pushed)
    assert all(start <= end for _, start, end in history)
    invariants.check(house)
    invariants.check_edges(house)


def delete_tag(house: House, tag: str = "v1") -> None:
    with suppress(ManifestUnknown):
        house.services.tags.delete(someone(house, "admin", "admin/app"), NAME, tag)


def an_image(house: House) -> Manifest:
    return a_manifest([a_blob(house)], a_blob(house, a_config()))


def test_of_two_pushes_of_one_tag_at_once_one_wins_whole(house: House) -> None:
    pushed: list[Manifest] = []
    for _ in range(4):
        pair = [an_image(house), an_image(house)]
        at_once([lambda manifest=manifest: a_bare_push(house, manifest, "v1") for manifest in pair])
        pushed += pair
        assert tag_of(house) in [manifest.digest for manifest in pair]
        check_history(house, pushed)


def test_a_push_that_is_overtaken_reads_again_and_wins_after_the_other(house: House) -> None:
    first, second = an_image(house), an_image(house)
    with just_before_commit(house, lambda: a_bare_push(house, second, "v1")):
        a_bare_push(house, first, "v1")

    assert tag_of(house) == first.digest
    assert [digest for digest, _, _ in lives(house)] == [str(second.digest), str(first.digest)]
    check_history(house, [first, second])


def test_a_push_of_several_tags_that_is_overtaken_on_one_moves_them_all(house: House) -> None:
    first, second = an_image(house), an_image(house)
    with just_before_commit(house, lambda: a_bare_push(house, second, "v2")):
        a_bare_push(house, first, "v1", "v2", "v3")

    assert {tag_of(house, tag) for tag in ("v1", "v2", "v3")} == {first.digest}
    check_history(house, [second, first], "v2")


def test_the_same_manifest_pushed_at_once_under_six_tags_has_them_all(house: House) -> None:
    manifest = an_image(house)
    at_once([lambda tag=f"v{tag}": a_bare_push(house, manifest, tag) for tag in range(6)])

    assert {tag_of(house, f"v{tag}") for tag in range(6)} == {manifest.digest}
    invariants.check(house)
    invariants.check_edges(house)


def test_the_same_push_five_times_at_once_has_one_life(house: House) -> None:
    manifest = an_image(house)
    at_once([lambda: a_bare_push(house, manifest, "v1")] * 5)

    check_history(house, [manifest])


def test_a_push_that_the_same_push_overtakes_keeps_edges_of_its_own_ulid(house: House) -> None:
    """An edge of another push counts for a lease only: then the collector would take what a pullable manifest names."""
    manifest = an_image(house)
    with just_before_commit(house, lambda: a_bare_push(house, manifest, "v2")):
        a_bare_push(house, manifest, "v1")

    invariants.check(house)
    invariants.check_edges(house)


def test_a_push_again_that_dies_halfway_leaves_every_edge_of_what_stands(house: House) -> None:
    """Nobody may come to mend them: they count while the manifest lives, under whatever ULID (ADR 2)."""
    manifest = an_image(house)
    a_bare_push(house, manifest, "v1")

    def die() -> None:
        raise Crash

    with pytest.raises(Crash), just_before_commit(house, die):
        a_bare_push(house, manifest, "v2")

    assert tag_of(house) == manifest.digest
    named = {f"USES#{blob.digest}#{manifest.digest}" for blob in manifest.blobs}
    assert {row["sk"] for row in rows_like(house, "R#", "USES#")} == named
    invariants.check(house)


WAYS: dict[str, Callable[[House, bytes], object]] = {
    "in one request": lambda house, content: a_blob(house, content),
    "in chunks": lambda house, content: in_chunks(house, content),
    "by the edge": lambda house, content: by_the_edge(house, content),
}


def in_chunks(house: House, content: bytes) -> None:
    client = Client(house)
    client.append(content[:500])
    client.append(content[500:])
    client.close(Digest.of(content))


def by_the_edge(house: House, content: bytes) -> None:
    at_the_edge(house, content)
    house.services.blobs.find(someone(house, "admin", "admin/app"), NAME, Digest.of(content), promise=True)


def check_one_blob(house: House, content: bytes) -> None:
    repository, digest = repository_of(house), Digest.of(content)
    assert linked_bytes(house, repository) == (len(content),) * 3
    assert [row["sk"] for row in rows_like(house, f"BLOB#{digest}")] == [f"LINK#{repository.id}", "META"]
    found = house.services.blobs.find(someone(house, "admin", "admin/app"), NAME, digest)
    assert house.services.objects.get(found.s3_key) == content
    invariants.check(house)


@pytest.mark.parametrize("way", ["in one request", "in chunks"])
def test_the_same_blob_from_ten_at_once_is_linked_and_counted_once_and_leaves_no_orphan(house: House, way: str) -> None:
    a_repository(house)
    content = os.urandom(1000)
    at_once([lambda: WAYS[way](house, content)] * 10)

    check_one_blob(house, content)
    assert len(object_keys(house, f"in/{repository_of(house).id}/")) == 1
    assert leftovers(house) == set()


def test_the_same_blob_by_all_ways_at_once_is_linked_and_counted_once(house: House) -> None:
    """What the edge wrote beside the winner is for the reconcile to find: only there nobody calls us back."""
    a_repository(house)
    content = os.urandom(1000)
    at_once([lambda way=way: way(house, content) for way in WAYS.values()] * 3)

    check_one_blob(house, content)
    assert all(f"/{Digest.of(content)}/" in key for key in leftovers(house))


def test_the_same_blob_into_two_repositories_at_once_is_stored_once(house: House) -> None:
    for repository in ("admin/app", "admin/other"):
        a_repository(house, repository)
    for _ in range(3):
        content = os.urandom(300)
        at_once([partial(a_blob, house, content, name) for name in ("admin/app", "admin/other")])
        assert len(rows_like(house, f"BLOB#{Digest.of(content)}", "META")) == 1

    assert leftovers(house) == leftovers(house, "admin/other") == set()
    invariants.check(house)


def test_a_blob_deleted_while_it_is_pushed_again_is_either_there_or_not(house: House) -> None:
    content = os.urandom(300)
    digest = a_blob(house, content)
    actor = someone(house, "admin", "admin/app")
    for _ in range(4):
        a_blob(house, content)
        at_once([lambda: a_blob(house, content), lambda: house.services.blobs.delete(actor, NAME, digest)])
        invariants.check(house)
    a_blob(house, content)

    check_one_blob(house, content)
    assert leftovers(house) == set()


def test_a_delete_that_a_push_overtakes_takes_away_what_was_pushed(house: House) -> None:
    first, second = a_push(house, "v1"), an_image(house)
    with just_before_commit(house, lambda: a_bare_push(house, second, "v1")):
        delete_tag(house)

    assert tag_of(house) is None
    check_history(house, [first, second])


def test_a_push_that_a_delete_overtakes_makes_the_tag_anew(house: House) -> None:
    first, second = a_push(house, "v1"), an_image(house)
    with just_before_commit(house, lambda: delete_tag(house)):
        a_bare_push(house, second, "v1")

    assert tag_of(house) == second.digest
    check_history(house, [first, second])


def test_tags_deleted_and_pushed_at_once_leave_a_history_without_gaps(house: House) -> None:
    pushed = [a_push(house, "v1")]
    for _ in range(4):
        pushed.append(an_image(house))
        at_once([lambda: a_bare_push(house, pushed[-1], "v1"), lambda: delete_tag(house)])
        check_history(house, pushed)


def test_two_deletes_of_one_tag_end_one_life(house: House) -> None:
    manifest = a_push(house, "v1")
    at_once([lambda: delete_tag(house)] * 3)

    check_history(house, [manifest])
    assert tag_of(house) is None


def delete_manifest(house: House, manifest: Manifest) -> None:
    with suppress(ManifestUnknown):
        house.services.manifests.delete(someone(house, "admin", "admin/app"), NAME, manifest.digest)


def test_a_manifest_deleted_while_it_is_tagged_is_either_gone_with_its_tag_or_whole(house: House) -> None:
    for _ in range(4):
        manifest = a_push(house, "v1")
        at_once([lambda it=manifest: a_bare_push(house, it, "v2"), lambda it=manifest: delete_manifest(house, it)])
        invariants.check(house)
        assert tag_of(house, "v2") in (None, manifest.digest)


def test_a_tag_that_comes_to_a_manifest_while_it_is_deleted_goes_with_it(house: House) -> None:
    manifest = a_push(house, "v1")
    with just_before_commit(house, lambda: a_bare_push(house, manifest, "late")):
        delete_manifest(house, manifest)

    assert (tag_of(house), tag_of(house, "late")) == (None, None)
    invariants.check(house)


def test_an_index_pushed_while_its_child_is_deleted_never_names_what_cannot_come_back(house: House) -> None:
    child = a_push(house, "v1")
    index = an_index([child.digest])
    with just_before_commit(house, lambda: delete_manifest(house, child)):
        a_bare_push(house, index, "v2")

    assert tag_of(house, "v2") == index.digest
    invariants.check(house)
    invariants.check_edges(house)


def test_referrers_pushed_at_once_are_all_listed(house: House) -> None:
    subject = a_push(house, "v1")
    pushed = at_once([lambda: a_referrer(house, subject.digest)] * 5)
    page = house.services.referrers.list(someone(house, "admin", "admin/app"), NAME, subject.digest, None, None)

    assert {it.digest for it in page.items} == {it.digest for it in pushed if isinstance(it, Manifest)}
    invariants.check(house)
