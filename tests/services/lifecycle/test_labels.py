"""Labels of manifests are listed, added and deleted, and set the expiry of tags."""

from collections.abc import Callable
from functools import partial

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import Denied, FieldInvalid, RepositoryFrozen, ResourceUnknown, TagImmutable
from chalicelib.domain.labels import API, MANIFEST, Label, NewLabel
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Role
from chalicelib.services.lifecycle import labels
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import a_manifest, an_actor_with_role, an_index, push_image, push_manifest
from tests.support.crashes import crash_everywhere, meanwhile
from tests.support.rows import change, end_due_at, events, repository_of, rows_like
from tests.support.sweeping import WINDOW_S, advance_clock, delete_tag, expire_everything, sweep
from tests.support.tag_actions import TagActions

NAME = RepositoryName.parse("admin/app")
EXPIRES = "quay.expires-after"


def add(backend: Backend, digest: Digest, key: str = "a", value: str = "b", who: str = "admin") -> Label:
    return backend.services.lifecycle.labels.add(backend.signed_in(who), NAME, digest, NewLabel(key, value))


def all_of(backend: Backend, digest: Digest, prefix: str = "", who: str = "admin") -> list[tuple[str, str, str]]:
    found = backend.services.lifecycle.labels.all(backend.signed_in(who), NAME, digest, prefix)
    return [(one.key, one.value, one.source) for one in found]


def ends(backend: Backend) -> dict[str, int | None]:
    """Returns the expiry of each tag."""
    return {row["name"]: row.get("expires_at") for row in rows_like(backend, f"R#{repository_of(backend).id}", "TAG#")}


def lifetimes(backend: Backend, repository: str = "admin/app") -> dict[str, int | None]:
    """Returns for each tag how many seconds lie between its start and its end."""
    rows = rows_like(backend, f"R#{repository_of(backend, repository).id}", "TAG#")
    return {row["name"]: row["expires_at"] - row["started_at"] if "expires_at" in row else None for row in rows}


def test_the_list_has_labels_of_the_config_the_annotations_and_users(backend: Backend) -> None:
    pushed = push_image(backend, "v1", labels={"maker": "me"})
    index = push_manifest(backend, an_index([pushed.digest], annotations={"title": "x"}), "v2")
    label = add(backend, pushed.digest, "made", "7")

    found = all_of(backend, pushed.digest)
    assert found[0] == ("maker", "me", MANIFEST)
    assert found[-1] == ("made", "7", API)
    assert [key for key, _, _ in all_of(backend, pushed.digest, "ma")] == ["maker", "made"]
    assert all_of(backend, index.digest) == [("title", "x", MANIFEST)]
    assert backend.services.lifecycle.labels.get(backend.signed_in("admin"), NAME, pushed.digest, label.id) == label


def test_adding_and_deleting_are_recorded(backend: Backend) -> None:
    digest = push_image(backend, "v1").digest
    label = add(backend, digest)
    backend.services.lifecycle.labels.delete(backend.signed_in("admin"), NAME, digest, label.id)

    (added,), (deleted,) = events(backend, "manifest_label_add"), events(backend, "manifest_label_delete")
    for event in (added, deleted):
        assert label.id in str(event)
        assert str(digest) in str(event)
    with pytest.raises(ResourceUnknown):
        backend.services.lifecycle.labels.delete(backend.signed_in("admin"), NAME, digest, label.id)
    with pytest.raises(ResourceUnknown):
        backend.services.lifecycle.labels.get(backend.signed_in("admin"), NAME, digest, label.id)


def test_a_label_that_came_with_the_image_cannot_be_deleted(backend: Backend) -> None:
    digest = push_image(backend, "v1", labels={"a": "b"}).digest
    label = next(one for one in backend.services.lifecycle.labels.all(backend.signed_in("admin"), NAME, digest))

    with pytest.raises(FieldInvalid, match="Cannot delete immutable label"):
        backend.services.lifecycle.labels.delete(backend.signed_in("admin"), NAME, digest, label.id)


