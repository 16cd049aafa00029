"""Deleted repositories: brought back whole within the window, and gone whole after it."""

from collections.abc import Callable

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import Denied, ResourceUnknown, RestoreTaken, RestoreTooLate, Unauthenticated
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, Role
from chalicelib.domain.timers import PURGE_REPOSITORY, Due, Later
from chalicelib.services.lifecycle.policies import PolicyHolder, PolicyRequest
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import House
from tests.support.builders import a_bare_push, a_blob, a_granted, a_manifest, a_push, an_index, someone
from tests.support.crashes import crash_everywhere
from tests.support.rows import change, due_at, events, object_keys, repository_of, rows_like
from tests.support.sweeping import WINDOW_S, later, sweep

NAME = RepositoryName.parse("admin/app")


def delete(house: House, name: RepositoryName = NAME) -> str:
    """Deletes a repository; its id."""
    identifier = repository_of(house, str(name)).id
    house.services.repositories.delete(house.signed_in("admin"), name)
    return identifier


def purge(house: House, identifier: str, *, has_time: bool = True) -> Later | None:
    return house.services.deletions.work(Due(PURGE_REPOSITORY, identifier, 0), lambda: has_time)


def restore(house: House, identifier: str, name: str | None = None) -> RepositoryName:
    return house.services.deletions.restore(house.signed_in("admin"), identifier, name)


def test_a_deleted_repository_is_listed_and_brought_back_with_all_it_had(house: House) -> None:
    manifest = a_push(house, "v1")
    house.user("bob")
    a_granted(house, "bob", Role.READ)
    identifier = delete(house)
    (listed,) = house.services.deletions.of_namespace(house.signed_in("admin"), "admin")
    assert (listed.id, listed.name) == (identifier, "app")
    assert listed.restorable_until == listed.deleted_at + WINDOW_S

    later(house, WINDOW_S - 60)
    sweep(house)
    assert str(restore(house, identifier)) == "admin/app"
    assert repository_of(house).id == identifier
    pulled = house.services.manifests.find(someone(house, "bob", "admin/app"), NAME, "v1")
    assert pulled.digest == manifest.digest
    assert house.services.deletions.of_namespace(house.signed_in("admin"), "admin") == []
    assert due_at(PURGE_REPOSITORY, identifier) is None
    assert len(events(house, "restore_repo")) == 1
    invariants.check(house)


def test_its_name_may_be_anothers_meanwhile(house: House) -> None:
    a_push(house, "old")
    identifier = delete(house)
    a_push(house, "new")

    with pytest.raises(RestoreTaken):
        restore(house, identifier)
    assert str(restore(house, identifier, "app-as-it-was")) == "admin/app-as-it-was"
    assert repository_of(house).id != identifier == repository_of(house, "admin/app-as-it-was").id


def test_one_that_is_live_or_unknown_or_brought_back_already_cannot_be(house: House) -> None:
    a_push(house, "v1")
    live = repository_of(house).id
    for identifier in (live, "nowhere"):
        with pytest.raises(ResourceUnknown):
            restore(house, identifier)
    delete(house)
    restore(house, live)
    with pytest.raises(ResourceUnknown):
        restore(house, live)


def test_nobody_but_who_administers_the_namespace_sees_or_restores(house: House) -> None:
    a_push(house, "v1")
    house.user("bob")
    identifier = delete(house)
    for actor, refused in ((house.signed_in("bob"), Denied), (ANONYMOUS, Unauthenticated)):
        with pytest.raises(refused):
            house.services.deletions.of_namespace(actor, "admin")
        with pytest.raises(refused):
            house.services.deletions.restore(actor, identifier)


