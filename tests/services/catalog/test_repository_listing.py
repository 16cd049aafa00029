"""Lists of repositories: visibility, pages, and the AWS calls of a page."""

import base64
from collections.abc import Callable

import pytest

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import ANONYMOUS, Actor, HolderKind, Role
from chalicelib.domain.repositories import Visibility
from chalicelib.domain.scopes import ORG_ADMIN, REPO_READ
from chalicelib.domain.teams import TeamRole
from chalicelib.services.catalog.repository_listing import MOST_READ, PAGE, ListedRepository, RepositoryQuery
from chalicelib.services.registry.repositories import NewRepository
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.accounts.permissions import PermissionStore, RoleHolder
from chalicelib.storage.registry.repositories import RepositoryNameRow
from chalicelib.storage.table import Transaction, get, put_all
from tests.support.backends import Backend
from tests.support.builders import a_repository, a_team, an_actor_with_role, an_organization, push_image, token_actor
from tests.support.rows import change


def catalog(backend: Backend, actor: Actor, last: str = "", size: int = 1000) -> list[str]:
    return list(backend.services.catalog.repository_listing.catalog(actor, last, size).items)


def make_public(backend: Backend, *repositories: str) -> None:
    for name in map(RepositoryName.parse, repositories):
        a_repository(backend, str(name))
        owner = backend.signed_in(name.namespace)
        backend.services.registry.repositories.change_visibility(owner, name, Visibility.PUBLIC)


def of_acme(backend: Backend, *names: str, visibility: Visibility = Visibility.PRIVATE) -> None:
    for wanted in [NewRepository(RepositoryName("acme", name), visibility) for name in names]:
        backend.services.registry.repositories.create(backend.signed_in("admin"), wanted)


def give(backend: Backend, repository: str, holder: str, kind: str = "team", role: Role = Role.READ) -> None:
    owner = backend.signed_in("admin")
    backend.services.accounts.permissions.put(owner, RepositoryName.parse(repository), HolderKind(kind), holder, role)


def pages(backend: Backend, actor: Actor, query: RepositoryQuery) -> list[list[ListedRepository]]:
    found, token = [], None
    while True:
        page = backend.services.catalog.repository_listing.page(actor, query, token)
        found.append(list(page.repositories))
        token = page.following
        if token is None:
            return found


def listed(backend: Backend, actor: Actor, query: RepositoryQuery) -> list[str]:
    return [str(one.repository.name) for page in pages(backend, actor, query) for one in page]


@pytest.fixture
def acme(backend: Backend) -> str:
    """Creates an organization of admin's with a public and a private repository; returns its id."""
    identifier = an_organization(backend)
    of_acme(backend, "secret", "team/deep")
    of_acme(backend, "open", visibility=Visibility.PUBLIC)
    for name in ("bob", "carol"):
        backend.user(name)
    return identifier


def test_a_query_must_name_a_list(backend: Backend) -> None:
    with pytest.raises(FieldInvalid, match="namespace, starred or public are required for this API call"):
        backend.services.catalog.repository_listing.page(backend.signed_in("admin"), RepositoryQuery())


def test_owners_see_all_and_others_see_public_repositories_if_they_request_them(backend: Backend, acme: str) -> None:
    everything = ["acme/open", "acme/secret", "acme/team/deep"]

    assert listed(backend, backend.signed_in("admin"), RepositoryQuery("acme")) == everything
    for actor in (ANONYMOUS, backend.signed_in("bob")):
        assert listed(backend, actor, RepositoryQuery("acme")) == []
        assert listed(backend, actor, RepositoryQuery("acme", public=True)) == ["acme/open"]


def test_a_direct_role_or_one_of_a_team_makes_a_repository_visible(backend: Backend, acme: str) -> None:
    a_team(backend, "devs", TeamRole.MEMBER, "bob")
    give(backend, "acme/secret", "devs")
    give(backend, "acme/team/deep", "carol", "user", Role.WRITE)

    assert listed(backend, backend.signed_in("bob"), RepositoryQuery("acme")) == ["acme/secret"]
    assert listed(backend, backend.signed_in("carol"), RepositoryQuery("acme")) == ["acme/team/deep"]


def test_a_removed_member_sees_nothing(backend: Backend, acme: str) -> None:
    a_team(backend, "owners-too", TeamRole.ADMIN, "bob")
    assert len(listed(backend, backend.signed_in("bob"), RepositoryQuery("acme"))) == 3

    backend.services.accounts.teams.remove_member(backend.signed_in("admin"), "acme", "owners-too", "bob")

    assert listed(backend, backend.signed_in("bob"), RepositoryQuery("acme")) == []


