"""Search by the beginnings of words, among what an actor may see."""

from collections.abc import Callable

import pytest

from chalicelib.domain.accounts import RobotName
from chalicelib.domain.errors import Unauthenticated
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, Actor, HolderKind, Role
from chalicelib.domain.repositories import Visibility
from chalicelib.domain.teams import TeamRole
from chalicelib.services.catalog import search
from chalicelib.services.catalog.search import MOST_PAGES, PAGE
from chalicelib.services.registry.repositories import NewRepository
from tests.support.backends import Backend
from tests.support.builders import a_repository, a_team, an_actor_with_role, an_organization, push_image


@pytest.fixture
def acme(backend: Backend) -> Backend:
    """An organization of admin's with a public and a private repository; bob is no member."""
    admin = backend.signed_in("admin")
    backend.services.accounts.organizations.create(admin, "acme")
    for name, visibility in (("web-front", Visibility.PUBLIC), ("web-back", Visibility.PRIVATE)):
        backend.services.registry.repositories.create(admin, NewRepository(RepositoryName("acme", name), visibility))
    backend.user("bob")
    return backend


def found(backend: Backend, actor: Actor, text: str, page: int = 1) -> list[str]:
    return [str(hit.repository.name) for hit in backend.services.catalog.search.repositories(actor, text, page).items]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web", ["acme/web-back", "acme/web-front"]),
        ("WEB", ["acme/web-back", "acme/web-front"]),
        ("fro", ["acme/web-front"]),
        ("web bac", ["acme/web-back"]),
        ("acme/web", ["acme/web-back", "acme/web-front"]),
        ("acme bac", ["acme/web-back"]),
        ("bob/web", []),
        ("ront", []),
        ("", []),
        ("\N{SNOWMAN} #", []),
        ("x" * 5000, []),
    ],
)
def test_a_repository_is_found_by_the_beginnings_of_all_words_of_the_search(
    acme: Backend, text: str, expected: list[str]
) -> None:
    assert sorted(found(acme, acme.signed_in("admin"), text)) == expected


def test_a_search_finds_only_visible_repositories(acme: Backend) -> None:
    for actor in (ANONYMOUS, acme.signed_in("bob")):
        assert found(acme, actor, "web") == ["acme/web-front"]

    a_team(acme, "devs", TeamRole.MEMBER, "bob")
    back = RepositoryName("acme", "web-back")
    acme.services.accounts.permissions.put(acme.signed_in("admin"), back, HolderKind.TEAM, "devs", Role.READ)

    assert sorted(found(acme, acme.signed_in("bob"), "web")) == ["acme/web-back", "acme/web-front"]


def delete_it(backend: Backend) -> None:
    backend.services.registry.repositories.delete(backend.signed_in("admin"), RepositoryName("acme", "web-front"))


def end_all(backend: Backend) -> None:
    backend.services.accounts.organizations.delete(backend.signed_in("admin"), "acme")


@pytest.mark.parametrize("end", [delete_it, end_all])
def test_deleted_names_are_not_found(acme: Backend, end: Callable[[Backend], None]) -> None:
    end(acme)

    assert found(acme, ANONYMOUS, "web") == []


def test_a_page_has_ten_hits_and_there_are_ten_pages(backend: Backend) -> None:
    for number in range(PAGE * MOST_PAGES + 1):
        a_repository(backend, f"admin/app-{number:03d}")
    admin = backend.signed_in("admin")

    pages = [found(backend, admin, "app", number) for number in range(1, MOST_PAGES + 1)]

    assert len({name for page in pages for name in page}) == PAGE * MOST_PAGES
    assert found(backend, admin, "app", 99) == pages[-1]
    assert found(backend, admin, "app", -1) == pages[0]
    more = [
        backend.services.catalog.search.repositories(admin, "app", number).more
        for number in (1, MOST_PAGES - 1, MOST_PAGES, 99)
    ]
    assert more == [True, True, False, False], "a client that counts up ends with the tenth page"


