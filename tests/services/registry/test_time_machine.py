"""Points, ends, deletes, restores and forgets tags with the Time Machine."""

from collections.abc import Callable

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import (
    Denied,
    FieldInvalid,
    ManifestUnknown,
    RepositoryFrozen,
    ResourceUnknown,
    TagExpired,
    TagImmutable,
    TagInvalid,
    Unauthenticated,
)
from chalicelib.domain.manifests import Manifest
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import ANONYMOUS, Role
from chalicelib.domain.tag_changes import TagUpdate
from chalicelib.storage import keys
from chalicelib.storage.registry.repositories import RepositoryNameRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import (
    a_manifest,
    a_referrer,
    an_actor_with_role,
    an_index,
    push_image,
    push_manifest,
    token_actor,
)
from tests.support.crashes import crash_everywhere
from tests.support.rows import change, end_due_at, events, repository_of, rows_like
from tests.support.sweeping import WINDOW_S, advance_clock, content_keys, expire_everything, sweep
from tests.support.tag_actions import TagActions

NAME = RepositoryName.parse("admin/app")
HOUR = 3600


def pulled(backend: Backend, reference: Tag | Digest) -> Digest | None:
    try:
        return backend.services.registry.manifests.find(
            token_actor(backend, "admin", "admin/app"), NAME, reference
        ).digest
    except ManifestUnknown:
        return None


def lives(backend: Backend, tag: str = "v1") -> list[tuple[str, int | None, int]]:
    """Returns digest, end and reversion of each life of a tag, oldest first."""
    rows = rows_like(backend, f"R#{repository_of(backend).id}", f"LIFE#{tag}#")
    return [(row["digest"], row.get("ended_at"), row["reversion"]) for row in rows]


def act(backend: Backend, action: str, *arguments: object, who: str = "admin", **options: object) -> None:
    getattr(TagActions(backend, who), action)(*arguments, **options)


