"""Deleted repositories: the name is free at once, nothing is inherited, and what was there waits for its purge."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import Denied, ManifestUnknown, NameUnknown
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, Actor, Role
from chalicelib.domain.repositories import Mode, Repository
from chalicelib.domain.scopes import REPO_ADMIN, REPO_WRITE
from chalicelib.domain.timers import PURGE_REPOSITORY
from chalicelib.services.registry.repositories import NewRepository
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import House
from tests.support.builders import (
    a_blob,
    a_config,
    a_granted,
    a_manifest,
    a_push,
    a_repository,
    an_organization,
    someone,
)
from tests.support.crashes import crash_everywhere, just_before_commit
from tests.support.rows import change, due_at, events, repository_of, rows_like

NAME = RepositoryName.parse("admin/app")
WEEKS_S = 14 * 86400


def delete(house: House, who: str = "admin", name: RepositoryName = NAME) -> None:
    house.services.repositories.delete(house.signed_in(who), name)


def test_the_name_moves_away_and_the_id_leads_to_where_it_lies(house: House) -> None:
    made = a_repository(house)
    house.services.repositories.describe(house.signed_in("admin"), NAME, "text")
    delete(house)

    now = int(house.clock())
    (gone,), (way_back,) = rows_like(house, "N#", "GONE#"), rows_like(house, f"R#{made.id}", "META")
    assert rows_like(house, "N#", "REPO#") == []
    assert gone["sk"] == f"GONE#app#{way_back['gone']}"
    assert (gone["repository_id"], gone["description"], gone["state"]) == (made.id, "text", "deleted")
    assert way_back["state"] == "deleted"
    assert gone["deleted_at"] == pytest.approx(now, abs=5)
    assert gone["purge_at"] == gone["deleted_at"] + WEEKS_S == due_at(PURGE_REPOSITORY, made.id)
    (event,) = events(house, "delete_repo")
    assert (event["repository_id"], json.loads(event["metadata"])) == (made.id, {"repository": "admin/app"})


def test_with_a_short_window_it_waits_for_tokens_and_leases_to_end(house: House) -> None:
    made = a_repository(house)
    change(get(NamespaceRow, keys.namespace(made.namespace_id)), window_s=0)
    delete(house)

    (gone,) = rows_like(house, "N#", "GONE#")
    assert gone["purge_at"] - gone["deleted_at"] == house.settings.token_s + house.settings.lease_s


def test_deleted_again_it_stays_as_it_was(house: House) -> None:
    a_repository(house)
    delete(house)
    before = rows_like(house)

    delete(house)
    delete(house, name=RepositoryName("admin", "never"))

    assert rows_like(house) == before


def test_a_repository_of_the_same_name_inherits_nothing(house: House) -> None:
    house.user("bob")
    manifest = a_push(house, "v1")
    a_granted(house, "bob", Role.ADMIN)
    house.services.repositories.change_mode(house.signed_in("admin"), NAME, Mode.READ_ONLY)
    old = repository_of(house)
    delete(house)
    new = house.services.repositories.create(house.signed_in("admin"), NewRepository(NAME))

    assert new.id != old.id
    assert house.services.overviews.get(house.signed_in("admin"), NAME).repository_access.row.mode == "NORMAL"
    with pytest.raises(Denied):
        house.services.overviews.get(house.signed_in("bob"), NAME)
    reader = someone(house, "admin", "admin/app")
    for reference in ("v1", manifest.digest):
        with pytest.raises(ManifestUnknown):
            house.services.manifests.pull(reader, NAME, reference)
    assert rows_like(house, f"R#{old.id}", "TAG#")
    invariants.check(house)


def test_the_same_name_may_be_deleted_many_times(house: House) -> None:
    ids = set()
    for _ in range(3):
        ids.add(a_repository(house).id)
        delete(house)

    assert {row["repository_id"] for row in rows_like(house, "N#", "GONE#")} == ids


@pytest.mark.parametrize("role", [Role.READ, Role.WRITE, None])
def test_only_who_administers_it_deletes_it(house: House, role: Role | None) -> None:
    a_repository(house)
    house.user("bob")
    if role:
        a_granted(house, "bob", role)
    owner = house.signed_in("admin")

    for actor in (house.signed_in("bob"), ANONYMOUS, replace(owner, scopes=frozenset({REPO_WRITE}))):
        for name in (NAME, RepositoryName("admin", "never")):
            with pytest.raises(Denied):
                house.services.repositories.delete(actor, name)
    house.services.repositories.delete(replace(owner, scopes=frozenset({REPO_ADMIN})), NAME)


def test_what_is_not_there_is_told_apart_by_nobody_outside(house: House) -> None:
    an_organization(house)
    house.user("bob")

    delete(house, name=RepositoryName("acme", "never"))
    with pytest.raises(Denied):
        delete(house, "bob", RepositoryName("acme", "never"))


def recreate(house: House) -> Repository:
    delete(house)
    return house.services.repositories.create(house.signed_in("admin"), NewRepository(NAME))


@pytest.mark.parametrize("again", [False, True])
def test_a_push_during_the_delete_never_lands_in_the_new_repository(house: House, again: bool) -> None:
    a_repository(house)
    old, pusher = repository_of(house), someone(house, "admin", "admin/app")
    manifest = a_manifest([a_blob(house)], a_blob(house, a_config()))

    with just_before_commit(house, lambda: recreate(house) if again else delete(house)):
        house.services.manifests.push(pusher, NAME, manifest, ["v1"])

    (tag,) = rows_like(house, "R#", "TAG#")
    assert tag["pk"] == f"R#{old.id}"
    with pytest.raises(NameUnknown):
        house.services.manifests.push(pusher, NAME, manifest, ["v2"])
    with pytest.raises(NameUnknown):
        a_late_blob(house, pusher)
    invariants.check(house)


def a_late_blob(house: House, pusher: Actor) -> None:
    house.services.uploads.push(pusher, NAME, Digest.of(b"late"), b"late")


def test_a_delete_that_lost_the_race_deletes_what_is_there_then(house: House) -> None:
    a_repository(house)

    with just_before_commit(
        house, lambda: house.services.repositories.describe(house.signed_in("admin"), NAME, "changed")
    ):
        delete(house)

    (gone,) = rows_like(house, "N#", "GONE#")
    assert gone["description"] == "changed"


@pytest.mark.parametrize("what", ["create", "describe", "delete"])
def test_a_crash_before_any_call_leaves_all_or_nothing(house: House, what: str) -> None:
    owner = house.signed_in("admin")

    def prepare(number: int) -> Callable[[], object]:
        name = RepositoryName("admin", f"r{number}")
        repositories = house.services.repositories
        if what == "create":
            return lambda: repositories.create(owner, NewRepository(name))
        repositories.create(owner, NewRepository(name))
        if what == "describe":
            return lambda: repositories.describe(owner, name, "text")
        return lambda: repositories.delete(owner, name)

    states = crash_everywhere(house, prepare)

    kind = {"create": "create_repo", "describe": "set_repo_description", "delete": "delete_repo"}[what]
    assert len(events(house, kind)) == states + 1
