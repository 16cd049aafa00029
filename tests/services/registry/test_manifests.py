"""Pushes, pulls and deletes manifests, and checks their edges, lives and timers."""

import time
from collections.abc import Callable

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import ManifestBlobUnknown, ManifestUnknown
from chalicelib.domain.manifests import Manifest
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import Role
from chalicelib.domain.tags import FOREVER
from chalicelib.storage import keys
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import (
    a_blob,
    a_config,
    a_descriptor,
    a_direct_upload,
    a_manifest,
    a_referrer,
    a_repository,
    an_actor_with_role,
    an_index,
    push_image,
    push_manifest,
    token_actor,
)
from tests.support.rows import CONDEMNED, DELETING, change, due_at, end_due_at, events, repository_of, rows_like

NAME = RepositoryName.parse("admin/app")
# The Time Machine's default window: two weeks.
WINDOW_S = 14 * 86400


def test_every_edge_carries_the_ulid_of_its_manifest(backend: Backend) -> None:
    child = push_image(backend)
    push_manifest(backend, an_index([child.digest]), "v1")
    a_referrer(backend, child.digest)

    invariants.check(backend)
    invariants.check_edges(backend)


def test_a_manifest_pushed_again_keeps_edges_of_its_own_ulid(backend: Backend) -> None:
    """An edge of another push counts only during a lease: later the collector would delete what the manifest names."""
    child = push_image(backend, "v1")
    index = push_manifest(backend, an_index([child.digest]), "v2")
    referrer = a_referrer(backend, child.digest)
    for manifest in (child, index, referrer):
        push_manifest(backend, manifest, "again")

    invariants.check(backend)
    invariants.check_edges(backend)


def test_a_manifest_pushed_with_more_tags_than_a_transaction_takes_keeps_edges_of_its_ulid(backend: Backend) -> None:
    push_image(backend, *(f"v{number}" for number in range(11)))

    invariants.check(backend)
    invariants.check_edges(backend)


def lives(backend: Backend, tag: str = "v1") -> list[tuple[str, int | None]]:
    """Returns digest and end of a tag's lives, oldest first."""
    found = rows_like(backend, f"R#{repository_of(backend).id}", f"LIFE#{tag}#")
    return [(row["digest"], row.get("ended_at")) for row in found]


def ends(backend: Backend, manifest: Manifest) -> dict[str, int]:
    """Returns until when each tag keeps a manifest."""
    found = rows_like(backend, f"R#{repository_of(backend).id}", f"TAGGED#{manifest.digest}#")
    return {row["tag"]: row["until"] for row in found}


def row_of(backend: Backend, manifest: Manifest) -> ManifestRow:
    row = get(ManifestRow, keys.manifest(repository_of(backend).id, manifest.digest))
    assert row is not None
    return row


def garbage_due(backend: Backend, manifest: Manifest) -> int | None:
    return due_at("garbage", keys.manifest_target(repository_of(backend).id, manifest.digest))


def pulled(backend: Backend, reference: Tag | Digest) -> Digest | None:
    """Returns the digest of the bytes that a reader gets, None if there are none."""
    actor = token_actor(backend, "admin", "admin/app")
    try:
        found = backend.services.registry.manifests.pull(actor, NAME, reference)
        content = backend.services.registry.manifests.body(actor, NAME, found)
    except ManifestUnknown:
        with pytest.raises(ManifestUnknown):
            backend.services.registry.manifests.find(actor, NAME, reference)
        return None
    assert found.digest.matches(content)
    assert found.size == len(content)
    return found.digest


def delete(backend: Backend, manifest: Manifest) -> None:
    backend.services.registry.manifests.delete(token_actor(backend, "admin", "admin/app"), NAME, manifest.digest)