def test_a_token_lists_what_its_scope_permits(backend: Backend, acme: str) -> None:
    for scope, expected in ((REPO_READ, 3), (ORG_ADMIN, 0)):
        owner = backend.signed_in("admin")
        actor = Actor(owner.account_id, owner.name, scopes=frozenset({scope}))

        assert len(listed(backend, actor, RepositoryQuery("acme"))) == expected
        assert "acme/open" in listed(backend, actor, RepositoryQuery("acme", public=True))


def test_a_superuser_without_full_access_sees_no_foreign_private_repository(
    new_backend: Callable[..., Backend],
) -> None:
    for full, expected in ((False, []), (True, ["bob/app"])):
        backend = new_backend(superusers_full_access=full)
        backend.user("bob")
        a_repository(backend, "bob/app")

        assert listed(backend, backend.signed_in("admin"), RepositoryQuery("bob")) == expected


def test_an_unknown_or_deleted_namespace_lists_nothing(backend: Backend, acme: str) -> None:
    owner = backend.signed_in("admin")
    assert listed(backend, owner, RepositoryQuery("nobody")) == []
    assert len(listed(backend, owner, RepositoryQuery("acme"))) == 3

    backend.services.accounts.organizations.delete(owner, "acme")

    for query in (RepositoryQuery("acme"), RepositoryQuery("acme", public=True), RepositoryQuery(public=True)):
        assert listed(backend, owner, query) == []


def test_a_name_that_now_belongs_to_another_namespace_is_not_read_from_the_cache(backend: Backend, acme: str) -> None:
    owner = backend.signed_in("admin")
    assert len(listed(backend, owner, RepositoryQuery("acme"))) == 3
    change(get(NamespaceRow, keys.namespace(acme)), name="emca")

    assert listed(backend, owner, RepositoryQuery("acme")) == []


def test_a_page_has_a_hundred_repositories_and_the_next_page_the_rest(backend: Backend) -> None:
    for number in range(PAGE + 5):
        a_repository(backend, f"admin/r{number:03d}")

    found = pages(backend, backend.signed_in("admin"), RepositoryQuery("admin"))

    assert [len(page) for page in found] == [PAGE, 5]
    assert [one.repository.name.repository for page in found for one in page] == [f"r{n:03d}" for n in range(PAGE + 5)]


def test_exactly_a_hundred_are_one_page(backend: Backend) -> None:
    for number in range(PAGE):
        a_repository(backend, f"admin/r{number:03d}")

    assert [len(page) for page in pages(backend, backend.signed_in("admin"), RepositoryQuery("admin"))] == [PAGE]


def test_invisible_repositories_are_skipped_and_their_names_are_in_no_token(backend: Backend) -> None:
    make_public(backend, "admin/zoo")
    namespace_id, private = backend.account().id, {"visibility": "private", "view": "CATALOG#private"}
    hidden = []
    for name in [f"hidden{number:04d}" for number in range(MOST_READ)]:
        shown = {"name": name, "repository_id": ulid(), "view_at": f"admin/{name}", **private}
        hidden.append(RepositoryNameRow.under(keys.repository_name(namespace_id, name), **shown))
    put_all(hidden)

    first, second = pages(backend, ANONYMOUS, RepositoryQuery("admin", public=True))
    listing = backend.services.catalog.repository_listing
    token = listing.page(ANONYMOUS, RepositoryQuery("admin", public=True)).following or ""

    assert (len(first), [str(one.repository.name) for one in second]) == (0, ["admin/zoo"])
    assert b"hidden" not in base64.urlsafe_b64decode(token + "===")


@pytest.mark.parametrize("token", ["", "x", "AAAA", "k.e.y", "\N{SNOWMAN}"])
def test_an_invalid_token_starts_the_list_again(backend: Backend, token: str) -> None:
    a_repository(backend)

    page = backend.services.catalog.repository_listing.page(backend.signed_in("admin"), RepositoryQuery("admin"), token)

    assert len(page.repositories) == 1


def test_the_token_of_another_list_starts_the_list_again(backend: Backend) -> None:
    for number in range(PAGE + 1):
        make_public(backend, f"admin/r{number:03d}")
    token = backend.services.catalog.repository_listing.page(ANONYMOUS, RepositoryQuery("admin", public=True)).following

    page = backend.services.catalog.repository_listing.page(backend.signed_in("admin"), RepositoryQuery("admin"), token)

    assert page.repositories[0].repository.name.repository == "r000"