def test_a_label_sets_the_expiry_of_every_tag_from_its_start(backend: Backend) -> None:
    digest = push_image(backend, *(f"v{number}" for number in range(12))).digest
    other = push_image(backend, "other")
    started = {row["name"]: row["started_at"] for row in rows_like(backend, f"R#{repository_of(backend).id}", "TAG#")}
    advance_clock(backend, 60)
    label = add(backend, digest, EXPIRES, "2h")

    assert ends(backend) == {name: at + 7200 if name != "other" else None for name, at in started.items()}
    assert end_due_at(backend, "v11") == started["v11"] + 7200
    assert len(events(backend, "change_tag_expiration")) == 12
    invariants.check(backend)
    backend.services.lifecycle.labels.delete(backend.signed_in("admin"), NAME, digest, label.id)
    assert ends(backend)["v1"] == started["v1"] + 7200
    advance_clock(backend, 7200)
    sweep(backend)
    assert list(ends(backend)) == ["other"]
    assert all_of(backend, other.digest)


def test_a_label_sets_the_expiry_of_tags_that_are_made_later(backend: Backend) -> None:
    manifest = push_image(backend, "v1", labels={EXPIRES: "1h"})
    label = add(backend, manifest.digest, EXPIRES, "2h")
    advance_clock(backend, 60)
    delete_tag(backend, "v1")
    push_manifest(backend, manifest, "pushed")
    TagActions(backend).point("pointed", str(manifest.digest))
    TagActions(backend).restore("v1", str(manifest.digest))

    assert lifetimes(backend) == {"pushed": 7200, "pointed": 7200, "v1": 7200}
    invariants.check(backend)
    backend.services.lifecycle.labels.delete(backend.signed_in("admin"), NAME, manifest.digest, label.id)
    advance_clock(backend, 60)
    push_manifest(backend, manifest, "pushed")
    TagActions(backend).point("pointed", str(manifest.digest))
    assert lifetimes(backend) == {"pushed": 3600, "pointed": 3600, "v1": 7200}


