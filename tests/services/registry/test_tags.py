"""Lists and deletes tags."""

import json

import pytest

from chalicelib.domain.errors import Denied, ManifestUnknown, NameUnknown, TagExpired, Unauthenticated
from chalicelib.domain.manifests import Manifest
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import ANONYMOUS, Role
from chalicelib.domain.tag_changes import TagUpdate
from chalicelib.domain.tags import FOREVER
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.registry.repositories import PermissionRow
from chalicelib.storage.registry.tags import TagRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import a_manifest, a_repository, an_actor_with_role, push_image, push_manifest, token_actor
from tests.support.crashes import before_calls
from tests.support.rows import change, due_at, events, remove, repository_of, rows_like
from tests.support.sweeping import advance_clock, expire_everything

NAME = RepositoryName.parse("admin/app")
WINDOW_S = 14 * 86400


def listed(backend: Backend, last: str = "", size: int = 1000) -> tuple[list[str], bool]:
    page = backend.services.registry.tags.list(
        token_actor(backend, "admin", "admin/app"), NAME, Tag(last) if last else None, size
    )
    return list(page.items), page.more


def delete(backend: Backend, tag: str) -> None:
    backend.services.registry.tags.delete_granted(token_actor(backend, "admin", "admin/app"), NAME, Tag(tag))


def live_until(backend: Backend, manifest: Manifest) -> int | None:
    row = get(ManifestRow, keys.manifest(repository_of(backend).id, manifest.digest))
    assert row is not None
    return row.live_until


def the_tag(backend: Backend, tag: str) -> TagRow:
    row = backend.services.stores.tags.get(repository_of(backend).id, tag)
    assert row is not None
    return row


def garbage_due(backend: Backend, manifest: Manifest) -> int | None:
    return due_at("garbage", keys.manifest_target(repository_of(backend).id, manifest.digest))


