"""Sessions: begun by a password, ended by a sign-out or a new password, each with a CSRF token of its own."""

import pytest

from chalicelib.domain.errors import CsrfInvalid, FreshLoginRequired, WrongCredentials
from chalicelib.domain.permissions import Actor
from chalicelib.services.identity.sessions import Session
from tests.support.backends import House
from tests.support.rows import change, events, rows_like


def begun(house: House, name: str = "admin", cookie: str = "") -> Session:
    _, session = house.services.sessions.sign_in(name, "password", "192.0.2.1", cookie)
    return session


def actor_of(house: House, session: Session) -> Actor:
    found = house.services.sessions.believe(session.cookie)
    assert found is not None
    return found.actor("192.0.2.1")


def test_a_session_speaks_for_whoever_signed_in(house: House) -> None:
    actor = actor_of(house, begun(house))

    assert (actor.name, actor.is_session, actor.scopes) == ("admin", True, None)


def test_a_session_is_kept_by_its_hash_alone(house: House) -> None:
    session = begun(house)

    assert not [row for row in rows_like(house) if session.cookie in str(row)]


def test_a_wrong_password_begins_none(house: House) -> None:
    with pytest.raises(WrongCredentials):
        house.services.sessions.sign_in("admin", "wrong-password", "192.0.2.1", "")

    assert rows_like(house, "A#", "TOKEN#session") == []


def test_signing_in_again_ends_the_session_before(house: House) -> None:
    first = begun(house)
    second = begun(house, cookie=first.cookie)

    assert house.services.sessions.believe(first.cookie) is None
    assert second.cookie != first.cookie
    assert actor_of(house, second).name == "admin"


def test_a_session_that_is_ended_is_over_however_often(house: House) -> None:
    session = begun(house)

    actor = actor_of(house, session)
    house.services.sessions.end(actor, session.cookie)
    house.services.sessions.end(actor, session.cookie)
    house.services.sessions.end(actor, "nonsense")

    assert house.services.sessions.believe(session.cookie) is None
    assert rows_like(house, "TOKEN#") == []


def test_a_session_ends_by_itself(house: House) -> None:
    session = begun(house)
    house.clock.ahead_s = house.settings.session_s + 1

    assert house.services.sessions.believe(session.cookie) is None


def test_a_raised_epoch_ends_it(house: House) -> None:
    session = begun(house)
    change(house.account("admin"), epoch=1)

    assert house.services.sessions.believe(session.cookie) is None


def test_a_password_counts_as_fresh_for_ten_minutes_and_is_renewed_by_showing_it(house: House) -> None:
    sessions, session = house.services.sessions, begun(house)
    actor = actor_of(house, session)
    sessions.check_fresh(actor)
    house.clock.ahead_s = house.settings.fresh_s + 1
    with pytest.raises(FreshLoginRequired):
        sessions.check_fresh(actor)

    renewed = sessions.verify(actor, "password", session.cookie)

    sessions.check_fresh(actor_of(house, renewed))
    assert sessions.believe(session.cookie) is None


def test_a_token_needs_no_fresh_password(house: House) -> None:
    house.services.sessions.check_fresh(Actor("id", "admin", has_token=True))


def test_a_stranger_cannot_show_a_password_again(house: House) -> None:
    with pytest.raises(WrongCredentials):
        house.services.sessions.verify(Actor(None, ""), "password", "")


def test_a_csrf_token_goes_with_its_own_cookie_only(house: House) -> None:
    sessions, mine, other = house.services.sessions, begun(house), begun(house)
    sessions.check_csrf(mine.cookie, mine.csrf)

    for cookie, csrf in ((mine.cookie, other.csrf), (mine.cookie, ""), ("", mine.csrf), ("nonsense", mine.csrf)):
        with pytest.raises(CsrfInvalid):
            sessions.check_csrf(cookie, csrf)


def test_a_stranger_has_a_signed_cookie_without_a_write(house: House) -> None:
    before = rows_like(house)
    stranger = house.services.sessions.stranger("")

    assert rows_like(house) == before
    house.services.sessions.check_csrf(stranger.cookie, stranger.csrf)
    assert house.services.sessions.stranger(stranger.cookie) == stranger
    assert house.services.sessions.believe(stranger.cookie) is None


def test_a_cookie_that_we_did_not_sign_is_replaced(house: House) -> None:
    forged = "stranger.abc.def"

    assert house.services.sessions.stranger(forged).cookie != forged
    with pytest.raises(CsrfInvalid):
        house.services.sessions.check_csrf(forged, house.services.sessions.session(forged).csrf)


def test_a_session_is_believed_by_one_read_and_only_for_its_owner(house: House) -> None:
    house.user("bob")
    session = house.services.sessions.begin(house.account("bob"))
    house.calls.take()

    found = house.services.sessions.believe(session.cookie)
    assert found is not None
    assert (found.account.name, house.calls.take()) == ("bob", ["BatchGetItem"])
    secret = session.cookie.partition(".")[2]
    for cookie in (f"cbs_{house.account().id}.{secret}", f"cbs_{secret}", "cbs_", f"cbs_{'0' * 3000}.x"):
        assert house.services.sessions.believe(cookie) is None


def told(house: House) -> list[tuple[str, str, str]]:
    """What the usage log says of doors: kind, performer, address."""
    return [(row["kind"], row["performer"], row["address"]) for row in events(house, "log")]


def test_who_signs_in_and_out_is_recorded_once_each(house: House) -> None:
    session = begun(house)
    actor = actor_of(house, session)
    house.services.sessions.end(actor, session.cookie)
    house.services.sessions.end(actor, session.cookie)

    assert [(kind, performer) for kind, performer, _ in told(house)] == [
        ("login_success", "admin"),
        ("logout_success", "admin"),
    ]


def test_a_session_that_another_one_follows_is_no_signing_out(house: House) -> None:
    session = begun(house)
    house.services.sessions.begin(house.account(), session.cookie)

    assert [kind for kind, _, _ in told(house)] == ["login_success"]


def test_nobody_signs_somebody_else_out_in_the_log(house: House) -> None:
    house.user("bob")
    session = begun(house)
    house.services.sessions.end(house.signed_in("bob"), session.cookie)

    assert [kind for kind, _, _ in told(house)] == ["login_success"]