def test_of_several_labels_the_one_that_was_added_last_counts_for_later_tags(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    first, second, third = (add(backend, manifest.digest, EXPIRES, value) for value in ("3h", "1h", "2h"))

    for gone, left in ((second, 7200), (third, 3 * 3600), (first, None)):
        backend.services.lifecycle.labels.delete(backend.signed_in("admin"), NAME, manifest.digest, gone.id)
        TagActions(backend).point("new", str(manifest.digest))
        assert lifetimes(backend)["new"] == left


def test_another_label_sets_no_expiry(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    add(backend, manifest.digest, "expires", "2h")
    TagActions(backend).point("new", str(manifest.digest))

    assert lifetimes(backend) == {"v1": None, "new": None}


def test_a_tag_that_is_made_while_a_label_is_added_gets_its_expiry(backend: Backend) -> None:
    for number in range(1, 40):
        repository = f"admin/round{number}"
        digest = push_image(backend, "v1", repository=repository).digest
        tags, name = TagActions(backend, repository=repository), RepositoryName.parse(repository)
        actor = backend.signed_in("admin")
        with meanwhile(backend, number, partial(tags.point, "v2", str(digest))) as done:
            backend.services.lifecycle.labels.add(actor, name, digest, NewLabel(EXPIRES, "2h"))
        if not done:
            assert number > 5
            return
        assert lifetimes(backend, repository) == {"v1": 7200, "v2": 7200}, number
    raise AssertionError("an addition ends")


def test_a_label_of_a_manifest_that_was_removed_counts_for_no_later_tag(backend: Backend) -> None:
    manifest = push_manifest(backend, a_manifest(), "v1")
    add(backend, manifest.digest, EXPIRES, "2h")
    expire_everything(backend)
    push_manifest(backend, manifest, "v1")

    assert lifetimes(backend) == {"v1": None}


def test_an_index_does_not_take_the_labels_that_were_added_to_its_children(backend: Backend) -> None:
    child = push_image(backend, "v1")
    add(backend, child.digest, EXPIRES, "2h")
    push_manifest(backend, an_index([child.digest]), "multi")

    assert lifetimes(backend) == {"v1": 7200, "multi": None}


def test_an_expiry_in_the_past_ends_the_tag_now_and_begins_the_window(backend: Backend) -> None:
    digest = push_image(backend, "v1").digest
    advance_clock(backend, 3 * WINDOW_S)
    add(backend, digest, EXPIRES, "1s")
    sweep(backend)

    assert ends(backend) == {}
    TagActions(backend).restore("v1", str(digest))
    invariants.check(backend)


@pytest.mark.parametrize("value", ["", "0h", "never", "1.5h", "-1h", "1000000000000d", "999999999y"])
def test_an_invalid_expiry_changes_nothing(backend: Backend, value: str) -> None:
    digest = push_image(backend, "v1").digest
    with pytest.raises(FieldInvalid, match="value"):
        add(backend, digest, EXPIRES, value)

    assert ends(backend) == {"v1": None}
    assert not any(source == API for _, _, source in all_of(backend, digest))


def test_an_immutable_tag_prevents_the_expiry_of_all(backend: Backend) -> None:
    digest = push_image(backend, "v1", "v2").digest
    TagActions(backend).set_immutable("v2", immutable=True)
    with pytest.raises(TagImmutable):
        add(backend, digest, EXPIRES, "2h")

    assert set(ends(backend).values()) == {None}
    add(backend, digest)


def test_labels_are_removed_with_their_manifest_and_do_not_return_with_it(backend: Backend) -> None:
    manifest = a_manifest()
    push_manifest(backend, manifest, "v1")
    add(backend, manifest.digest)
    delete_tag(backend, "v1")
    sweep(backend)
    assert ("a", "b", API) in all_of(backend, manifest.digest)
    expire_everything(backend)
    assert rows_like(backend, f"R#{repository_of(backend).id}", "LABEL#") == []

    push_manifest(backend, manifest, "v1")
    assert ("a", "b", API) not in all_of(backend, manifest.digest)


def test_a_push_of_an_existing_manifest_keeps_its_labels(backend: Backend) -> None:
    manifest = push_manifest(backend, a_manifest(), "v1")
    add(backend, manifest.digest)
    push_manifest(backend, manifest, "v2")

    assert ("a", "b", API) in all_of(backend, manifest.digest)


def test_the_number_of_added_labels_is_limited(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "MOST", 1)
    digest = push_image(backend, "v1").digest
    add(backend, digest)
    with pytest.raises(FieldInvalid, match="at most 1"):
        add(backend, digest)


def test_labels_change_only_for_writers_and_in_repositories_that_accept_changes(backend: Backend) -> None:
    digest = push_image(backend, "v1").digest
    label = add(backend, digest)
    for name, role in (("bob", Role.READ), ("wendy", Role.WRITE)):
        backend.user(name)
        an_actor_with_role(backend, name, role)
    backend.user("eve")

    assert all_of(backend, digest, who="bob")
    for name in ("bob", "eve"):
        with pytest.raises(Denied):
            add(backend, digest, who=name)
        with pytest.raises(Denied):
            backend.services.lifecycle.labels.delete(backend.signed_in(name), NAME, digest, label.id)
    with pytest.raises(Denied):
        all_of(backend, digest, who="eve")
    add(backend, digest, who="wendy")
    repository = repository_of(backend)
    change(backend.services.stores.repositories.find(repository.namespace_id, NAME), mode="READ_ONLY")
    with pytest.raises(RepositoryFrozen):
        add(backend, digest)
    with pytest.raises(RepositoryFrozen):
        backend.services.lifecycle.labels.delete(backend.signed_in("admin"), NAME, digest, label.id)


def test_a_repeated_call_completes_an_interrupted_one(backend: Backend) -> None:
    def prepare(number: int) -> Callable[[], object]:
        repository = f"admin/app{number}"
        digest = push_manifest(backend, a_manifest(), "v1", "v2", repository=repository).digest
        name, actor = RepositoryName.parse(repository), backend.signed_in("admin")
        return lambda: backend.services.lifecycle.labels.add(actor, name, digest, NewLabel(EXPIRES, "2h"))

    assert crash_everywhere(backend, prepare) >= 2
