"""Manifests: what a push writes beside them, how long they live, and what is left of them after a delete."""

import time
from collections.abc import Callable

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import ManifestBlobUnknown, ManifestUnknown
from chalicelib.domain.manifests import Manifest
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Role
from chalicelib.domain.tags import FOREVER
from chalicelib.services.registry.manifests import BodyCache
from chalicelib.storage import keys
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import House
from tests.support.builders import (
    a_bare_push,
    a_blob,
    a_config,
    a_descriptor,
    a_granted,
    a_manifest,
    a_push,
    a_referrer,
    a_repository,
    an_index,
    at_the_edge,
    someone,
)
from tests.support.rows import CONDEMNED, DELETING, change, due_at, end_due_at, events, repository_of, rows_like

NAME = RepositoryName.parse("admin/app")
# The Time Machine's window when nobody chose one: two weeks.
WINDOW_S = 14 * 86400


def test_every_edge_carries_the_ulid_of_its_manifest(house: House) -> None:
    child = a_push(house)
    a_bare_push(house, an_index([child.digest]), "v1")
    a_referrer(house, child.digest)

    invariants.check(house)
    invariants.check_edges(house)


def test_a_manifest_pushed_again_keeps_edges_of_its_own_ulid(house: House) -> None:
    """An edge of another push counts for a lease only: then the collector would take what a pullable manifest names."""
    child = a_push(house, "v1")
    index = a_bare_push(house, an_index([child.digest]), "v2")
    referrer = a_referrer(house, child.digest)
    for manifest in (child, index, referrer):
        a_bare_push(house, manifest, "again")

    invariants.check(house)
    invariants.check_edges(house)


def test_a_manifest_pushed_with_more_tags_than_one_transaction_takes_keeps_edges_of_its_own_ulid(house: House) -> None:
    a_push(house, *(f"v{number}" for number in range(11)))

    invariants.check(house)
    invariants.check_edges(house)


def lives(house: House, tag: str = "v1") -> list[tuple[str, int | None]]:
    """Digest and end of a tag's lives, in their order."""
    found = rows_like(house, f"R#{repository_of(house).id}", f"LIFE#{tag}#")
    return [(row["digest"], row.get("ended_at")) for row in found]


def ends(house: House, manifest: Manifest) -> dict[str, int]:
    """Until when tags name a manifest."""
    found = rows_like(house, f"R#{repository_of(house).id}", f"TAGGED#{manifest.digest}#")
    return {row["tag"]: row["until"] for row in found}


def row_of(house: House, manifest: Manifest) -> ManifestRow:
    row = get(ManifestRow, keys.manifest(repository_of(house).id, manifest.digest))
    assert row is not None
    return row


def garbage_due(house: House, manifest: Manifest) -> int | None:
    return due_at("garbage", keys.manifest_target(repository_of(house).id, manifest.digest))


def pulled(house: House, reference: str | Digest) -> Digest | None:
    """What a reader gets who asks for the bytes, None where there is nothing."""
    actor = someone(house, "admin", "admin/app")
    try:
        found = house.services.manifests.pull(actor, NAME, reference)
        content = house.services.manifests.body(actor, NAME, found)
    except ManifestUnknown:
        with pytest.raises(ManifestUnknown):
            house.services.manifests.find(actor, NAME, reference)
        return None
    assert found.digest.matches(content)
    assert found.size == len(content)
    return found.digest


def delete(house: House, manifest: Manifest) -> None:
    house.services.manifests.delete(someone(house, "admin", "admin/app"), NAME, manifest.digest)


def test_all_blobs_and_children_that_are_missing_are_named_at_once(house: House) -> None:
    there, child = a_blob(house), a_push(house)
    missing = [Digest.of(bytes([number])) for number in range(4)]
    index = an_index([child.digest, *missing[2:]], layers=[a_descriptor(blob) for blob in (there, *missing[:2])])

    with pytest.raises(ManifestBlobUnknown) as refused:
        a_bare_push(house, index, "v1")
    assert sorted(refused.value.digests) == sorted(map(str, missing))
    assert pulled(house, "v1") is None
    assert pulled(house, index.digest) is None


