"""Roles, actors and scopes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.errors import ScopeInvalid
from chalicelib.domain.permissions import ANONYMOUS, ANY, DELETE, PULL, PUSH, Actor, Role, Scope, permits


def test_who_may_push_may_delete_and_who_may_pull_may_not() -> None:
    assert permits(frozenset({PUSH}), DELETE)
    assert not permits(frozenset({PULL}), DELETE)
    assert not permits(frozenset({DELETE}), PUSH)
    assert permits(frozenset({ANY}), PUSH)


def test_each_role_includes_those_before_it() -> None:
    assert Role.READ.actions < Role.WRITE.actions < Role.ADMIN.actions
    assert Role.READ.actions == {"pull"}


def test_whoever_may_push_may_delete() -> None:
    assert {"push", "delete"} <= Role.WRITE.actions


def test_every_role_has_actions() -> None:
    assert all(role.actions for role in Role)


def test_the_anonymous_actor_has_no_account_and_no_grants() -> None:
    assert ANONYMOUS.is_anonymous
    assert ANONYMOUS.grants == {}
    assert not Actor("id", "alice").is_anonymous


@pytest.mark.parametrize(
    ("text", "kind", "name", "actions"),
    [
        ("repository:admin/app:pull,push", "repository", "admin/app", ("pull", "push")),
        ("repository:admin/a/b/c:pull", "repository", "admin/a/b/c", ("pull",)),
        ("repository:admin/app:*", "repository", "admin/app", ("*",)),
        ("repository:admin/app:", "repository", "admin/app", ()),
        ("repository:admin/app:pull,pull,push", "repository", "admin/app", ("pull", "push")),
        ("repository:localhost:5000/app:pull", "repository", "localhost:5000/app", ("pull",)),
        ("repository(plugin):admin/app:pull", "repository", "admin/app", ("pull",)),
        ("registry:catalog:*", "registry", "catalog", ("*",)),
    ],
)
def test_a_scope_is_a_type_a_name_and_actions(text: str, kind: str, name: str, actions: tuple[str, ...]) -> None:
    assert Scope.parse_all([text]) == [Scope(kind, name, actions)]


def test_one_parameter_may_hold_several_scopes() -> None:
    scopes = Scope.parse_all(["repository:a/b:pull  repository:c/d:pull,push", "", "registry:catalog:*"])

    assert [scope.name for scope in scopes] == ["a/b", "c/d", "catalog"]


def test_scopes_of_the_same_name_are_merged_with_all_their_actions() -> None:
    """docker requests pull and pull,push side by side; the token has one entry for each name."""
    scopes = Scope.parse_all(["repository:a/b:pull registry:a/b:*", "repository:c/d:pull repository:a/b:push,pull"])

    assert Scope.merge(scopes) == [
        Scope("repository", "a/b", ("pull", "push")),
        Scope("registry", "a/b", ("*",)),
        Scope("repository", "c/d", ("pull",)),
    ]
    assert Scope.merge([]) == []


@pytest.mark.parametrize(
    "text",
    [
        "repository",
        "repository:",
        "repository:a/b",
        "repository::pull",
        ":a/b:pull",
        "Repository:a/b:pull",
        "repository:a/b:PULL",
        "repository:a/b:pull,",
        "repository:a/b:,pull",
        "repository():a/b:pull",
        "repository:a/b:pull;push",
        "rep\u00f6sitory:a/b:pull",
    ],
)
def test_a_malformed_scope_is_refused_and_the_form_is_named(text: str) -> None:
    with pytest.raises(ScopeInvalid, match="say repository:NAMESPACE/NAME:pull,push"):
        Scope.parse_all([text])


@pytest.mark.parametrize("text", ["repository:" + ":a" * 30_000 + "!", "a" * 60_000, "repository:x:" + "a," * 30_000])
def test_a_scope_made_to_cause_backtracking_is_refused_quickly(text: str) -> None:
    with pytest.raises(ScopeInvalid) as caught:
        Scope.parse_all([text])

    assert len(str(caught.value)) < 200


@given(st.lists(st.text(max_size=30), max_size=4))
def test_any_texts_are_either_scopes_or_refused(texts: list[str]) -> None:
    try:
        scopes = Scope.parse_all(texts)
    except ScopeInvalid:
        return

    assert len(scopes) == sum(len(text.split()) for text in texts)