def test_an_error_names_all_missing_blobs_and_children(backend: Backend) -> None:
    there, child = a_blob(backend), push_image(backend)
    missing = [Digest.of(bytes([number])) for number in range(4)]
    index = an_index([child.digest, *missing[2:]], layers=[a_descriptor(blob) for blob in (there, *missing[:2])])

    with pytest.raises(ManifestBlobUnknown) as refused:
        push_manifest(backend, index, "v1")
    assert sorted(refused.value.digests) == sorted(map(str, missing))
    assert pulled(backend, Tag("v1")) is None
    assert pulled(backend, index.digest) is None


@pytest.mark.parametrize("state", ["deleted", DELETING])
def test_a_child_that_cannot_be_pulled_is_missing(backend: Backend, state: str) -> None:
    child = push_image(backend, "v1")
    if state == "deleted":
        delete(backend, child)
    else:
        change(row_of(backend, child), state=DELETING)

    with pytest.raises(ManifestBlobUnknown):
        push_manifest(backend, an_index([child.digest]), "v2")


def test_a_condemned_child_is_made_live_by_an_index_that_names_it(backend: Backend) -> None:
    child = push_image(backend)
    change(row_of(backend, child), state=CONDEMNED)
    assert pulled(backend, child.digest) == child.digest, "the condemned is served as live"

    push_manifest(backend, an_index([child.digest]), "v1")

    assert row_of(backend, child).state == "live"
    invariants.check(backend)