@pytest.mark.parametrize("state", ["deleted", DELETING])
def test_a_child_that_no_reader_would_get_is_missing(house: House, state: str) -> None:
    child = a_push(house, "v1")
    if state == "deleted":
        delete(house, child)
    else:
        change(row_of(house, child), state=DELETING)

    with pytest.raises(ManifestBlobUnknown):
        a_bare_push(house, an_index([child.digest]), "v2")


def test_a_condemned_child_is_made_live_by_who_names_it(house: House) -> None:
    child = a_push(house)
    change(row_of(house, child), state=CONDEMNED)
    assert pulled(house, child.digest) == child.digest, "the condemned is served as live"

    a_bare_push(house, an_index([child.digest]), "v1")

    assert row_of(house, child).state == "live"
    invariants.check(house)


def test_a_manifest_that_was_being_deleted_is_written_anew_with_its_bytes(house: House) -> None:
    manifest = a_push(house, "v1")
    before = row_of(house, manifest)
    change(before, state=DELETING)
    a_bare_push(house, manifest, "v1")
    after = row_of(house, manifest)

    assert after.state == "live"
    assert after.ulid != before.ulid
    assert pulled(house, manifest.digest) == manifest.digest
    invariants.check_edges(house)


def test_a_new_tag_has_an_open_life_an_edge_without_end_and_needs_no_lease(house: House) -> None:
    manifest = a_push(house, "v1")
    row = row_of(house, manifest)

    assert lives(house) == [(str(manifest.digest), None)]
    assert ends(house, manifest) == {"v1": FOREVER}
    assert (row.live_until, row.leased_until) == (FOREVER, None)


def test_a_manifest_without_a_tag_is_leased_and_its_collector_armed(house: House) -> None:
    manifest = a_push(house)
    row = row_of(house, manifest)

    assert row.live_until is None
    assert row.leased_until is not None
    assert house.settings.lease_s - 5 < row.leased_until - house.clock() <= house.settings.lease_s
    assert abs((garbage_due(house, manifest) or 0) - row.leased_until) <= 1


def test_a_tag_that_moves_closes_one_life_and_opens_another(house: House) -> None:
    old = a_push(house, "v1")
    house.clock.ahead_s = 100
    new = a_push(house, "v1")
    now = int(house.clock())
    (first, first_end), second = lives(house)

    assert (first, second) == (str(old.digest), (str(new.digest), None))
    assert first_end is not None
    assert now - 2 <= first_end <= now
    assert (ends(house, old), ends(house, new)) == ({"v1": first_end}, {"v1": FOREVER})
    assert row_of(house, old).live_until == first_end
    assert garbage_due(house, old) == first_end + WINDOW_S
    assert (pulled(house, "v1"), pulled(house, old.digest)) == (new.digest, old.digest)
    invariants.check(house)


def test_a_manifest_lives_as_long_as_the_last_of_its_tags(house: House) -> None:
    manifest = a_push(house, "v1", "v2")
    a_push(house, "v1")
    assert row_of(house, manifest).live_until == FOREVER

    house.clock.ahead_s = 1000
    a_push(house, "v2")

    assert row_of(house, manifest).live_until == max(ends(house, manifest).values()) < FOREVER
    assert ends(house, manifest)["v2"] - ends(house, manifest)["v1"] >= 999
    invariants.check(house)


def test_the_same_push_again_begins_no_new_life(house: House) -> None:
    manifest = a_push(house, "v1")
    before = lives(house)
    a_bare_push(house, manifest, "v1", "v1")

    assert lives(house) == before
    invariants.check(house)


