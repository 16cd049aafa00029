"""App tokens: made, read back and revoked by their user, and never more than what they were made with."""

import json
from dataclasses import replace

import pytest

from chalicelib.domain.errors import Denied, FieldInvalid, ResourceUnknown, Unauthenticated, WrongCredentials
from chalicelib.domain.permissions import ANONYMOUS, Actor
from chalicelib.services.identity.app_tokens import LONGEST_LIFE_S, LONGEST_TITLE, MOST_TOKENS, SOON_S, AppToken
from chalicelib.services.identity.applications import ApplicationFields
from chalicelib.storage import keys
from chalicelib.storage.identity.tokens import APP, TokenRow
from tests.support.backends import House
from tests.support.builders import an_organization
from tests.support.crashes import Crash, crash_before
from tests.support.rows import change, events, rows_like

DAY_S = 86_400


@pytest.fixture
def bob(house: House) -> Actor:
    house.user("bob")
    return house.signed_in("bob")


def made(house: House, actor: Actor, title: str = "laptop", life_s: int | None = None) -> AppToken:
    return house.services.apptokens.create(actor, title, life_s)


def is_good(house: House, token: AppToken) -> bool:
    return house.services.doors.by_token(token.secret or "", APP) is not None


def by_token(house: House, name: str, scope: str, life_s: int = DAY_S) -> tuple[Actor, str]:
    """Who an OAuth token speaks for, and its uuid."""
    an_organization(house, f"of-{name}", owner=name)
    owner = house.signed_in(name)
    client = house.services.applications.create(owner, f"of-{name}", ApplicationFields(name="bot")).client_id
    token = house.services.authorizations.create(owner, f"of-{name}", client, "ci", scope, life_s)
    found = house.services.doors.by_bearer(token.secret or "")
    assert found is not None
    return found.actor(""), token.uuid


def test_a_token_signs_in_as_app_and_is_read_back_by_its_user(house: House, bob: Actor) -> None:
    token = made(house, bob, " laptop ")

    assert (token.title, token.owner, token.expires_at) == ("laptop", "bob", None)
    assert house.services.doors.recognise("$app", token.secret).account.name == "bob"
    assert house.services.apptokens.get(bob, token.uuid).secret == token.secret
    assert not [row for row in rows_like(house) if token.secret in str(row)]
    (event,) = events(house, "create_app_specific_token")
    assert json.loads(event["metadata"]) == {
        "app_specific_token_title": "laptop", "app_specific_token": token.uuid
    }  # fmt: skip
    for name in ("bob", "admin", "$oauthtoken"):
        with pytest.raises(WrongCredentials):
            house.services.doors.recognise(name, token.secret, "192.0.2.1")


def test_a_list_is_newest_first_with_uses_and_without_secrets(house: House, bob: Actor) -> None:
    first = made(house, bob, "first")
    house.clock.ahead_s += 1
    made(house, bob, "second")
    house.services.doors.recognise("$app", first.secret)

    found = house.services.apptokens.of_oneself(bob)

    assert [token.title for token in found] == ["second", "first"]
    assert {token.secret for token in found} == {None}
    assert found[0].last_used_at is None
    assert abs(found[1].last_used_at - house.clock()) < 60
    assert house.services.apptokens.get(bob, first.uuid).last_used_at == found[1].last_used_at
    assert house.services.apptokens.of_oneself(house.signed_in("admin")) == []


def test_those_alone_that_end_soon_can_be_asked_for(house: House, bob: Actor) -> None:
    made(house, bob, "for good")
    made(house, bob, "long", SOON_S + DAY_S)
    made(house, bob, "soon", DAY_S)

    assert [token.title for token in house.services.apptokens.of_oneself(bob, only_expiring=True)] == ["soon"]


def test_a_token_ends_at_its_time_for_every_reader(house: House, bob: Actor) -> None:
    token = made(house, bob, life_s=60)
    assert is_good(house, token)

    house.clock.ahead_s += 61

    assert not is_good(house, token)
    assert house.services.apptokens.of_oneself(bob) == []
    for ask in (house.services.apptokens.get, house.services.apptokens.revoke):
        with pytest.raises(ResourceUnknown):
            ask(bob, token.uuid)


def test_a_revoked_token_is_dead_at_once(house: House, bob: Actor) -> None:
    token, other = made(house, bob), made(house, bob)

    house.services.apptokens.revoke(bob, token.uuid)

    assert [is_good(house, one) for one in (token, other)] == [False, True]
    assert len(events(house, "revoke_app_specific_token")) == 1
    with pytest.raises(ResourceUnknown):
        house.services.apptokens.revoke(bob, token.uuid)


def test_somebody_elses_token_is_not_there(house: House, bob: Actor) -> None:
    token = made(house, house.signed_in("admin"))

    for ask in (house.services.apptokens.get, house.services.apptokens.revoke):
        for uuid in (token.uuid, "", "x" * 3000):
            with pytest.raises(ResourceUnknown):
                ask(bob, uuid)
    assert is_good(house, token)


def test_a_new_password_ends_them_and_what_is_left_is_taken_away(house: House, bob: Actor) -> None:
    token = made(house, bob)
    change(house.account("bob"), epoch=1)
    again = house.signed_in("bob")

    assert not is_good(house, token)
    assert house.services.apptokens.of_oneself(again) == []
    assert house.services.apptokens.of_everybody(house.signed_in("admin")) == ([], "")
    with pytest.raises(ResourceUnknown):
        house.services.apptokens.get(again, token.uuid)
    made(house, again, "new")
    assert [row["title"] for row in rows_like(house, "A#", "TOKEN#app#")] == ["new"]


