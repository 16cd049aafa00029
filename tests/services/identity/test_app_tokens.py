"""Tests that users create, read back and revoke app tokens, which have no more rights than what created them."""

import json
from dataclasses import replace

import pytest

from chalicelib.domain.errors import Denied, FieldInvalid, ResourceUnknown, Unauthenticated, WrongCredentials
from chalicelib.domain.permissions import ANONYMOUS, Actor
from chalicelib.services.identity.app_tokens import LONGEST_LIFE_S, LONGEST_TITLE, MOST_TOKENS, SOON_S, AppToken
from chalicelib.services.identity.applications import ApplicationFields
from chalicelib.services.identity.authorizations import TokenRequest
from chalicelib.storage import keys
from chalicelib.storage.identity.tokens import TokenKind, TokenRow
from tests.support.backends import Backend
from tests.support.builders import an_organization
from tests.support.crashes import Crash, crash_before
from tests.support.rows import change, events, rows_like

DAY_S = 86_400


@pytest.fixture
def bob(backend: Backend) -> Actor:
    backend.user("bob")
    return backend.signed_in("bob")


def made(backend: Backend, actor: Actor, title: str = "laptop", life_s: int | None = None) -> AppToken:
    return backend.services.identity.app_tokens.create(actor, title, life_s)


def is_good(backend: Backend, token: AppToken) -> bool:
    return backend.services.identity.authentication.by_token(token.secret or "", TokenKind.APP) is not None


def by_token(backend: Backend, name: str, scope: str, life_s: int = DAY_S) -> tuple[Actor, str]:
    """Returns the actor of a new OAuth token, and the token's uuid."""
    an_organization(backend, f"of-{name}", owner=name)
    owner = backend.signed_in(name)
    client = backend.services.identity.applications.create(owner, f"of-{name}", ApplicationFields(name="bot")).client_id
    token = backend.services.identity.authorizations.create(
        owner, f"of-{name}", client, TokenRequest("ci", scope, life_s)
    )
    found = backend.services.identity.authentication.by_bearer(token.secret or "")
    assert found is not None
    return found.actor(""), token.uuid


def test_a_token_signs_in_as_app_and_is_read_back_by_its_user(backend: Backend, bob: Actor) -> None:
    token = made(backend, bob, " laptop ")

    assert (token.title, token.owner, token.expires_at) == ("laptop", "bob", None)
    assert backend.services.identity.authentication.recognise("$app", token.secret).account.name == "bob"
    assert backend.services.identity.app_tokens.get(bob, token.uuid).secret == token.secret
    assert not [row for row in rows_like(backend) if token.secret in str(row)]
    (event,) = events(backend, "create_app_specific_token")
    assert json.loads(event["metadata"]) == {
        "app_specific_token_title": "laptop", "app_specific_token": token.uuid
    }  # fmt: skip
    for name in ("bob", "admin", "$oauthtoken"):
        with pytest.raises(WrongCredentials):
            backend.services.identity.authentication.recognise(name, token.secret, "192.0.2.1")


def test_a_list_is_newest_first_with_uses_and_without_secrets(backend: Backend, bob: Actor) -> None:
    first = made(backend, bob, "first")
    backend.clock.ahead_s += 1
    made(backend, bob, "second")
    backend.services.identity.authentication.recognise("$app", first.secret)

    found = backend.services.identity.app_tokens.of_oneself(bob)

    assert [token.title for token in found] == ["second", "first"]
    assert {token.secret for token in found} == {None}
    assert found[0].last_used_at is None
    assert abs(found[1].last_used_at - backend.clock()) < 60
    assert backend.services.identity.app_tokens.get(bob, first.uuid).last_used_at == found[1].last_used_at
    assert backend.services.identity.app_tokens.of_oneself(backend.signed_in("admin")) == []


def test_a_list_can_be_limited_to_tokens_that_end_soon(backend: Backend, bob: Actor) -> None:
    made(backend, bob, "for good")
    made(backend, bob, "long", SOON_S + DAY_S)
    made(backend, bob, "soon", DAY_S)

    assert [token.title for token in backend.services.identity.app_tokens.of_oneself(bob, only_expiring=True)] == [
        "soon"
    ]


