"""The Time Machine: tags pointed, given an end, deleted, restored, and deleted for good."""

from collections.abc import Callable

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import (
    Denied,
    FieldInvalid,
    ManifestUnknown,
    RepositoryFrozen,
    ResourceUnknown,
    TagImmutable,
    TagInvalid,
)
from chalicelib.domain.manifests import Manifest
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, Role
from chalicelib.storage import keys
from chalicelib.storage.registry.repositories import RepositoryNameRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import House
from tests.support.builders import a_bare_push, a_granted, a_manifest, a_push, a_referrer, someone
from tests.support.crashes import crash_everywhere
from tests.support.rows import change, end_due_at, events, repository_of, rows_like
from tests.support.sweeping import WINDOW_S, held, later, outlive, sweep

NAME = RepositoryName.parse("admin/app")
HOUR = 3600


def pulled(house: House, reference: str | Digest) -> Digest | None:
    try:
        return house.services.manifests.find(someone(house, "admin", "admin/app"), NAME, reference).digest
    except ManifestUnknown:
        return None


def lives(house: House, tag: str = "v1") -> list[tuple[str, int | None, int]]:
    """Digest, end and reversion of each life of a tag, oldest first."""
    rows = rows_like(house, f"R#{repository_of(house).id}", f"LIFE#{tag}#")
    return [(row["digest"], row.get("ended_at"), row["reversion"]) for row in rows]


def machine(house: House, action: str, *arguments: object, who: str = "admin", **options: object) -> None:
    getattr(house.services.time_machine, action)(house.signed_in(who), NAME, *arguments, **options)


def test_a_tag_is_given_an_end_another_and_none(house: House) -> None:
    manifest = a_push(house, "v1")
    now = int(house.clock())
    for end in (now + 2 * HOUR, now + 5 * HOUR):
        machine(house, "set_end", "v1", end)
        assert lives(house) == [(str(manifest.digest), end, 0)]
        assert end_due_at(house) == end
        invariants.check(house)

    machine(house, "set_end", "v1", None)
    assert lives(house) == [(str(manifest.digest), None, 0)]
    assert end_due_at(house) is None
    invariants.check(house)
    assert len(events(house, "change_tag_expiration")) == 3


def test_an_end_lies_within_an_hour_and_two_years_of_the_beginning(house: House) -> None:
    a_push(house, "v1")
    (start,) = [row["started_at"] for row in rows_like(house, "R#", "TAG#v1")]
    machine(house, "set_end", "v1", int(house.clock()) + 60)
    assert lives(house)[0][1] == start + HOUR

    machine(house, "set_end", "v1", start + 10 * 365 * 86400)
    assert lives(house)[0][1] == start + 104 * 7 * 86400


def test_an_end_that_has_passed_is_refused(house: House) -> None:
    a_push(house, "v1")
    with pytest.raises(FieldInvalid, match="expiration"):
        machine(house, "set_end", "v1", int(house.clock()) - 1)


def test_the_same_end_again_is_no_change(house: House) -> None:
    a_push(house, "v1")
    end = int(house.clock()) + 2 * HOUR
    machine(house, "set_end", "v1", end)
    machine(house, "set_end", "v1", end)
    machine(house, "set_end", "v1", None)
    machine(house, "set_end", "v1", None)

    assert len(events(house, "change_tag_expiration")) == 2


def test_a_tag_is_pointed_to_what_can_be_pulled(house: House) -> None:
    first, second = a_push(house, "v1"), a_push(house, "v2", labels={"quay.expires-after": "3h"})
    machine(house, "point", "copy", str(first.digest))
    assert pulled(house, "copy") == first.digest
    machine(house, "point", "copy", str(second.digest))
    assert pulled(house, "copy") == second.digest

    assert [digest for digest, _, _ in lives(house, "copy")] == [str(first.digest), str(second.digest)]
    assert end_due_at(house, "copy") is not None, "the label of what it names counts again"
    assert (len(events(house, "create_tag")), len(events(house, "move_tag"))) == (1, 1)
    assert str(first.digest) in events(house, "move_tag")[0]["metadata"]
    invariants.check(house)