def test_a_manifest_that_was_being_deleted_is_written_again_with_its_bytes(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    before = row_of(backend, manifest)
    change(before, state=DELETING)
    push_manifest(backend, manifest, "v1")
    after = row_of(backend, manifest)

    assert after.state == "live"
    assert after.ulid != before.ulid
    assert pulled(backend, manifest.digest) == manifest.digest
    invariants.check_edges(backend)


def test_a_new_tag_has_an_open_life_and_an_edge_without_end_and_needs_no_lease(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    row = row_of(backend, manifest)

    assert lives(backend) == [(str(manifest.digest), None)]
    assert ends(backend, manifest) == {"v1": FOREVER}
    assert (row.live_until, row.leased_until) == (FOREVER, None)


def test_a_manifest_without_a_tag_has_a_lease_and_a_timer_of_the_collector(backend: Backend) -> None:
    manifest = push_image(backend)
    row = row_of(backend, manifest)

    assert row.live_until is None
    assert row.leased_until is not None
    assert backend.settings.lease_s - 5 < row.leased_until - backend.clock() <= backend.settings.lease_s
    assert abs((garbage_due(backend, manifest) or 0) - row.leased_until) <= 1


def test_a_tag_that_moves_closes_one_life_and_opens_another(backend: Backend) -> None:
    old = push_image(backend, "v1")
    backend.clock.ahead_s = 100
    new = push_image(backend, "v1")
    now = int(backend.clock())
    (first, first_end), second = lives(backend)

    assert (first, second) == (str(old.digest), (str(new.digest), None))
    assert first_end is not None
    assert now - 2 <= first_end <= now
    assert (ends(backend, old), ends(backend, new)) == ({"v1": first_end}, {"v1": FOREVER})
    assert row_of(backend, old).live_until == first_end
    assert garbage_due(backend, old) == first_end + WINDOW_S
    assert (pulled(backend, Tag("v1")), pulled(backend, old.digest)) == (new.digest, old.digest)
    invariants.check(backend)


def test_a_manifest_lives_as_long_as_the_last_of_its_tags(backend: Backend) -> None:
    manifest = push_image(backend, "v1", "v2")
    push_image(backend, "v1")
    assert row_of(backend, manifest).live_until == FOREVER

    backend.clock.ahead_s = 1000
    push_image(backend, "v2")

    assert row_of(backend, manifest).live_until == max(ends(backend, manifest).values()) < FOREVER
    assert ends(backend, manifest)["v2"] - ends(backend, manifest)["v1"] >= 999
    invariants.check(backend)


def test_a_repeated_push_begins_one_life_for_each_tag_and_ends_the_one_before(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    backend.clock.ahead_s = 60
    push_manifest(backend, manifest, "v1", "v1")

    (_, first_end), (_, second_end) = lives(backend)
    assert first_end is not None
    assert second_end is None
    assert ends(backend, manifest) == {"v1": FOREVER}
    assert row_of(backend, manifest).live_until == FOREVER
    invariants.check(backend)


def test_a_tag_that_returns_to_a_manifest_has_three_lives_and_one_edge_to_each_manifest(backend: Backend) -> None:
    first = push_image(backend, "v1")
    second = push_image(backend, "v1")
    push_manifest(backend, first, "v1")

    assert [digest for digest, _ in lives(backend)] == [str(it.digest) for it in (first, second, first)]
    assert ends(backend, first) == {"v1": FOREVER}
    assert row_of(backend, first).live_until == FOREVER
    invariants.check(backend)


def with_label(backend: Backend) -> Manifest:
    return push_image(backend, "v1", labels={"quay.expires-after": "2h"})


def with_annotation(backend: Backend) -> Manifest:
    return push_manifest(backend, a_manifest([a_blob(backend)], annotations={"quay.expires-after": "2h"}), "v1")


def with_annotation_of_an_index(backend: Backend) -> Manifest:
    index = an_index([push_image(backend).digest], annotations={"quay.expires-after": "2h"})
    return push_manifest(backend, index, "v1")


def with_label_from_the_edge(backend: Backend) -> Manifest:
    config = a_config({"quay.expires-after": "2h"})
    a_direct_upload(backend, config)
    return push_manifest(backend, a_manifest([], Digest.of(config)), "v1")


def with_both(backend: Backend) -> Manifest:
    config = a_blob(backend, a_config({"quay.expires-after": "9h"}))
    return push_manifest(backend, a_manifest([], config, annotations={"quay.expires-after": "2h"}), "v1")


EXPIRING = [with_label, with_annotation, with_annotation_of_an_index, with_label_from_the_edge, with_both]


@pytest.mark.parametrize("push", EXPIRING)
def test_an_end_is_written_to_the_tag_its_life_its_edge_and_its_timer(
    backend: Backend, push: Callable[[Backend], Manifest]
) -> None:
    a_repository(backend)
    manifest = push(backend)
    end = end_due_at(backend)

    assert end is not None
    assert 7200 - 5 < end - backend.clock() <= 7200
    assert lives(backend) == [(str(manifest.digest), end)]
    assert ends(backend, manifest) == {"v1": end}
    assert row_of(backend, manifest).live_until == end
    invariants.check(backend)


def test_an_expired_tag_cannot_be_pulled_even_before_its_item_is_deleted(backend: Backend) -> None:
    manifest = with_label(backend)
    end = ends(backend, manifest)["v1"]
    actor = token_actor(backend, "admin", "admin/app")

    backend.clock.ahead_s = end - time.time() - 1.5
    assert pulled(backend, Tag("v1")) == manifest.digest
    assert list(backend.services.registry.tags.list(actor, NAME, None, 10).items) == ["v1"]

    backend.clock.ahead_s = end - time.time() + 0.001
    assert pulled(backend, Tag("v1")) is None
    assert list(backend.services.registry.tags.list(actor, NAME, None, 10).items) == []
    with pytest.raises(ManifestUnknown):
        backend.services.registry.tags.delete_granted(actor, NAME, Tag("v1"))
    assert len(rows_like(backend, "R#", "TAG#")) == 1
    assert pulled(backend, manifest.digest) == manifest.digest, "it waits for the Time Machine"
    invariants.check(backend)


@pytest.mark.parametrize("again", [True, False], ids=["the same manifest", "another"])
def test_a_tag_pushed_after_its_end_has_a_new_life_and_its_history_keeps_the_old_end(
    backend: Backend, again: bool
) -> None:
    old = with_label(backend)
    end = ends(backend, old)["v1"]
    backend.clock.ahead_s = 10_000
    new = push_manifest(backend, old, "v1") if again else push_image(backend, "v1")

    assert lives(backend)[0] == (str(old.digest), end)
    assert pulled(backend, Tag("v1")) == new.digest
    assert again or ends(backend, old) == {"v1": end}
    invariants.check(backend)


def test_a_repeated_push_moves_the_end_of_a_tag(backend: Backend) -> None:
    manifest = with_label(backend)
    before = ends(backend, manifest)["v1"]
    backend.clock.ahead_s = 1000
    push_manifest(backend, manifest, "v1")

    after = ends(backend, manifest)["v1"]
    assert after - before >= 999
    assert row_of(backend, manifest).live_until == after
    assert end_due_at(backend) == after
    invariants.check(backend)


def test_a_delete_by_digest_ends_all_tags_even_if_they_are_many(backend: Backend) -> None:
    tags = [f"v{number:02d}" for number in range(23)]
    manifest, other = push_image(backend, *tags), push_image(backend, "other")
    delete(backend, manifest)
    actor, now = token_actor(backend, "admin", "admin/app"), backend.clock()

    assert list(backend.services.registry.tags.list(actor, NAME, None, 100).items) == ["other"]
    assert {pulled(backend, reference) for reference in (Tag("v00"), Tag("v22"), manifest.digest)} == {None}
    assert pulled(backend, Tag("other")) == other.digest
    assert all(end <= now for tag in tags for _, end in lives(backend, tag) if end is not None)
    assert all(len(lives(backend, tag)) == 1 and lives(backend, tag)[0][1] for tag in tags[:3])
    row = row_of(backend, manifest)
    assert row.live_until == max(ends(backend, manifest).values()) <= now
    assert garbage_due(backend, manifest) == row.live_until + WINDOW_S
    assert len(events(backend, "delete_manifest")) == 1
    with pytest.raises(ManifestUnknown):
        delete(backend, manifest)
    invariants.check(backend)


def test_a_deleted_manifest_is_not_served_from_the_cache(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    assert pulled(backend, manifest.digest) == manifest.digest
    delete(backend, manifest)

    assert pulled(backend, manifest.digest) is None


def test_a_deleted_manifest_that_is_pushed_again_can_be_pulled_and_is_a_referrer_again(backend: Backend) -> None:
    subject = push_image(backend, "v1")
    referrer = a_referrer(backend, subject.digest)
    delete(backend, referrer)
    assert referrers(backend, subject) == []
    push_manifest(backend, referrer)
    assert referrers(backend, subject) == [referrer.digest]
    delete(backend, subject)
    assert referrers(backend, subject) == [referrer.digest], "a subject need not be there"

    push_manifest(backend, subject, "v1")

    assert (pulled(backend, Tag("v1")), pulled(backend, referrer.digest)) == (subject.digest, referrer.digest)
    assert referrers(backend, subject) == [referrer.digest]
    invariants.check(backend)
    invariants.check_edges(backend)


def referrers(backend: Backend, subject: Manifest) -> list[Digest]:
    actor = token_actor(backend, "admin", "admin/app")
    page = backend.services.registry.referrers.list(actor, NAME, subject.digest, None, None)
    return [referrer.digest for referrer in page.items]


def test_a_head_by_a_pusher_renews_a_short_lease_and_makes_a_condemned_manifest_live(backend: Backend) -> None:
    manifest = push_image(backend)
    change(row_of(backend, manifest), state=CONDEMNED)
    backend.clock.ahead_s = backend.settings.lease_s * 0.9
    backend.services.registry.manifests.find(token_actor(backend, "admin", "admin/app"), NAME, manifest.digest)
    row = row_of(backend, manifest)

    assert row.state == "live"
    assert row.leased_until is not None
    assert row.leased_until - backend.clock() > backend.settings.lease_s - 5
    assert garbage_due(backend, manifest) == row.leased_until


def test_a_head_by_a_reader_renews_no_lease(backend: Backend) -> None:
    manifest = push_image(backend)
    backend.user("bob")
    reader = an_actor_with_role(backend, "bob", Role.READ)
    backend.clock.ahead_s = backend.settings.lease_s * 0.9
    before = row_of(backend, manifest).leased_until
    backend.services.registry.manifests.find(reader, NAME, manifest.digest)

    assert row_of(backend, manifest).leased_until == before
