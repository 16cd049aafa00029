"""Labels of manifests: told, added, taken away, and the ends of tags that follow from one."""

from collections.abc import Callable

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import Denied, FieldInvalid, RepositoryFrozen, ResourceUnknown, TagImmutable
from chalicelib.domain.labels import API, MANIFEST, Label, NewLabel
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Role
from chalicelib.services.lifecycle import labels
from tests.support import invariants
from tests.support.backends import House
from tests.support.builders import a_bare_push, a_granted, a_manifest, a_push, an_index
from tests.support.crashes import crash_everywhere
from tests.support.rows import change, end_due_at, events, repository_of, rows_like
from tests.support.sweeping import WINDOW_S, delete_tag, later, outlive, sweep

NAME = RepositoryName.parse("admin/app")
EXPIRES = "quay.expires-after"


def add(house: House, digest: Digest, key: str = "a", value: str = "b", who: str = "admin") -> Label:
    return house.services.labels.add(house.signed_in(who), NAME, str(digest), NewLabel(key, value))


def all_of(house: House, digest: Digest, prefix: str = "", who: str = "admin") -> list[tuple[str, str, str]]:
    found = house.services.labels.all(house.signed_in(who), NAME, str(digest), prefix)
    return [(one.key, one.value, one.source) for one in found]


def ends(house: House) -> dict[str, int | None]:
    """The end of each tag's row."""
    return {row["name"]: row.get("expires_at") for row in rows_like(house, f"R#{repository_of(house).id}", "TAG#")}


def test_labels_of_config_annotations_and_people_stand_together(house: House) -> None:
    pushed = a_push(house, "v1", labels={"maker": "me"})
    index = a_bare_push(house, an_index([pushed.digest], annotations={"title": "x"}), "v2")
    label = add(house, pushed.digest, "made", "7")

    found = all_of(house, pushed.digest)
    assert found[0] == ("maker", "me", MANIFEST)
    assert found[-1] == ("made", "7", API)
    assert [key for key, _, _ in all_of(house, pushed.digest, "ma")] == ["maker", "made"]
    assert all_of(house, index.digest) == [("title", "x", MANIFEST)]
    assert house.services.labels.get(house.signed_in("admin"), NAME, str(pushed.digest), label.id) == label


def test_adding_and_taking_away_is_written_down(house: House) -> None:
    digest = a_push(house, "v1").digest
    label = add(house, digest)
    house.services.labels.delete(house.signed_in("admin"), NAME, str(digest), label.id)

    (added,), (deleted,) = events(house, "manifest_label_add"), events(house, "manifest_label_delete")
    for event in (added, deleted):
        assert label.id in str(event)
        assert str(digest) in str(event)
    with pytest.raises(ResourceUnknown):
        house.services.labels.delete(house.signed_in("admin"), NAME, str(digest), label.id)
    with pytest.raises(ResourceUnknown):
        house.services.labels.get(house.signed_in("admin"), NAME, str(digest), label.id)


def test_what_came_with_the_image_stays(house: House) -> None:
    digest = a_push(house, "v1", labels={"a": "b"}).digest
    label = next(one for one in house.services.labels.all(house.signed_in("admin"), NAME, str(digest)))

    with pytest.raises(FieldInvalid, match="Cannot delete immutable label"):
        house.services.labels.delete(house.signed_in("admin"), NAME, str(digest), label.id)


def test_a_label_gives_every_tag_an_end_from_its_beginning(house: House) -> None:
    digest = a_push(house, *(f"v{number}" for number in range(12))).digest
    other = a_push(house, "other")
    started = {row["name"]: row["started_at"] for row in rows_like(house, f"R#{repository_of(house).id}", "TAG#")}
    later(house, 60)
    label = add(house, digest, EXPIRES, "2h")

    assert ends(house) == {name: at + 7200 if name != "other" else None for name, at in started.items()}
    assert end_due_at(house, "v11") == started["v11"] + 7200
    assert len(events(house, "change_tag_expiration")) == 12
    invariants.check(house)
    house.services.labels.delete(house.signed_in("admin"), NAME, str(digest), label.id)
    assert ends(house)["v1"] == started["v1"] + 7200
    later(house, 7200)
    sweep(house)
    assert list(ends(house)) == ["other"]
    assert all_of(house, other.digest)