def test_public_repositories_of_all_namespaces_are_listed_by_full_name(backend: Backend, acme: str) -> None:
    make_public(backend, "admin/zoo", "bob/app")
    a_repository(backend, "admin/hidden")

    for actor in (ANONYMOUS, backend.signed_in("admin")):
        assert listed(backend, actor, RepositoryQuery(public=True)) == ["acme/open", "admin/zoo", "bob/app"]


def test_a_list_has_last_push_pulls_and_bytes_if_requested(backend: Backend) -> None:
    push_image(backend, "v1")
    a_repository(backend, "admin/empty")
    actor, name = backend.owner()
    backend.services.registry.manifests.pull(actor, name, Tag("v1"))
    query = RepositoryQuery("admin", last_modified=True, popularity=True, quota=True)

    ((app, empty),) = pages(backend, backend.signed_in("admin"), query)
    ((plain, _),) = pages(backend, backend.signed_in("admin"), RepositoryQuery("admin"))

    assert app.last_modified is not None
    assert abs(app.last_modified - backend.clock()) < 60
    assert app.bytes is not None
    assert app.bytes > 64
    assert (app.popularity, empty.popularity) == (1.0, 0.0)
    assert (empty.last_modified, empty.bytes) == (None, 0)
    assert (plain.last_modified, plain.popularity, plain.bytes) == (None, None, None)


def test_a_hundred_repositories_of_one_s_own_cost_two_calls(backend: Backend) -> None:
    for number in range(PAGE):
        a_repository(backend, f"admin/r{number:03d}")
    actor = backend.signed_in("admin")
    backend.calls.take()

    backend.services.catalog.repository_listing.page(actor, RepositoryQuery("admin", public=True))

    assert backend.calls.take() == ["Query", "Query"]


def test_an_organizations_list_costs_one_more_call_for_each_team_and_once_one_for_its_name(
    backend: Backend, acme: str
) -> None:
    for team in ("devs", "ops"):
        a_team(backend, team, TeamRole.MEMBER, "bob")
        give(backend, "acme/secret", team)
    actor = backend.signed_in("bob")
    backend.calls.take()

    for expected in (["GetItem"], []):
        backend.services.catalog.repository_listing.page(actor, RepositoryQuery("acme", public=True))
        assert backend.calls.take() == [*expected, "Query", "Query", "Query", "Query"]


def test_the_list_of_a_namespace_costs_somebody_without_a_role_two_calls(backend: Backend, acme: str) -> None:
    backend.calls.take()

    backend.services.catalog.repository_listing.page(ANONYMOUS, RepositoryQuery("acme", public=True))

    assert backend.calls.take() == ["GetItem", "Query"]


def test_details_cost_one_batch_one_query_and_one_batch_for_a_dozen(backend: Backend) -> None:
    for number in range(13):
        a_repository(backend, f"admin/r{number:02d}")
    actor = backend.signed_in("admin")
    for query, expected in (
        (RepositoryQuery("admin", last_modified=True), ["BatchGetItem"]),
        (RepositoryQuery("admin", popularity=True), ["Query"]),
        (RepositoryQuery("admin", quota=True), ["BatchGetItem", "BatchGetItem"]),
    ):
        backend.calls.take()
        backend.services.catalog.repository_listing.page(actor, query)
        assert backend.calls.take() == ["Query", "Query", *expected]


def test_members_find_an_organization_s_repositories_in_the_catalog(backend: Backend, acme: str) -> None:
    a_team(backend, "devs", TeamRole.MEMBER, "bob")
    give(backend, "acme/secret", "devs")

    assert catalog(backend, token_actor(backend, "bob")) == ["acme/open", "acme/secret"]
    assert catalog(backend, token_actor(backend, "admin")) == ["acme/open", "acme/secret", "acme/team/deep"]
    assert catalog(backend, token_actor(backend, "carol")) == ["acme/open"]


def test_the_catalog_of_an_owner_has_own_and_public_repositories_in_order_and_once(backend: Backend) -> None:
    backend.user("bob")
    a_repository(backend, "bob/secret")
    make_public(backend, "bob/open", "admin/open")
    a_repository(backend, "admin/app")
    a_repository(backend, "admin/a/b")

    assert catalog(backend, token_actor(backend, "admin")) == ["admin/a/b", "admin/app", "admin/open", "bob/open"]