def test_an_expired_token_is_hidden_from_every_list(backend: Backend, bob: Actor) -> None:
    token = made(backend, bob, life_s=60)
    assert is_good(backend, token)

    backend.clock.ahead_s += 61

    assert not is_good(backend, token)
    assert backend.services.identity.app_tokens.of_oneself(bob) == []
    for ask in (backend.services.identity.app_tokens.get, backend.services.identity.app_tokens.revoke):
        with pytest.raises(ResourceUnknown):
            ask(bob, token.uuid)


def test_a_revoked_token_ends_at_once(backend: Backend, bob: Actor) -> None:
    token, other = made(backend, bob), made(backend, bob)

    backend.services.identity.app_tokens.revoke(bob, token.uuid)

    assert [is_good(backend, one) for one in (token, other)] == [False, True]
    assert len(events(backend, "revoke_app_specific_token")) == 1
    with pytest.raises(ResourceUnknown):
        backend.services.identity.app_tokens.revoke(bob, token.uuid)


def test_a_token_of_another_user_is_not_found(backend: Backend, bob: Actor) -> None:
    token = made(backend, backend.signed_in("admin"))

    for ask in (backend.services.identity.app_tokens.get, backend.services.identity.app_tokens.revoke):
        for uuid in (token.uuid, "", "x" * 3000):
            with pytest.raises(ResourceUnknown):
                ask(bob, uuid)
    assert is_good(backend, token)


def test_a_new_password_ends_all_tokens_and_their_rows_are_removed(backend: Backend, bob: Actor) -> None:
    token = made(backend, bob)
    change(backend.account("bob"), epoch=1)
    again = backend.signed_in("bob")

    assert not is_good(backend, token)
    assert backend.services.identity.app_tokens.of_oneself(again) == []
    assert backend.services.identity.app_tokens.of_everybody(backend.signed_in("admin")) == ([], "")
    with pytest.raises(ResourceUnknown):
        backend.services.identity.app_tokens.get(again, token.uuid)
    made(backend, again, "new")
    assert [row["title"] for row in rows_like(backend, "A#", "TOKEN#app#")] == ["new"]


@pytest.mark.parametrize("title", ["", "  ", "x" * (LONGEST_TITLE + 1)])
def test_the_title_of_a_token_has_limits(backend: Backend, bob: Actor, title: str) -> None:
    with pytest.raises(FieldInvalid, match="title"):
        made(backend, bob, title)


@pytest.mark.parametrize("life_s", [0, -1, LONGEST_LIFE_S + 1])
def test_the_lifetime_of_a_token_has_limits(backend: Backend, bob: Actor, life_s: int) -> None:
    with pytest.raises(FieldInvalid, match="expiration"):
        made(backend, bob, life_s=life_s)


def test_a_user_has_a_limited_number_of_tokens(backend: Backend, bob: Actor) -> None:
    for number in range(MOST_TOKENS):
        key = keys.account_token(bob.account_id, TokenKind.APP, f"uuid{number}")
        TokenRow.under(
            key, kind=TokenKind.APP, owner_id=bob.account_id, uuid=f"uuid{number}", epoch=0, sha256="x"
        ).save()

    with pytest.raises(FieldInvalid, match="at most 100 app tokens"):
        made(backend, bob)


def test_anonymous_callers_robots_and_tokens_without_the_scope_have_no_app_tokens(backend: Backend, bob: Actor) -> None:
    apptokens = backend.services.identity.app_tokens
    reader = replace(bob, scopes=frozenset({"user:read", "repo:admin"}), is_session=False)
    robot = Actor(backend.robot("bob+ci")[0].id, "bob+ci", "robot")

    for actor, refused in ((ANONYMOUS, Unauthenticated), (reader, Denied), (robot, Denied)):
        for ask in (
            lambda actor: made(backend, actor), apptokens.of_oneself,
            lambda actor: apptokens.get(actor, "uuid"), lambda actor: apptokens.revoke(actor, "uuid"),
        ):  # fmt: skip
            with pytest.raises(refused):
                ask(actor)