@pytest.mark.parametrize("title", ["", "  ", "x" * (LONGEST_TITLE + 1)])
def test_a_title_has_its_limits(house: House, bob: Actor, title: str) -> None:
    with pytest.raises(FieldInvalid, match="title"):
        made(house, bob, title)


@pytest.mark.parametrize("life_s", [0, -1, LONGEST_LIFE_S + 1])
def test_a_life_has_its_limits(house: House, bob: Actor, life_s: int) -> None:
    with pytest.raises(FieldInvalid, match="expiration"):
        made(house, bob, life_s=life_s)


def test_a_user_has_so_many_and_no_more(house: House, bob: Actor) -> None:
    for number in range(MOST_TOKENS):
        key = keys.account_token(bob.account_id, APP, f"uuid{number}")
        TokenRow.under(key, kind=APP, owner_id=bob.account_id, uuid=f"uuid{number}", epoch=0, sha256="x").save()

    with pytest.raises(FieldInvalid, match="at most 100 app tokens"):
        made(house, bob)


def test_nobody_a_robot_and_a_token_without_the_scope_have_none(house: House, bob: Actor) -> None:
    apptokens = house.services.apptokens
    reader = replace(bob, scopes=frozenset({"user:read", "repo:admin"}), is_session=False)
    robot = Actor(house.robot("bob+ci")[0].id, "bob+ci", "robot")

    for actor, refused in ((ANONYMOUS, Unauthenticated), (reader, Denied), (robot, Denied)):
        for ask in (
            lambda actor: made(house, actor), apptokens.of_oneself,
            lambda actor: apptokens.get(actor, "uuid"), lambda actor: apptokens.revoke(actor, "uuid"),
        ):  # fmt: skip
            with pytest.raises(refused):
                ask(actor)


def test_what_an_oauth_token_makes_is_no_more_than_it_and_ends_with_it(house: House, bob: Actor) -> None:
    program, uuid = by_token(house, "bob", "user:admin repo:read")

    token = made(house, program, life_s=2 * DAY_S)

    found = house.services.doors.recognise("$app", token.secret)
    assert found.scopes == {"user:admin", "repo:read"}
    assert abs(token.expires_at - house.clock() - DAY_S) < 60
    assert house.services.apptokens.get(program, token.uuid).secret == token.secret
    grants = house.services.tokens.believe(
        house.services.tokens.issue(("$app", token.secret), None, ["repository:bob/app:pull,push"]).token
    ).grants
    assert grants["bob/app"].actions == {"pull"}
    house.services.authorizations.revoke_of_user(bob, uuid)
    assert not is_good(house, token)


def test_an_oauth_token_is_not_told_a_secret_that_may_do_more(house: House, bob: Actor) -> None:
    program, _ = by_token(house, "bob", "user:admin")

    assert house.services.apptokens.get(program, made(house, bob).uuid).secret is None
    with pytest.raises(Denied):
        made(house, replace(program, token="another"))


def test_a_superuser_lists_those_of_everybody(house: House, bob: Actor) -> None:
    admin = house.signed_in("admin")
    token, mine = made(house, bob), made(house, admin, "mine", DAY_S)
    house.services.doors.recognise("$app", token.secret)

    found, following = house.services.apptokens.of_everybody(admin)

    assert [(one.owner, one.uuid, one.secret) for one in found] == [
        ("bob", token.uuid, None), ("admin", mine.uuid, None)
    ]  # fmt: skip
    assert found[0].last_used_at is not None
    assert following == ""
    assert [one.owner for one in house.services.apptokens.of_everybody(admin, only_expiring=True)[0]] == ["admin"]
    assert [one.owner for one in house.services.apptokens.of_everybody(admin, "no position")[0]] == ["bob", "admin"]
    for actor in (bob, replace(admin, scopes=frozenset({"user:admin"}))):
        with pytest.raises(Denied):
            house.services.apptokens.of_everybody(actor)


def test_a_long_list_of_everybodys_comes_in_pages(house: House, bob: Actor, monkeypatch) -> None:
    for title in ("one", "two", "three"):
        made(house, bob, title)
        house.clock.ahead_s += 1
    monkeypatch.setattr("chalicelib.services.identity.app_tokens.LARGEST_PAGE", 2)
    admin = house.signed_in("admin")

    first, following = house.services.apptokens.of_everybody(admin)
    rest, end = house.services.apptokens.of_everybody(admin, following)

    assert [[one.title for one in page] for page in (first, rest)] == [["one", "two"], ["three"]]
    assert end == ""


def test_a_crash_leaves_a_token_or_none(house: House, bob: Actor) -> None:
    for number in range(1, 10):
        before = len(rows_like(house, "A#", "TOKEN#app#"))
        try:
            with crash_before(house, number):
                made(house, bob)
        except Crash:
            assert len(rows_like(house, "A#", "TOKEN#app#")) == len(events(house, "create_app")) == before
        else:
            break
    assert len(rows_like(house, "TOKEN#")) == len(rows_like(house, "A#", "TOKEN#app#")) == 1
