"""Reading what an account may see: adjacent rows, with one query."""

import pytest

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.permissions import HolderKind, Role
from chalicelib.domain.teams import TeamRole
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.accounts.permissions import PermissionStore, RoleHolder
from chalicelib.storage.accounts.teams import TeamStore
from chalicelib.storage.catalog.stars import star_row
from chalicelib.storage.catalog.visibility import VisibilityStore
from chalicelib.storage.registry.repositories import RepositoryNameRow
from chalicelib.storage.table import Row, Transaction, put_all
from tests.support.backends import Backend
from tests.support.builders import a_team_row

STORE = VisibilityStore()


def give(holder: RoleHolder, repository_id: str, role: Role) -> None:
    transaction = Transaction()
    PermissionStore().put(transaction, ("n", repository_id), holder, role, is_new=True)
    transaction.commit()


def a_name(name: str) -> RepositoryNameRow:
    fields = {"visibility": "private", "view": "CATALOG#private", "view_at": f"acme/{name}"}
    return RepositoryNameRow.under(keys.repository_name("n", name), name=name, repository_id=name.upper(), **fields)


def a_namespace() -> Row:
    fields = {"view": "ACCOUNTS#organization", "view_at": "acme"}
    return NamespaceRow.under(keys.namespace("n"), name="acme", kind="organization", **fields)


def test_roles_memberships_and_stars_of_an_account_take_one_query(backend: Backend) -> None:
    bob, team = RoleHolder("bob", "bob", HolderKind.USER), a_team_row("n", "devs", TeamRole.MEMBER)
    transaction = Transaction()
    TeamStore().add(transaction, team)
    TeamStore().join(transaction, team, "bob", "bob", AccountKind.USER)
    transaction.put(star_row("bob", "n", "r2", 7))
    transaction.commit()
    give(bob, "r1", Role.WRITE)
    backend.calls.take()

    rows = STORE.of_account("bob")

    assert backend.calls.take() == ["Query"]
    assert rows.roles == {"r1": Role.WRITE}
    assert [row.team_id for row in rows.memberships] == [team.id]
    assert [(row.repository_id, row.namespace_id, row.starred_at) for row in rows.stars] == [("r2", "n", 7)]
    assert STORE.of_account("carol").roles == {}


def test_a_team_is_read_with_its_roles_and_without_its_members(backend: Backend) -> None:
    team = a_team_row("n", "devs", TeamRole.ADMIN)
    transaction = Transaction()
    TeamStore().add(transaction, team)
    TeamStore().join(transaction, team, "bob", "bob", AccountKind.USER)
    transaction.commit()
    give(RoleHolder(team.id, "devs", HolderKind.TEAM), "r1", Role.READ)

    rows = STORE.of_team(team.id)

    assert rows.team is not None
    assert (rows.team.name, rows.roles) == ("devs", {"r1": Role.READ})
    assert STORE.of_team("none").team is None


@pytest.mark.parametrize(
    ("after", "limit", "names", "is_last"),
    [
        ("", 10, ["a", "a-b", "a/b", "b"], True),
        ("", 3, ["a", "a-b"], False),
        ("a", 10, ["a-b", "a/b", "b"], True),
        ("a-b", 1, ["a/b"], False),
        ("b", 10, [], True),
    ],
)
def test_a_namespace_s_repositories_are_listed_in_order_after_a_name(
    backend: Backend, after: str, limit: int, names: list[str], is_last: bool
) -> None:
    put_all([a_namespace(), *(a_name(name) for name in ("a", "b", "a/b", "a-b"))])

    page = STORE.of_namespace("n", after, limit)

    assert [row.name for row in page.repositories] == names
    assert page.is_last is is_last
    assert page.last == (names[-1] if names else "")
    assert (page.namespace is not None) is (after == "")