def test_a_token_created_with_an_oauth_token_has_its_scopes_and_ends_with_it(backend: Backend, bob: Actor) -> None:
    program, uuid = by_token(backend, "bob", "user:admin repo:read")

    token = made(backend, program, life_s=2 * DAY_S)

    found = backend.services.identity.authentication.recognise("$app", token.secret)
    assert found.scopes == {"user:admin", "repo:read"}
    assert abs(token.expires_at - backend.clock() - DAY_S) < 60
    assert backend.services.identity.app_tokens.get(program, token.uuid).secret == token.secret
    grants = backend.services.identity.tokens.believe(
        backend.services.identity.tokens.issue(("$app", token.secret), None, ["repository:bob/app:pull,push"]).token
    ).grants
    assert grants["bob/app"].actions == {"pull"}
    backend.services.identity.authorizations.revoke_of_user(bob, uuid)
    assert not is_good(backend, token)


def test_a_token_ends_with_the_organization_of_its_maker_at_once_not_at_the_purge(backend: Backend, bob: Actor) -> None:
    program, _ = by_token(backend, "bob", "user:admin repo:write")
    token = made(backend, program)
    assert is_good(backend, token)

    backend.services.accounts.organizations.delete(bob, "of-bob")

    assert not is_good(backend, token)


def test_an_oauth_token_sees_no_secret_that_could_outlive_it(backend: Backend, bob: Actor) -> None:
    program, _ = by_token(backend, "bob", "user:admin org:admin")
    request = TokenRequest("long", "user:admin", 10 * DAY_S)
    client = backend.services.identity.applications.of_organization(bob, "of-bob")[0].client_id
    long = backend.services.identity.authorizations.create(bob, "of-bob", client, request)
    longer = backend.services.identity.authentication.by_bearer(long.secret or "")
    assert longer is not None

    for other in (bob, longer.actor("")):
        assert backend.services.identity.app_tokens.get(program, made(backend, other).uuid).secret is None
    with pytest.raises(Denied):
        made(backend, replace(program, token="another"))


def test_a_superuser_lists_the_tokens_of_everybody(backend: Backend, bob: Actor) -> None:
    admin = backend.signed_in("admin")
    token, mine = made(backend, bob), made(backend, admin, "mine", DAY_S)
    backend.services.identity.authentication.recognise("$app", token.secret)

    found, following = backend.services.identity.app_tokens.of_everybody(admin)

    assert [(one.owner, one.uuid, one.secret) for one in found] == [
        ("bob", token.uuid, None), ("admin", mine.uuid, None)
    ]  # fmt: skip
    assert found[0].last_used_at is not None
    assert following == ""
    assert [one.owner for one in backend.services.identity.app_tokens.of_everybody(admin, only_expiring=True)[0]] == [
        "admin"
    ]
    assert [one.owner for one in backend.services.identity.app_tokens.of_everybody(admin, "no position")[0]] == [
        "bob",
        "admin",
    ]
    for actor in (bob, replace(admin, scopes=frozenset({"user:admin"}))):
        with pytest.raises(Denied):
            backend.services.identity.app_tokens.of_everybody(actor)


def test_the_list_of_everybodys_tokens_has_pages(backend: Backend, bob: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    for title in ("one", "two", "three"):
        made(backend, bob, title)
        backend.clock.ahead_s += 1
    monkeypatch.setattr("chalicelib.services.identity.app_tokens.LARGEST_PAGE", 2)
    admin = backend.signed_in("admin")

    first, following = backend.services.identity.app_tokens.of_everybody(admin)
    rest, end = backend.services.identity.app_tokens.of_everybody(admin, following)

    assert [[one.title for one in page] for page in (first, rest)] == [["one", "two"], ["three"]]
    assert end == ""


def test_a_crash_leaves_a_whole_token_or_none(backend: Backend, bob: Actor) -> None:
    for number in range(1, 10):
        before = len(rows_like(backend, "A#", "TOKEN#app#"))
        try:
            with crash_before(backend, number):
                made(backend, bob)
        except Crash:
            assert len(rows_like(backend, "A#", "TOKEN#app#")) == len(events(backend, "create_app")) == before
        else:
            break
    assert len(rows_like(backend, "TOKEN#")) == len(rows_like(backend, "A#", "TOKEN#app#")) == 1