def test_an_end_that_has_passed_is_now_and_the_window_begins(house: House) -> None:
    digest = a_push(house, "v1").digest
    later(house, 3 * WINDOW_S)
    add(house, digest, EXPIRES, "1s")
    sweep(house)

    assert ends(house) == {}
    house.services.time_machine.restore(house.signed_in("admin"), NAME, "v1", str(digest))
    invariants.check(house)


@pytest.mark.parametrize("value", ["", "0h", "never", "1.5h", "-1h", "1000000000000d", "999999999y"])
def test_a_life_that_cannot_be_changes_nothing(house: House, value: str) -> None:
    digest = a_push(house, "v1").digest
    with pytest.raises(FieldInvalid, match="value"):
        add(house, digest, EXPIRES, value)

    assert ends(house) == {"v1": None}
    assert not any(source == API for _, _, source in all_of(house, digest))


def test_a_tag_that_may_not_change_keeps_all_as_they_are(house: House) -> None:
    digest = a_push(house, "v1", "v2").digest
    house.services.time_machine.set_immutable(house.signed_in("admin"), NAME, "v2", immutable=True)
    with pytest.raises(TagImmutable):
        add(house, digest, EXPIRES, "2h")

    assert set(ends(house).values()) == {None}
    add(house, digest)


def test_labels_go_with_their_manifest_and_are_not_there_when_it_comes_back(house: House) -> None:
    manifest = a_manifest()
    a_bare_push(house, manifest, "v1")
    add(house, manifest.digest)
    delete_tag(house, "v1")
    sweep(house)
    assert ("a", "b", API) in all_of(house, manifest.digest)
    outlive(house)
    assert rows_like(house, f"R#{repository_of(house).id}", "LABEL#") == []

    a_bare_push(house, manifest, "v1")
    assert ("a", "b", API) not in all_of(house, manifest.digest)


def test_a_push_of_what_is_there_keeps_its_labels(house: House) -> None:
    manifest = a_bare_push(house, a_manifest(), "v1")
    add(house, manifest.digest)
    a_bare_push(house, manifest, "v2")

    assert ("a", "b", API) in all_of(house, manifest.digest)


def test_a_manifest_has_so_many(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "MOST", 1)
    digest = a_push(house, "v1").digest
    add(house, digest)
    with pytest.raises(FieldInvalid, match="at most 1"):
        add(house, digest)


def test_only_writers_change_labels_and_only_where_something_may_change(house: House) -> None:
    digest = a_push(house, "v1").digest
    label = add(house, digest)
    for name, role in (("bob", Role.READ), ("wendy", Role.WRITE)):
        house.user(name)
        a_granted(house, name, role)
    house.user("eve")

    assert all_of(house, digest, who="bob")
    for name in ("bob", "eve"):
        with pytest.raises(Denied):
            add(house, digest, who=name)
        with pytest.raises(Denied):
            house.services.labels.delete(house.signed_in(name), NAME, str(digest), label.id)
    with pytest.raises(Denied):
        all_of(house, digest, who="eve")
    add(house, digest, who="wendy")
    repository = repository_of(house)
    change(house.services._repositories.find(repository.namespace_id, NAME), mode="READ_ONLY")
    with pytest.raises(RepositoryFrozen):
        add(house, digest)
    with pytest.raises(RepositoryFrozen):
        house.services.labels.delete(house.signed_in("admin"), NAME, str(digest), label.id)


def test_cut_off_anywhere_it_is_done_when_it_is_asked_for_again(house: House) -> None:
    def prepare(number: int) -> Callable[[], object]:
        repository = f"admin/app{number}"
        digest = a_bare_push(house, a_manifest(), "v1", "v2", repository=repository).digest
        name, actor = RepositoryName.parse(repository), house.signed_in("admin")
        return lambda: house.services.labels.add(actor, name, str(digest), NewLabel(EXPIRES, "2h"))

    assert crash_everywhere(house, prepare) >= 2