def test_the_catalog_of_a_user_includes_repositories_with_a_role(backend: Backend) -> None:
    backend.user("bob")
    for name in ("admin/app", "admin/hidden", "bob/own"):
        a_repository(backend, name)
    make_public(backend, "admin/open")
    an_actor_with_role(backend, "bob", Role.READ)
    an_actor_with_role(backend, "bob", Role.READ, "admin/open")

    assert catalog(backend, token_actor(backend, "bob")) == ["admin/app", "admin/open", "bob/own"]


def test_the_anonymous_catalog_has_public_repositories(backend: Backend) -> None:
    a_repository(backend)
    make_public(backend, "admin/open")

    assert catalog(backend, ANONYMOUS) == ["admin/open"]


def test_a_repository_made_private_again_leaves_the_catalog(backend: Backend) -> None:
    make_public(backend, "admin/open")
    owner = token_actor(backend, "admin", "admin/open")
    name = RepositoryName.parse("admin/open")
    backend.services.registry.repositories.change_visibility(owner, name, Visibility.PRIVATE)

    assert catalog(backend, ANONYMOUS) == []
    assert catalog(backend, token_actor(backend, "admin")) == ["admin/open"]


def test_a_deleted_repository_is_in_no_list(backend: Backend) -> None:
    backend.user("bob")
    make_public(backend, "admin/open")
    an_actor_with_role(backend, "bob", Role.READ, "admin/open")
    backend.services.registry.repositories.delete(backend.signed_in("admin"), RepositoryName.parse("admin/open"))

    for actor in (ANONYMOUS, token_actor(backend, "admin"), token_actor(backend, "bob")):
        assert catalog(backend, actor) == []
    for query in (RepositoryQuery("admin", public=True), RepositoryQuery(public=True)):
        assert listed(backend, ANONYMOUS, query) == []


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_pages_of_the_catalog_have_no_gap_and_no_repetition(backend: Backend, size: int) -> None:
    backend.user("bob")
    make_public(backend, "bob/a", "bob/z", "admin/m")
    for name in ("admin/b", "admin/b-c", "admin/b/c", "admin/x"):
        a_repository(backend, name)
    found: list[str] = []
    actor, last = token_actor(backend, "admin"), ""

    while True:
        page = backend.services.catalog.repository_listing.catalog(actor, last, size)
        assert len(page.items) == size or not page.more
        found += page.items
        if not page.more:
            break
        last = page.items[-1]

    assert found == sorted(["bob/a", "bob/z", "admin/m", "admin/b", "admin/b-c", "admin/b/c", "admin/x"])


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("a", ["admin/app", "admin/base"]),
        ("admin", ["admin/app", "admin/base"]),
        ("admin/app", ["admin/base"]),
        ("admin/apple", ["admin/base"]),
        ("admin-z", ["admin/app", "admin/base"]),
        ("admin0", []),
        ("admin/base", []),
        ("zzz", []),
        ("ADMIN", ["admin/app", "admin/base"]),
        ("ключ", []),
        ("a#b", ["admin/app", "admin/base"]),
    ],
)
def test_a_page_begins_after_any_text_even_if_it_is_no_name(backend: Backend, last: str, expected: list[str]) -> None:
    backend.user("bob")
    for name in ("admin/app", "admin/base"):
        a_repository(backend, name)
    make_public(backend, "admin/base")
    an_actor_with_role(backend, "bob", Role.READ, "admin/app")

    assert catalog(backend, token_actor(backend, "admin"), last) == expected
    assert catalog(backend, token_actor(backend, "bob"), last) == expected


def test_a_page_of_size_0_is_empty_and_costs_nothing(backend: Backend) -> None:
    a_repository(backend)
    actor = token_actor(backend, "admin")
    backend.calls.take()

    assert list(backend.services.catalog.repository_listing.catalog(actor, "", 0).items) == []
    assert backend.calls.take() == []


def test_more_than_a_hundred_roles_are_all_listed(backend: Backend) -> None:
    backend.user("bob")
    for number in range(101):
        a_granted_by_hand(backend, f"admin/app{number:03d}")

    assert catalog(backend, token_actor(backend, "bob")) == [f"admin/app{number:03d}" for number in range(101)]


def a_granted_by_hand(backend: Backend, name: str) -> None:
    repository = a_repository(backend, name)
    bob, transaction = backend.account("bob"), Transaction()
    where, holder = (repository.namespace_id, repository.id), RoleHolder(bob.id, bob.name, HolderKind.USER)
    PermissionStore().put(transaction, where, holder, Role.READ, is_new=True)
    transaction.commit()