def test_a_tag_that_comes_back_to_a_manifest_has_three_lives_and_one_edge_each(house: House) -> None:
    first = a_push(house, "v1")
    second = a_push(house, "v1")
    a_bare_push(house, first, "v1")

    assert [digest for digest, _ in lives(house)] == [str(it.digest) for it in (first, second, first)]
    assert ends(house, first) == {"v1": FOREVER}
    assert row_of(house, first).live_until == FOREVER
    invariants.check(house)


def with_label(house: House) -> Manifest:
    return a_push(house, "v1", labels={"quay.expires-after": "2h"})


def with_annotation(house: House) -> Manifest:
    return a_bare_push(house, a_manifest([a_blob(house)], annotations={"quay.expires-after": "2h"}), "v1")


def with_annotation_of_an_index(house: House) -> Manifest:
    return a_bare_push(house, an_index([a_push(house).digest], annotations={"quay.expires-after": "2h"}), "v1")


def with_label_from_the_edge(house: House) -> Manifest:
    config = a_config({"quay.expires-after": "2h"})
    at_the_edge(house, config)
    return a_bare_push(house, a_manifest([], Digest.of(config)), "v1")


def with_both(house: House) -> Manifest:
    config = a_blob(house, a_config({"quay.expires-after": "9h"}))
    return a_bare_push(house, a_manifest([], config, annotations={"quay.expires-after": "2h"}), "v1")


EXPIRING = [with_label, with_annotation, with_annotation_of_an_index, with_label_from_the_edge, with_both]


@pytest.mark.parametrize("push", EXPIRING)
def test_an_expiry_is_written_with_the_tag_its_life_its_edge_and_its_timer(
    house: House, push: Callable[[House], Manifest]
) -> None:
    a_repository(house)
    manifest = push(house)
    end = end_due_at(house)

    assert end is not None
    assert 7200 - 5 < end - house.clock() <= 7200
    assert lives(house) == [(str(manifest.digest), end)]
    assert ends(house, manifest) == {"v1": end}
    assert row_of(house, manifest).live_until == end
    invariants.check(house)


def test_an_expired_tag_is_gone_at_that_second_though_its_item_is_there(house: House) -> None:
    manifest = with_label(house)
    end = ends(house, manifest)["v1"]
    actor = someone(house, "admin", "admin/app")

    house.clock.ahead_s = end - time.time() - 1.5
    assert pulled(house, "v1") == manifest.digest
    assert list(house.services.tags.list(actor, NAME, "", 10).items) == ["v1"]

    house.clock.ahead_s = end - time.time() + 0.001
    assert pulled(house, "v1") is None
    assert list(house.services.tags.list(actor, NAME, "", 10).items) == []
    with pytest.raises(ManifestUnknown):
        house.services.tags.delete(actor, NAME, "v1")
    assert len(rows_like(house, "R#", "TAG#")) == 1
    assert pulled(house, manifest.digest) == manifest.digest, "it waits for the Time Machine"
    invariants.check(house)


@pytest.mark.parametrize("again", [True, False], ids=["the same manifest", "another"])
def test_a_tag_pushed_after_its_end_lives_anew_and_its_history_keeps_the_old_end(house: House, again: bool) -> None:
    old = with_label(house)
    end = ends(house, old)["v1"]
    house.clock.ahead_s = 10_000
    new = a_bare_push(house, old, "v1") if again else a_push(house, "v1")

    assert lives(house)[0] == (str(old.digest), end)
    assert pulled(house, "v1") == new.digest
    assert again or ends(house, old) == {"v1": end}
    invariants.check(house)


def test_a_push_again_lengthens_the_life_of_a_tag_with_an_end(house: House) -> None:
    manifest = with_label(house)
    before = ends(house, manifest)["v1"]
    house.clock.ahead_s = 1000
    a_bare_push(house, manifest, "v1")

    after = ends(house, manifest)["v1"]
    assert after - before >= 999
    assert row_of(house, manifest).live_until == after
    assert end_due_at(house) == after
    invariants.check(house)