def test_pages_join_to_the_whole_list_in_the_order_of_bytes(backend: Backend) -> None:
    names = ["0", "A", "_x", "a", "a-b", "a.b", "a_b", "z"]
    push_image(backend, *reversed(names))

    assert listed(backend) == (sorted(names), False)
    assert listed(backend, size=8) == (sorted(names), False)
    for size in (1, 3, 7):
        found: list[str] = []
        more, pages = True, 0
        while more:
            page, more = listed(backend, found[-1] if found else "", size)
            assert len(page) == size or not more
            found, pages = found + page, pages + 1
        assert (found, pages) == (sorted(names), -(-8 // size))


def test_a_page_of_size_0_is_empty_and_the_last(backend: Backend) -> None:
    push_image(backend, "v1")

    assert listed(backend, size=0) == ([], False)


def test_deleted_and_expired_tags_are_not_listed_and_do_not_shorten_a_page(backend: Backend) -> None:
    push_image(backend, *(f"dead{number}" for number in range(8)), labels={"quay.expires-after": "1h"})
    push_image(backend, "a", "deadly", "z")
    backend.clock.ahead_s = 3700

    assert listed(backend, size=2) == (["a", "deadly"], True)
    assert listed(backend, "a", size=2) == (["deadly", "z"], False)
    assert listed(backend, "dead3", size=2) == (["deadly", "z"], False)


def test_nobody_lists_tags_without_the_right_to_pull_or_of_a_missing_repository(backend: Backend) -> None:
    a_repository(backend)
    with pytest.raises(Unauthenticated):
        backend.services.registry.tags.list(ANONYMOUS, NAME, None, 10)
    missing = RepositoryName.parse("admin/missing")
    with pytest.raises(NameUnknown):
        backend.services.registry.tags.list(token_actor(backend, "admin", "admin/missing"), missing, None, 10)


def test_a_deleted_tag_has_a_closed_life_and_its_manifest_is_kept_for_the_window(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    delete(backend, "v1")
    repository = repository_of(backend)
    (life,) = rows_like(backend, f"R#{repository.id}", "LIFE#")
    (edge,) = rows_like(backend, f"R#{repository.id}", "TAGGED#")

    assert listed(backend) == ([], False)
    assert life["ended_at"] == edge["until"] == live_until(backend, manifest) <= backend.clock()
    assert garbage_due(backend, manifest) == life["ended_at"] + WINDOW_S
    actor = token_actor(backend, "admin", "admin/app")
    assert backend.services.registry.manifests.pull(actor, NAME, manifest.digest).digest == manifest.digest
    with pytest.raises(ManifestUnknown):
        delete(backend, "v1")
    invariants.check(backend)


def test_a_deletion_is_recorded_with_tag_and_digest(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    delete(backend, "v1")
    (event,) = events(backend, "delete_tag")

    assert json.loads(event["metadata"]) == {
        "username": "admin",
        "repository": "admin/app",
        "namespace": "admin",
        "repo": "app",
        "tag": "v1",
        "manifest_digest": str(manifest.digest),
    }
    assert event["performer"] == "admin"


def test_a_manifest_with_another_tag_stays_and_has_no_timer_of_the_collector(backend: Backend) -> None:
    manifest = push_image(backend, "v1", "v2")
    armed = garbage_due(backend, manifest)
    delete(backend, "v1")

    assert live_until(backend, manifest) == FOREVER
    assert garbage_due(backend, manifest) == armed
    invariants.check(backend)


def test_a_manifest_lives_until_the_latest_end_of_its_tags_including_deleted_ones(backend: Backend) -> None:
    manifest = push_image(backend, "v1", "v2")
    delete(backend, "v1")
    backend.clock.ahead_s = 500
    delete(backend, "v2")
    untils = [row["until"] for row in rows_like(backend, "R#", "TAGGED#")]

    assert untils[1] - untils[0] >= 499
    assert live_until(backend, manifest) == untils[1]
    assert garbage_due(backend, manifest) == untils[1] + WINDOW_S
    invariants.check(backend)


@pytest.mark.parametrize("window_s", [0, 86400])
def test_the_window_is_that_of_the_namespace(backend: Backend, window_s: int) -> None:
    manifest = push_image(backend, "v1")
    change(get(NamespaceRow, keys.namespace(repository_of(backend).namespace_id)), window_s=window_s)
    delete(backend, "v1")

    assert garbage_due(backend, manifest) == (live_until(backend, manifest) or 0) + window_s


def test_a_tag_that_is_deleted_before_its_end_ends_now(backend: Backend) -> None:
    manifest = push_image(backend, "v1", labels={"quay.expires-after": "2h"})
    delete(backend, "v1")

    assert (live_until(backend, manifest) or 0) <= backend.clock()
    invariants.check(backend)


def test_the_same_image_pushed_again_begins_a_new_life_with_each_push(backend: Backend) -> None:
    manifest = push_image(backend, "nightly")
    first = the_tag(backend, "nightly")
    advance_clock(backend, 86400)

    push_manifest(backend, manifest, "nightly")

    again = the_tag(backend, "nightly")
    assert again.digest == first.digest
    assert again.started_at >= first.started_at + 86400
    assert again.life != first.life


def test_a_push_that_is_repeated_within_its_second_changes_nothing(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    backend.clock.ahead_s = -10
    first = the_tag(backend, "v1")

    push_manifest(backend, manifest, "v1")

    assert the_tag(backend, "v1").life == first.life


def test_an_immutable_tag_that_is_pushed_again_stays_immutable(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    actor, name = backend.signed_in("admin"), RepositoryName.parse("admin/app")
    backend.services.registry.tags.update(actor, name, Tag("v1"), TagUpdate(immutable=True))
    advance_clock(backend, 60)

    push_manifest(backend, manifest, "v1")

    assert the_tag(backend, "v1").immutable == 1


def test_a_deleted_tag_that_is_pushed_again_has_a_second_life(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    delete(backend, "v1")
    push_manifest(backend, manifest, "v1")

    assert live_until(backend, manifest) == FOREVER
    assert [row.get("ended_at") is None for row in rows_like(backend, "R#", "LIFE#v1#")] == [False, True]
    invariants.check(backend)


def test_a_reader_deletes_no_tag(backend: Backend) -> None:
    push_image(backend, "v1")
    backend.user("bob")
    reader = an_actor_with_role(backend, "bob", Role.READ)

    with pytest.raises(Unauthenticated):
        backend.services.registry.tags.delete_granted(reader, NAME, Tag("v1"))
    assert listed(backend) == (["v1"], False)


def test_a_right_that_was_removed_after_the_token_was_issued_deletes_no_tag(backend: Backend) -> None:
    push_image(backend, "v1")
    bob = backend.user("bob")
    writer = an_actor_with_role(backend, "bob", Role.WRITE)
    remove(PermissionRow, keys.permission(repository_of(backend).id, bob.id))

    with pytest.raises((Denied, NameUnknown)):
        backend.services.registry.tags.delete_granted(writer, NAME, Tag("v1"))
    assert listed(backend) == (["v1"], False)


def test_a_tag_that_moves_during_its_deletion_is_deleted_from_its_new_manifest(backend: Backend) -> None:
    old, new = push_image(backend, "v1"), a_manifest()
    pushed: list[object] = []

    def push_first(_: object, operation_name: str = "", **__: object) -> None:
        if operation_name == "TransactWriteItems" and not pushed:
            pushed.append(a_bare_push_of(backend, new, pushed))

    with before_calls(backend, push_first):
        delete(backend, "v1")
    (event,) = events(backend, "delete_tag")

    assert listed(backend) == ([], False)
    assert json.loads(event["metadata"])["manifest_digest"] == str(new.digest)
    assert all(row["ended_at"] is not None for row in rows_like(backend, "R#", "LIFE#v1#"))
    assert (live_until(backend, old) or 0) <= backend.clock()
    invariants.check(backend)


def a_bare_push_of(backend: Backend, manifest: Manifest, marks: list[object]) -> Manifest:
    """Pushes from within a call of another operation; marks it first, so that its own calls do not push again."""
    marks.append(manifest)
    return push_manifest(backend, manifest, "v1")


def test_a_pull_of_a_deleted_tag_mentions_the_time_machine_while_it_keeps_the_manifest(backend: Backend) -> None:
    push_image(backend, "v1", "v2")
    delete(backend, "v1")
    actor, name = token_actor(backend, "admin", "admin/app"), RepositoryName.parse("admin/app")

    with pytest.raises(TagExpired, match=r"Tag v1 was deleted or has expired\. To pull, revive via time machine"):
        backend.services.registry.manifests.pull(actor, name, Tag("v1"))
    delete(backend, "v2")
    expire_everything(backend)
    with pytest.raises(ManifestUnknown) as refused:
        backend.services.registry.manifests.pull(actor, name, Tag("v1"))
    assert not isinstance(refused.value, TagExpired)


def test_the_error_for_deleted_tags_costs_a_pull_of_a_live_tag_no_call(backend: Backend) -> None:
    push_image(backend, "v1")
    actor, name = token_actor(backend, "admin", "admin/app"), RepositoryName.parse("admin/app")
    backend.calls.take()

    backend.services.registry.manifests.find(actor, name, Tag("v1"))

    assert [call for call in backend.calls.take() if "Query" in str(call)] == []
