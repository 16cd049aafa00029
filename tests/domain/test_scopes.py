"""OAuth scopes: parsing, inclusion, and the limit that the user's role sets."""

import pytest

from chalicelib.domain.errors import ScopeInvalid
from chalicelib.domain.permissions import ANONYMOUS, Actor, Role
from chalicelib.domain.scopes import (
    OFFERED,
    acts_as_superuser,
    allows,
    audits,
    capped,
    implied,
    parse_scopes,
    stored_scopes,
)


@pytest.mark.parametrize("text", ["repo:read user:read", "repo:read,user:read", " repo:read ,  user:read "])
def test_scopes_are_separated_by_spaces_or_commas(text: str) -> None:
    assert parse_scopes(text) == {"repo:read", "user:read"}


@pytest.mark.parametrize("text", ["", " ", "repo:fly", "repo:read repo:fly", "REPO:READ"])
def test_one_unknown_scope_makes_the_text_invalid(text: str) -> None:
    with pytest.raises(ScopeInvalid):
        parse_scopes(text)


def test_there_are_eight_scopes_and_three_are_dangerous() -> None:
    assert len(OFFERED) == 8
    assert {name for name, scope in OFFERED.items() if scope.dangerous} == {"user:admin", "org:admin", "super:user"}


def test_a_larger_scope_includes_the_smaller_ones() -> None:
    assert implied({"repo:admin"}) == {"repo:admin", "repo:write", "repo:read"}
    assert implied({"user:admin"}) == {"user:admin", "user:read"}


def test_a_session_has_no_scopes_and_may_do_everything() -> None:
    assert allows(None, "super:user")
    assert allows(frozenset({"repo:write"}), "repo:read")
    assert not allows(frozenset({"repo:read"}), "repo:write")


@pytest.mark.parametrize("text", [None, "", " ", "repo:fly"])
def test_a_token_stored_with_no_known_scope_may_do_nothing(text: str | None) -> None:
    assert stored_scopes(text) == frozenset()
    assert not any(allows(stored_scopes(text), scope) for scope in OFFERED)
    assert capped(Role.ADMIN, stored_scopes(text)) is None


@pytest.mark.parametrize(
    ("role", "scopes", "expected"),
    [
        (Role.ADMIN, None, Role.ADMIN),
        (Role.ADMIN, {"repo:read"}, Role.READ),
        (Role.ADMIN, {"repo:write"}, Role.WRITE),
        (Role.READ, {"repo:admin"}, Role.READ),
        (Role.ADMIN, {"user:read"}, None),
        (None, {"repo:admin"}, None),
    ],
)
def test_a_tokens_role_is_the_smaller_of_its_users_and_its_scopes_roles(
    role: Role | None, scopes: set[str] | None, expected: Role | None
) -> None:
    assert capped(role, None if scopes is None else frozenset(scopes)) is expected


def test_a_read_only_superuser_is_a_superuser_only_while_reading_and_with_the_scope() -> None:
    auditor = Actor("1", "carol", is_read_only_superuser=True)

    assert not acts_as_superuser(auditor)
    assert acts_as_superuser(auditor.reading())
    assert audits(auditor.reading())
    narrowed = Actor("1", "carol", is_read_only_superuser=True, scopes=frozenset({"repo:admin"}))
    assert not acts_as_superuser(narrowed.reading())


def test_reading_makes_nobody_else_a_superuser_and_no_superuser_read_only() -> None:
    superuser = Actor("1", "admin", is_superuser=True)

    assert superuser.reading() == superuser
    assert not audits(superuser.reading())
    assert not acts_as_superuser(ANONYMOUS.reading())