def test_exact_names_are_found_however_many_others_begin_with_the_same_word(
    acme: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MOST_READ", 1)
    admin = acme.signed_in("admin")
    for name in ("bob-1", "bob-2"):
        acme.user(name)
        a_repository(acme, f"{name}/web")
    web = NewRepository(RepositoryName("acme", "web"), Visibility.PRIVATE)
    acme.services.registry.repositories.create(admin, web)

    assert "acme/web" in found(acme, admin, "acme/web")
    assert "acme/web" in found(acme, admin, "Acme/Web")
    assert "acme/web" not in found(acme, acme.signed_in("bob"), "acme/web")
    assert len(found(acme, admin, "acme/web-front")) == 1
    for name in ("bob", "bob-1", "bob-2"):
        assert (name, None) in names(acme, admin, name)
        assert name in {entity.name for entity in acme.services.catalog.search.everything(admin, name)[0]}
    assert names(acme, admin, "acme") == [], "an organization is no user"
    for nonsense in ("none/web", "acme/none", "/", "acme/", "acme/web:v1"):
        found(acme, admin, nonsense)


def test_a_hit_has_the_time_of_the_last_push(backend: Backend) -> None:
    push_image(backend, "v1")

    (hit,) = backend.services.catalog.search.repositories(backend.signed_in("admin"), "app").items

    assert hit.pushed_at == pytest.approx(backend.clock(), abs=60)


def test_a_search_costs_the_same_for_any_number_of_repositories(backend: Backend) -> None:
    for number in range(30):
        a_repository(backend, f"admin/app-{number}")
    backend.calls.take()

    backend.services.catalog.search.repositories(backend.signed_in("admin"), "app")

    assert backend.calls.take() == ["GetItem", "GetItem", "Query", "Query", "BatchGetItem", "BatchGetItem"]


def test_everything_is_found_but_robots_and_teams_only_by_members(acme: Backend) -> None:
    admin = acme.signed_in("admin")
    a_team(acme, "web-team", TeamRole.MEMBER, "admin")
    acme.services.accounts.robots.create(admin, RobotName.parse("acme+web"))
    acme.user("web-master")
    acme.services.accounts.organizations.create(admin, "web-guild")

    entities, hits = acme.services.catalog.search.everything(admin, "web")
    assert {(entity.kind, entity.name) for entity in entities} == {
        ("team", "web-team"),
        ("robot", "acme+web"),
        ("user", "web-master"),
        ("organization", "web-guild"),
    }
    assert len(hits) == 2
    for actor in (ANONYMOUS, acme.signed_in("bob")):
        entities, hits = acme.services.catalog.search.everything(actor, "web")
        assert {entity.kind for entity in entities} == {"user", "organization"}
        assert [hit.is_public for hit in hits] == [True]
    assert acme.services.catalog.search.everything(admin, "") == ([], [])


def names(backend: Backend, actor: Actor, text: str, namespace: str = "", **flags: bool) -> list[tuple[str, object]]:
    return [
        (one.name, one.is_member) for one in backend.services.catalog.search.entities(actor, text, namespace, **flags)
    ]


def test_entities_are_users_and_the_robots_teams_and_name_of_the_actors_organization(acme: Backend) -> None:
    admin, both = acme.signed_in("admin"), {"with_teams": True, "with_organizations": True}
    a_team(acme, "adders", TeamRole.MEMBER)
    acme.services.accounts.robots.create(admin, RobotName.parse("acme+ad"))

    assert names(acme, admin, "ad") == [("admin", None)]
    assert names(acme, admin, "bo", "acme") == [("bob", False)]
    assert names(acme, admin, "ad", "acme", **both) == [("adders", True), ("acme+ad", True), ("admin", True)]
    assert names(acme, admin, "acme+a", "acme") == [("acme+ad", True)]
    assert names(acme, admin, "acm", "acme", **both) == [("acme+ad", True), ("acme", True)]
    assert names(acme, admin, "zzz", "acme", **both) == []


def test_non_members_learn_nothing_of_an_organization(acme: Backend) -> None:
    bob = acme.signed_in("bob")
    a_team(acme, "adders", TeamRole.MEMBER)

    assert names(acme, bob, "ad", "acme", with_teams=True, with_organizations=True) == [("admin", None)]
    assert names(acme, bob, "ad", "nowhere") == [("admin", None)]
    with pytest.raises(Unauthenticated):
        acme.services.catalog.search.entities(ANONYMOUS, "ad")


def test_the_actors_own_robots_are_found_with_users(backend: Backend) -> None:
    an_organization(backend)
    backend.user("bob")
    bob = backend.signed_in("bob")
    backend.services.accounts.robots.create(bob, RobotName.parse("bob+ci"))
    a_repository(backend)
    an_actor_with_role(backend, "bob", Role.READ)

    assert names(backend, bob, "ci", "bob") == [("bob+ci", None)]
    assert names(backend, backend.signed_in("admin"), "ci", "bob") == []