def test_after_the_window_everything_is_gone_and_so_are_its_bytes(house: House) -> None:
    child = a_push(house, "v1", layers=2)
    a_bare_push(house, an_index([child.digest], annotations={"padding": "x" * 40_000}), "multi")
    house.user("bob")
    a_granted(house, "bob", Role.READ)
    identifier = delete(house)
    later(house, WINDOW_S - 60)
    assert purge(house, identifier) is not None
    later(house, 61)

    with pytest.raises(RestoreTooLate):
        restore(house, identifier)
    assert purge(house, identifier) is None
    assert rows_like(house, f"R#{identifier}") == []
    assert rows_like(house, "N#", "GONE#") == []
    assert rows_like(house, "A#", "GRANT#") == []
    assert {row["bytes"] for row in rows_like(house, "N#", "SIZE#")} <= {0}
    later(house, house.settings.grace_s + 10)
    sweep(house)
    later(house, house.settings.grace_s + 10)
    sweep(house)
    assert rows_like(house, "BLOB#") == []
    for place in ("in", "bodies"):
        assert object_keys(house, f"{place}/{identifier}/") == []
    assert purge(house, identifier) is None


def test_its_policies_go_with_it(house: House) -> None:
    a_push(house, "v1")
    admin, holder = house.signed_in("admin"), PolicyHolder(repository=NAME)
    house.services.policies.create(admin, holder, PolicyRequest("v.*", True, "number_of_tags", 3))
    house.services.policies.create(admin, holder, PolicyRequest("v.*"))
    assert len(rows_like(house, "R#", "POLICY#")) == 2
    identifier = delete(house)
    later(house, WINDOW_S + 1)

    assert purge(house, identifier) is None
    assert rows_like(house, "", "POLICY#") == []
    for _ in range(2):
        sweep(house)
        later(house, house.settings.lease_s)
    assert [row for row in rows_like(house, "TIMER#") if identifier in str(row)] == []


def test_without_a_window_it_waits_for_pushes_from_before_the_delete(house: House) -> None:
    a_push(house, "v1")
    change(get(NamespaceRow, keys.namespace(house.account("admin").id)), window_s=0)
    identifier = delete(house)
    again = purge(house, identifier)
    assert again is not None
    assert again.at >= house.clock() + house.settings.token_s

    later(house, house.settings.token_s + house.settings.lease_s + 1)
    assert purge(house, identifier) is None


def test_what_another_repository_shares_stays(house: House) -> None:
    content = b"shared"
    a_bare_push(house, a_manifest([a_blob(house, content, "admin/two")]), "v1", repository="admin/two")
    a_bare_push(house, a_manifest([a_blob(house, content)]), "v1")
    identifier = delete(house)
    later(house, WINDOW_S + 1)
    purge(house, identifier)
    for _ in range(2):
        later(house, house.settings.grace_s + house.settings.lease_s)
        sweep(house)

    assert [row["sk"] for row in rows_like(house, f"BLOB#{Digest.of(content)}", "META")] == ["META"]
    invariants.check(house)


def test_what_is_cut_off_goes_on(house: House) -> None:
    for number in range(30):
        a_push(house, f"v{number}", layers=0)
    identifier = delete(house)
    later(house, WINDOW_S + 1)
    turns = 0
    while purge(house, identifier, has_time=False) is not None:
        turns += 1
        assert turns < 60

    assert turns > 3
    assert rows_like(house, f"R#{identifier}") == []


def test_a_crash_anywhere_is_made_good(house: House) -> None:
    made: list[str] = []

    def prepare(number: int) -> Callable[[], object]:
        name = RepositoryName.parse(f"admin/round{number}")
        a_push(house, "v1", repository=str(name))
        made.append(delete(house, name))
        later(house, WINDOW_S + 1)
        return lambda: purge(house, made[-1])

    assert crash_everywhere(house, prepare) >= 6
    for identifier in made:
        assert rows_like(house, f"R#{identifier}") == []


def test_a_crash_in_a_restore_leaves_all_or_nothing(house: House) -> None:
    def prepare(number: int) -> Callable[[], object]:
        name = RepositoryName.parse(f"admin/round{number}")
        a_push(house, "v1", repository=str(name))
        identifier = delete(house, name)

        def again() -> None:
            try:
                restore(house, identifier)
            except ResourceUnknown:
                assert repository_of(house, str(name)).id == identifier

        return again

    assert crash_everywhere(house, prepare) >= 1