def test_a_delete_by_digest_ends_every_tag_however_many(house: House) -> None:
    tags = [f"v{number:02d}" for number in range(23)]
    manifest, other = a_push(house, *tags), a_push(house, "other")
    delete(house, manifest)
    actor, now = someone(house, "admin", "admin/app"), house.clock()

    assert list(house.services.tags.list(actor, NAME, "", 100).items) == ["other"]
    assert {pulled(house, reference) for reference in ("v00", "v22", manifest.digest)} == {None}
    assert pulled(house, "other") == other.digest
    assert all(end <= now for tag in tags for _, end in lives(house, tag) if end is not None)
    assert all(len(lives(house, tag)) == 1 and lives(house, tag)[0][1] for tag in tags[:3])
    row = row_of(house, manifest)
    assert row.live_until == max(ends(house, manifest).values()) <= now
    assert garbage_due(house, manifest) == row.live_until + WINDOW_S
    assert len(events(house, "delete_manifest")) == 1
    with pytest.raises(ManifestUnknown):
        delete(house, manifest)
    invariants.check(house)


def test_a_deleted_manifest_is_no_longer_served_from_memory(house: House) -> None:
    manifest = a_push(house, "v1")
    assert pulled(house, manifest.digest) == manifest.digest
    delete(house, manifest)

    assert pulled(house, manifest.digest) is None


def test_a_deleted_manifest_that_is_pushed_again_is_back_and_refers_again(house: House) -> None:
    subject = a_push(house, "v1")
    referrer = a_referrer(house, subject.digest)
    delete(house, referrer)
    assert referrers(house, subject) == []
    a_bare_push(house, referrer)
    assert referrers(house, subject) == [referrer.digest]
    delete(house, subject)
    assert referrers(house, subject) == [referrer.digest], "a subject need not be there"

    a_bare_push(house, subject, "v1")

    assert (pulled(house, "v1"), pulled(house, referrer.digest)) == (subject.digest, referrer.digest)
    assert referrers(house, subject) == [referrer.digest]
    invariants.check(house)
    invariants.check_edges(house)


def referrers(house: House, subject: Manifest) -> list[Digest]:
    page = house.services.referrers.list(someone(house, "admin", "admin/app"), NAME, subject.digest, None, None)
    return [referrer.digest for referrer in page.items]


def test_a_head_by_a_pusher_renews_a_short_lease_and_brings_the_condemned_back(house: House) -> None:
    manifest = a_push(house)
    change(row_of(house, manifest), state=CONDEMNED)
    house.clock.ahead_s = house.settings.lease_s * 0.9
    house.services.manifests.find(someone(house, "admin", "admin/app"), NAME, manifest.digest)
    row = row_of(house, manifest)

    assert row.state == "live"
    assert row.leased_until is not None
    assert row.leased_until - house.clock() > house.settings.lease_s - 5
    assert garbage_due(house, manifest) == row.leased_until


def test_a_reader_renews_nothing(house: House) -> None:
    manifest = a_push(house)
    house.user("bob")
    reader = a_granted(house, "bob", Role.READ)
    house.clock.ahead_s = house.settings.lease_s * 0.9
    before = row_of(house, manifest).leased_until
    house.services.manifests.find(reader, NAME, manifest.digest)

    assert row_of(house, manifest).leased_until == before


def test_the_memory_for_bytes_is_bounded_and_lets_the_longest_unused_go() -> None:
    cache, digests = BodyCache(limit=100), [Digest.of(bytes([number])) for number in range(3)]
    cache.put("r", digests[0], bytes(40))
    cache.put("r", digests[1], bytes(40))
    assert cache.get("r", digests[0]) is not None
    cache.put("r", digests[2], bytes(40))

    assert cache.get("r", digests[1]) is None
    assert cache.get("r", digests[0]) == cache.get("r", digests[2]) == bytes(40)
    assert cache.get("other", digests[0]) is None
    cache.put("r", digests[1], bytes(101))
    assert cache.get("r", digests[1]) is None