@pytest.mark.parametrize("digest", ["nonsense", "", "sha256:" + "0" * 64])
def test_what_is_not_there_is_pointed_to_by_none(house: House, digest: str) -> None:
    a_push(house, "v1")
    for action in ("point", "restore"):
        with pytest.raises(ResourceUnknown):
            machine(house, action, "v1", digest)


def test_a_deleted_tag_is_restored_with_its_history(house: House) -> None:
    manifest = a_push(house, "v1")
    machine(house, "delete", "v1")
    later(house, WINDOW_S - HOUR)
    sweep(house)
    assert pulled(house, "v1") is None
    with pytest.raises(ResourceUnknown):
        machine(house, "delete", "v1")

    machine(house, "restore", "v1", str(manifest.digest))
    assert pulled(house, "v1") == manifest.digest
    assert [reversion for _, _, reversion in lives(house)] == [0, 1]
    outlive(house)
    assert pulled(house, "v1") == manifest.digest
    assert len(events(house, "revert_tag")) == 1
    invariants.check(house)


def test_a_tag_is_restored_to_what_it_named_before_and_to_what_another_did(house: House) -> None:
    first, second = a_push(house, "v1"), a_push(house, "v1")
    other = a_push(house, "other")
    for manifest in (first, other, second):
        machine(house, "restore", "v1", str(manifest.digest))
        assert pulled(house, "v1") == manifest.digest
        invariants.check(house)


def test_a_manifest_deleted_by_digest_comes_back_with_its_place_among_the_referrers(house: House) -> None:
    subject = a_push(house, "v1")
    signature = a_referrer(house, subject.digest)
    house.services.manifests.delete(someone(house, "admin", "admin/app"), NAME, signature.digest)
    machine(house, "restore", "signature", str(signature.digest))

    listed = house.services.referrers.list(someone(house, "admin", "admin/app"), NAME, subject.digest, None, None)
    assert [entry.digest for entry in listed.items] == [signature.digest]
    assert pulled(house, signature.digest) == signature.digest
    invariants.check(house)


def test_what_was_collected_cannot_be_restored(house: House) -> None:
    manifest = a_push(house, "v1")
    machine(house, "delete", "v1")
    outlive(house)

    with pytest.raises(ResourceUnknown):
        machine(house, "restore", "v1", str(manifest.digest))


@pytest.mark.parametrize("is_alive", [True, False], ids=["while it lives", "when it is dead"])
def test_a_tag_deleted_for_good_frees_its_bytes_without_the_window(house: House, is_alive: bool) -> None:
    manifest = a_push(house, "v1")
    if not is_alive:
        machine(house, "delete", "v1")
    machine(house, "expire", "v1", str(manifest.digest), is_alive=is_alive)
    for _ in range(2):
        later(house, house.settings.lease_s + house.settings.grace_s + 10)
        sweep(house)

    assert pulled(house, "v1") is None
    assert held(house) == []
    assert rows_like(house, "BLOB#") == []
    assert len(events(house, "permanently_delete_tag")) == 1
    with pytest.raises(ResourceUnknown):
        machine(house, "expire", "v1", str(manifest.digest), is_alive=False)


def test_another_tag_keeps_what_one_was_deleted_for_good_from(house: House) -> None:
    manifest = a_push(house, "v1", "v2")
    machine(house, "delete", "v2")
    machine(house, "expire", "v1", str(manifest.digest), is_alive=True)
    invariants.check(house)
    later(house, WINDOW_S - HOUR)
    sweep(house)
    machine(house, "restore", "v2", str(manifest.digest))

    assert pulled(house, "v2") == manifest.digest


@pytest.mark.parametrize(("tag", "is_alive"), [("v1", False), ("none", False), ("none", True)])
def test_only_what_is_so_can_be_deleted_for_good(house: House, tag: str, is_alive: bool) -> None:
    manifest = a_push(house, "v1")
    with pytest.raises(ResourceUnknown):
        machine(house, "expire", tag, str(manifest.digest), is_alive=is_alive)
    with pytest.raises(ResourceUnknown):
        machine(house, "expire", "v1", "nonsense", is_alive=True)