def test_the_end_of_a_tag_can_be_set_changed_and_removed(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    now = int(backend.clock())
    for end in (now + 2 * HOUR, now + 5 * HOUR):
        act(backend, "set_end", "v1", end)
        assert lives(backend) == [(str(manifest.digest), end, 0)]
        assert end_due_at(backend) == end
        invariants.check(backend)

    act(backend, "set_end", "v1", None)
    assert lives(backend) == [(str(manifest.digest), None, 0)]
    assert end_due_at(backend) is None
    invariants.check(backend)
    assert len(events(backend, "change_tag_expiration")) == 3


def test_an_end_is_between_an_hour_and_two_years_after_the_tags_start(backend: Backend) -> None:
    push_image(backend, "v1")
    (start,) = [row["started_at"] for row in rows_like(backend, "R#", "TAG#v1")]
    act(backend, "set_end", "v1", int(backend.clock()) + 60)
    assert lives(backend)[0][1] == start + HOUR

    act(backend, "set_end", "v1", start + 10 * 365 * 86400)
    assert lives(backend)[0][1] == start + 104 * 7 * 86400


def test_an_end_that_has_passed_is_refused(backend: Backend) -> None:
    push_image(backend, "v1")
    with pytest.raises(FieldInvalid, match="expiration"):
        act(backend, "set_end", "v1", int(backend.clock()) - 1)


def test_the_same_end_again_changes_nothing(backend: Backend) -> None:
    push_image(backend, "v1")
    end = int(backend.clock()) + 2 * HOUR
    act(backend, "set_end", "v1", end)
    act(backend, "set_end", "v1", end)
    act(backend, "set_end", "v1", None)
    act(backend, "set_end", "v1", None)

    assert len(events(backend, "change_tag_expiration")) == 2


def test_a_tag_can_be_pointed_to_a_pullable_manifest(backend: Backend) -> None:
    first, second = push_image(backend, "v1"), push_image(backend, "v2", labels={"quay.expires-after": "3h"})
    act(backend, "point", "copy", str(first.digest))
    assert pulled(backend, Tag("copy")) == first.digest
    act(backend, "point", "copy", str(second.digest))
    assert pulled(backend, Tag("copy")) == second.digest

    assert [digest for digest, _, _ in lives(backend, "copy")] == [str(first.digest), str(second.digest)]
    assert end_due_at(backend, "copy") is not None, "the label of what it names counts again"
    assert (len(events(backend, "create_tag")), len(events(backend, "move_tag"))) == (1, 1)
    assert str(first.digest) in events(backend, "move_tag")[0]["metadata"]
    invariants.check(backend)


@pytest.mark.parametrize("digest", ["nonsense", "", "sha256:" + "0" * 64])
def test_a_tag_cannot_be_pointed_to_a_missing_manifest(backend: Backend, digest: str) -> None:
    push_image(backend, "v1")
    for action in ("point", "restore"):
        with pytest.raises(ResourceUnknown):
            act(backend, action, "v1", digest)


def test_a_deleted_tag_is_restored_with_its_history(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    act(backend, "delete", "v1")
    advance_clock(backend, WINDOW_S - HOUR)
    sweep(backend)
    assert pulled(backend, Tag("v1")) is None
    with pytest.raises(ResourceUnknown):
        act(backend, "delete", "v1")

    act(backend, "restore", "v1", str(manifest.digest))
    assert pulled(backend, Tag("v1")) == manifest.digest
    assert [reversion for _, _, reversion in lives(backend)] == [0, 1]
    expire_everything(backend)
    assert pulled(backend, Tag("v1")) == manifest.digest
    assert len(events(backend, "revert_tag")) == 1
    invariants.check(backend)


def test_a_tag_can_be_restored_to_its_former_manifest_and_to_that_of_another_tag(backend: Backend) -> None:
    first, second = push_image(backend, "v1"), push_image(backend, "v1")
    other = push_image(backend, "other")
    for manifest in (first, other, second):
        act(backend, "restore", "v1", str(manifest.digest))
        assert pulled(backend, Tag("v1")) == manifest.digest
        invariants.check(backend)


def test_a_manifest_deleted_by_digest_is_a_referrer_again_when_it_is_restored(backend: Backend) -> None:
    subject = push_image(backend, "v1")
    signature = a_referrer(backend, subject.digest)
    backend.services.registry.manifests.delete(token_actor(backend, "admin", "admin/app"), NAME, signature.digest)
    act(backend, "restore", "signature", str(signature.digest))

    listed = backend.services.registry.referrers.list(
        token_actor(backend, "admin", "admin/app"), NAME, subject.digest, None, None
    )
    assert [entry.digest for entry in listed.items] == [signature.digest]
    assert pulled(backend, signature.digest) == signature.digest
    invariants.check(backend)


def test_a_collected_manifest_cannot_be_restored(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    act(backend, "delete", "v1")
    expire_everything(backend)

    with pytest.raises(ResourceUnknown):
        act(backend, "restore", "v1", str(manifest.digest))


@pytest.mark.parametrize("is_alive", [True, False], ids=["while it lives", "when it is dead"])
def test_a_forgotten_tag_frees_its_bytes_before_the_window_ends(backend: Backend, is_alive: bool) -> None:
    manifest = push_image(backend, "v1")
    if not is_alive:
        act(backend, "delete", "v1")
    act(backend, "forget", "v1", str(manifest.digest), is_alive=is_alive)
    for _ in range(2):
        advance_clock(backend, backend.settings.lease_s + backend.settings.grace_s + 10)
        sweep(backend)

    assert pulled(backend, Tag("v1")) is None
    assert content_keys(backend) == []
    assert rows_like(backend, "BLOB#") == []
    assert len(events(backend, "permanently_delete_tag")) == 1
    with pytest.raises(ResourceUnknown):
        act(backend, "forget", "v1", str(manifest.digest), is_alive=False)


def test_another_tag_keeps_the_manifest_of_a_forgotten_tag(backend: Backend) -> None:
    manifest = push_image(backend, "v1", "v2")
    act(backend, "delete", "v2")
    act(backend, "forget", "v1", str(manifest.digest), is_alive=True)
    invariants.check(backend)
    advance_clock(backend, WINDOW_S - HOUR)
    sweep(backend)
    act(backend, "restore", "v2", str(manifest.digest))

    assert pulled(backend, Tag("v2")) == manifest.digest


@pytest.mark.parametrize("is_alive", [True, False], ids=["while it lives", "when it is dead"])
def test_what_was_forgotten_is_in_no_history_and_cannot_be_restored_from_that_second_on(
    backend: Backend, is_alive: bool
) -> None:
    other = push_image(backend, "v1", "v2")
    manifest = push_image(backend, "v1")
    act(backend, "delete", "v1")
    push_manifest(backend, manifest, "v1")
    if not is_alive:
        act(backend, "delete", "v1")
    act(backend, "forget", "v1", str(manifest.digest), is_alive=is_alive)

    assert [digest for digest, _, _ in lives(backend)] == [str(other.digest)]
    for action in ("restore", "point"):
        for tag in ("v1", "new"):
            with pytest.raises(ResourceUnknown):
                act(backend, action, tag, str(manifest.digest))
    invariants.check(backend)
    act(backend, "restore", "v1", str(other.digest))
    push_manifest(backend, manifest, "v1")
    assert pulled(backend, Tag("v1")) == manifest.digest
    invariants.check(backend)


def test_a_pull_of_a_forgotten_tag_does_not_mention_the_time_machine(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    act(backend, "forget", "v1", str(manifest.digest), is_alive=True)

    with pytest.raises(ManifestUnknown) as refused:
        backend.services.registry.manifests.pull(token_actor(backend, "admin", "admin/app"), NAME, Tag("v1"))
    assert not isinstance(refused.value, TagExpired)


def test_a_forgotten_manifest_that_something_else_keeps_can_be_restored(backend: Backend) -> None:
    child, subject = push_image(backend, "child"), push_image(backend, "subject")
    leased = push_image(backend)
    push_manifest(backend, leased, "leased")
    referrer = push_manifest(backend, a_manifest(subject=subject.digest), "referrer")
    push_manifest(backend, an_index([child.digest]), "index")
    for tag, manifest in (("child", child), ("leased", leased), ("referrer", referrer)):
        act(backend, "forget", tag, str(manifest.digest), is_alive=True)
        act(backend, "restore", tag, str(manifest.digest))
        assert pulled(backend, Tag(tag)) == manifest.digest
    invariants.check(backend)


def test_a_tag_cannot_be_restored_after_the_window_even_if_the_collector_is_late(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    act(backend, "delete", "v1")
    advance_clock(backend, WINDOW_S + 60)

    with pytest.raises(ResourceUnknown):
        act(backend, "restore", "v1", str(manifest.digest))
    with pytest.raises(ManifestUnknown) as refused:
        backend.services.registry.manifests.pull(token_actor(backend, "admin", "admin/app"), NAME, Tag("v1"))
    assert not isinstance(refused.value, TagExpired), "nothing can be revived"
    push_manifest(backend, manifest, "v1")
    assert pulled(backend, Tag("v1")) == manifest.digest
    invariants.check(backend)


@pytest.mark.parametrize(("tag", "is_alive"), [("v1", False), ("none", False), ("none", True)])
def test_only_a_tag_in_the_named_state_can_be_forgotten(backend: Backend, tag: str, is_alive: bool) -> None:
    manifest = push_image(backend, "v1")
    with pytest.raises(ResourceUnknown):
        act(backend, "forget", tag, str(manifest.digest), is_alive=is_alive)
    with pytest.raises(ResourceUnknown):
        act(backend, "forget", "v1", "nonsense", is_alive=True)


def test_an_immutable_tag_cannot_be_moved_deleted_or_given_an_end(backend: Backend) -> None:
    manifest, other = push_image(backend, "v1"), push_image(backend, "v2")
    act(backend, "set_immutable", "v1", immutable=True)
    actor = token_actor(backend, "admin", "admin/app")
    attempts: list[Callable[[], object]] = [
        lambda: act(backend, "point", "v1", str(other.digest)),
        lambda: act(backend, "restore", "v1", str(other.digest)),
        lambda: act(backend, "delete", "v1"),
        lambda: act(backend, "forget", "v1", str(manifest.digest), is_alive=True),
        lambda: act(backend, "set_end", "v1", int(backend.clock()) + 2 * HOUR),
        lambda: push_manifest(backend, a_manifest(), "v1"),
        lambda: backend.services.registry.tags.delete_granted(actor, NAME, Tag("v1")),
        lambda: backend.services.registry.manifests.delete(actor, NAME, manifest.digest),
    ]
    for attempt in attempts:
        with pytest.raises(TagImmutable):
            attempt()
    push_manifest(backend, manifest, "v1")
    with pytest.raises(TagImmutable):
        push_manifest(backend, other, "v1")

    assert pulled(backend, Tag("v1")) == manifest.digest
    act(backend, "set_immutable", "v1", immutable=False)
    act(backend, "delete", "v1")
    invariants.check(backend)


def test_a_tag_with_an_end_cannot_be_made_immutable(backend: Backend) -> None:
    push_image(backend, "v1", labels={"quay.expires-after": "3h"})
    with pytest.raises(FieldInvalid, match="Clear expiration first"):
        act(backend, "set_immutable", "v1", immutable=True)


def test_an_update_changes_all_its_fields_or_none(backend: Backend) -> None:
    first, second = push_image(backend, "v1"), push_image(backend, "v2")
    end = int(backend.clock()) + 5 * HOUR
    missing = Digest.of(b"missing")
    tags, admin = backend.services.registry.tags, backend.signed_in("admin")
    with pytest.raises(ResourceUnknown):
        tags.update(admin, NAME, Tag("v1"), TagUpdate(sets_end=True, expires_at=end, digest=missing))
    assert lives(backend) == [(str(first.digest), None, 0)], "the end was not set either"

    tags.update(admin, NAME, Tag("v1"), TagUpdate(sets_end=True, expires_at=end, digest=second.digest))
    assert lives(backend)[-1] == (str(second.digest), end, 0)
    assert len(events(backend, "change_tag_expiration")) == len(events(backend, "move_tag")) == 1
    with pytest.raises(FieldInvalid, match="Clear expiration first"):
        tags.update(
            admin, NAME, Tag("v1"), TagUpdate(immutable=True, digest=first.digest, sets_end=True, expires_at=end)
        )

    tags.update(admin, NAME, Tag("v1"), TagUpdate(sets_end=True, immutable=True, digest=first.digest))
    assert lives(backend)[-1] == (str(first.digest), None, 0)
    tags.update(admin, NAME, Tag("v1"), TagUpdate(immutable=False, digest=second.digest))
    assert pulled(backend, Tag("v1")) == second.digest
    invariants.check(backend)


def test_an_update_without_a_digest_needs_an_existing_tag(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    for update in (TagUpdate(sets_end=True, digest=manifest.digest), TagUpdate(immutable=True)):
        with pytest.raises(ResourceUnknown):
            backend.services.registry.tags.update(backend.signed_in("admin"), NAME, Tag("new"), update)


def test_tags_of_a_frozen_repository_cannot_be_changed(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    key = keys.repository_name(repository_of(backend).namespace_id, "app")
    change(get(RepositoryNameRow, key), mode="READ_ONLY")

    with pytest.raises(RepositoryFrozen, match="mode: 1"):
        act(backend, "delete", "v1")
    act(backend, "forget", "v1", str(manifest.digest), is_alive=True)


@pytest.mark.parametrize("tag", ["-x", "bad!tag", "x" * 129])
def test_an_invalid_tag_name_is_refused(backend: Backend, tag: str) -> None:
    manifest = push_image(backend, "v1")
    with pytest.raises(TagInvalid):
        act(backend, "point", tag, str(manifest.digest))


def test_actors_without_the_write_role_change_no_tag(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    backend.user("bob")
    backend.user("eve")
    an_actor_with_role(backend, "bob", Role.READ)
    for who in ("bob", "eve"):
        with pytest.raises(Denied):
            act(backend, "delete", "v1", who=who)
        with pytest.raises(Denied):
            act(backend, "restore", "v1", str(manifest.digest), who=who)
    with pytest.raises(Unauthenticated):
        backend.services.registry.tags.delete(ANONYMOUS, NAME, Tag("v1"))


CHANGES: dict[str, Callable[[Backend, RepositoryName, Manifest], object]] = {
    "end": lambda backend, name, _: TagActions(backend, repository=str(name)).set_end(
        "v1", int(backend.clock()) + 3 * HOUR
    ),
    "point": lambda backend, name, old: TagActions(backend, repository=str(name)).point("v1", str(old.digest)),
    "restore": lambda backend, name, old: TagActions(backend, repository=str(name)).restore("v1", str(old.digest)),
    "forget": lambda backend, name, old: TagActions(backend, repository=str(name)).forget(
        "v1", str(old.digest), is_alive=False
    ),
}


@pytest.mark.parametrize("action", CHANGES)
def test_a_crash_anywhere_leaves_all_or_nothing(backend: Backend, action: str) -> None:
    def prepare(number: int) -> Callable[[], object]:
        repository = f"admin/round{number}"
        old = push_image(backend, "v1", "kept", repository=repository)
        push_image(backend, "v1", repository=repository)
        return lambda: CHANGES[action](backend, RepositoryName.parse(repository), old)

    assert crash_everywhere(backend, prepare) >= 1