def test_an_immutable_tag_is_neither_moved_nor_deleted_nor_given_an_end(house: House) -> None:
    manifest, other = a_push(house, "v1"), a_push(house, "v2")
    machine(house, "set_immutable", "v1", immutable=True)
    actor = someone(house, "admin", "admin/app")
    attempts: list[Callable[[], object]] = [
        lambda: machine(house, "point", "v1", str(other.digest)),
        lambda: machine(house, "restore", "v1", str(other.digest)),
        lambda: machine(house, "delete", "v1"),
        lambda: machine(house, "expire", "v1", str(manifest.digest), is_alive=True),
        lambda: machine(house, "set_end", "v1", int(house.clock()) + 2 * HOUR),
        lambda: a_bare_push(house, a_manifest(), "v1"),
        lambda: house.services.tags.delete(actor, NAME, "v1"),
        lambda: house.services.manifests.delete(actor, NAME, manifest.digest),
    ]
    for attempt in attempts:
        with pytest.raises(TagImmutable):
            attempt()
    a_bare_push(house, manifest, "v1")
    with pytest.raises(TagImmutable):
        a_bare_push(house, other, "v1")

    assert pulled(house, "v1") == manifest.digest
    machine(house, "set_immutable", "v1", immutable=False)
    machine(house, "delete", "v1")
    invariants.check(house)


def test_a_tag_with_an_end_is_not_made_immutable(house: House) -> None:
    a_push(house, "v1", labels={"quay.expires-after": "3h"})
    with pytest.raises(FieldInvalid, match="Clear expiration first"):
        machine(house, "set_immutable", "v1", immutable=True)


def test_tags_of_a_frozen_repository_stay_as_they_are(house: House) -> None:
    manifest = a_push(house, "v1")
    key = keys.repository_name(repository_of(house).namespace_id, "app")
    change(get(RepositoryNameRow, key), mode="READ_ONLY")

    with pytest.raises(RepositoryFrozen, match="mode: 1"):
        machine(house, "delete", "v1")
    machine(house, "expire", "v1", str(manifest.digest), is_alive=True)


@pytest.mark.parametrize("tag", ["-x", "bad!tag", "x" * 129])
def test_a_name_outside_the_grammar_is_refused(house: House, tag: str) -> None:
    manifest = a_push(house, "v1")
    with pytest.raises(TagInvalid):
        machine(house, "point", tag, str(manifest.digest))


def test_readers_and_strangers_change_nothing(house: House) -> None:
    manifest = a_push(house, "v1")
    house.user("bob")
    house.user("eve")
    a_granted(house, "bob", Role.READ)
    for who in ("bob", "eve"):
        with pytest.raises(Denied):
            machine(house, "delete", "v1", who=who)
        with pytest.raises(Denied):
            machine(house, "restore", "v1", str(manifest.digest), who=who)
    with pytest.raises(Denied):
        house.services.time_machine.delete(ANONYMOUS, NAME, "v1")


CHANGES: dict[str, Callable[[House, RepositoryName, Manifest], object]] = {
    "end": lambda house, name, _: house.services.time_machine.set_end(
        house.signed_in("admin"), name, "v1", int(house.clock()) + 3 * HOUR
    ),
    "point": lambda house, name, old: house.services.time_machine.point(
        house.signed_in("admin"), name, "v1", str(old.digest)
    ),
    "restore": lambda house, name, old: house.services.time_machine.restore(
        house.signed_in("admin"), name, "v1", str(old.digest)
    ),
}


@pytest.mark.parametrize("action", CHANGES)
def test_a_crash_anywhere_leaves_all_or_nothing(house: House, action: str) -> None:
    def prepare(number: int) -> Callable[[], object]:
        repository = f"admin/round{number}"
        old = a_push(house, "v1", "kept", repository=repository)
        a_push(house, "v1", repository=repository)
        return lambda: CHANGES[action](house, RepositoryName.parse(repository), old)

    assert crash_everywhere(house, prepare) >= 1
