"""Tests that a password starts a session, a sign-out or new password ends it, and each has a CSRF token."""

from dataclasses import replace

import pytest

from chalicelib.domain.errors import CsrfInvalid, FreshLoginRequired, Unauthenticated, WrongCredentials
from chalicelib.domain.permissions import Actor
from chalicelib.services.identity.sessions import Session
from tests.support.backends import Backend
from tests.support.rows import change, events, rows_like


def begun(backend: Backend, name: str = "admin", cookie: str = "") -> Session:
    _, session = backend.services.identity.sessions.sign_in(name, "password", "192.0.2.1", cookie)
    return session


def actor_of(backend: Backend, session: Session) -> Actor:
    found = backend.services.identity.sessions.believe(session.cookie)
    assert found is not None
    return found.actor("192.0.2.1")


def test_a_session_acts_as_the_user_who_signed_in(backend: Backend) -> None:
    actor = actor_of(backend, begun(backend))

    assert (actor.name, actor.is_session, actor.scopes) == ("admin", True, None)


def test_a_session_is_stored_by_its_hash_only(backend: Backend) -> None:
    session = begun(backend)

    assert not [row for row in rows_like(backend) if session.cookie in str(row)]


def test_a_wrong_password_starts_no_session(backend: Backend) -> None:
    with pytest.raises(WrongCredentials):
        backend.services.identity.sessions.sign_in("admin", "wrong-password", "192.0.2.1", "")

    assert rows_like(backend, "A#", "TOKEN#session") == []


def test_signing_in_again_ends_the_former_session(backend: Backend) -> None:
    first = begun(backend)
    second = begun(backend, cookie=first.cookie)

    assert backend.services.identity.sessions.believe(first.cookie) is None
    assert second.cookie != first.cookie
    assert actor_of(backend, second).name == "admin"


def test_a_session_can_be_ended_repeatedly(backend: Backend) -> None:
    session = begun(backend)

    actor = actor_of(backend, session)
    backend.services.identity.sessions.end(actor, session.cookie)
    backend.services.identity.sessions.end(actor, session.cookie)
    backend.services.identity.sessions.end(actor, "nonsense")

    assert backend.services.identity.sessions.believe(session.cookie) is None
    assert rows_like(backend, "TOKEN#") == []


def test_a_session_expires(backend: Backend) -> None:
    session = begun(backend)
    backend.clock.ahead_s = backend.settings.session_s + 1

    assert backend.services.identity.sessions.believe(session.cookie) is None


def test_a_raised_epoch_ends_a_session(backend: Backend) -> None:
    session = begun(backend)
    change(backend.account("admin"), epoch=1)

    assert backend.services.identity.sessions.believe(session.cookie) is None


def test_a_password_check_is_fresh_for_ten_minutes_and_can_be_repeated(backend: Backend) -> None:
    sessions, session = backend.services.identity.sessions, begun(backend)
    actor = actor_of(backend, session)
    sessions.check_fresh(actor)
    backend.clock.ahead_s = backend.settings.fresh_s + 1
    with pytest.raises(FreshLoginRequired):
        sessions.check_fresh(actor)

    renewed = sessions.verify(actor, "password", session.cookie)

    sessions.check_fresh(actor_of(backend, renewed))
    assert sessions.believe(session.cookie) is None


def test_a_token_needs_no_fresh_password(backend: Backend) -> None:
    backend.services.identity.sessions.check_fresh(Actor("id", "admin", has_token=True))


def test_a_browser_without_a_session_cannot_verify_a_password(backend: Backend) -> None:
    token = backend.signed_in("admin")
    for actor, refused in ((Actor(None, ""), Unauthenticated), (replace(token, is_session=False), WrongCredentials)):
        with pytest.raises(refused) as refusal:
            backend.services.identity.sessions.verify(actor, "password", "")
        assert type(refusal.value) is refused


def test_a_csrf_token_goes_with_its_own_cookie_only(backend: Backend) -> None:
    sessions, mine, other = backend.services.identity.sessions, begun(backend), begun(backend)
    sessions.check_csrf(mine.cookie, mine.csrf)

    for cookie, csrf in ((mine.cookie, other.csrf), (mine.cookie, ""), ("", mine.csrf), ("nonsense", mine.csrf)):
        with pytest.raises(CsrfInvalid):
            sessions.check_csrf(cookie, csrf)


def test_a_browser_without_a_session_gets_a_signed_cookie_without_a_write(backend: Backend) -> None:
    before = rows_like(backend)
    stranger = backend.services.identity.sessions.anonymous("")

    assert rows_like(backend) == before
    backend.services.identity.sessions.check_csrf(stranger.cookie, stranger.csrf)
    assert backend.services.identity.sessions.anonymous(stranger.cookie) == stranger
    assert backend.services.identity.sessions.believe(stranger.cookie) is None


def test_a_cookie_that_we_did_not_sign_is_replaced(backend: Backend) -> None:
    forged = "stranger.abc.def"

    assert backend.services.identity.sessions.anonymous(forged).cookie != forged
    with pytest.raises(CsrfInvalid):
        backend.services.identity.sessions.check_csrf(forged, backend.services.identity.sessions.session(forged).csrf)


def test_a_session_is_checked_with_one_read_and_only_for_its_owner(backend: Backend) -> None:
    backend.user("bob")
    session = backend.services.identity.sessions.begin(backend.account("bob"))
    backend.calls.take()

    found = backend.services.identity.sessions.believe(session.cookie)
    assert found is not None
    assert (found.account.name, backend.calls.take()) == ("bob", ["BatchGetItem"])
    secret = session.cookie.partition(".")[2]
    for cookie in (f"cbs_{backend.account().id}.{secret}", f"cbs_{secret}", "cbs_", f"cbs_{'0' * 3000}.x"):
        assert backend.services.identity.sessions.believe(cookie) is None


def told(backend: Backend) -> list[tuple[str, str, str]]:
    """What the usage log says of sign-ins: kind, performer, address."""
    return [(row["kind"], row["performer"], row["address"]) for row in events(backend, "log")]


def test_a_sign_in_and_a_sign_out_are_each_recorded_once(backend: Backend) -> None:
    session = begun(backend)
    actor = actor_of(backend, session)
    backend.services.identity.sessions.end(actor, session.cookie)
    backend.services.identity.sessions.end(actor, session.cookie)

    assert [(kind, performer) for kind, performer, _ in told(backend)] == [
        ("login_success", "admin"),
        ("logout_success", "admin"),
    ]


def test_a_session_replaced_by_another_is_not_recorded_as_a_sign_out(backend: Backend) -> None:
    session = begun(backend)
    backend.services.identity.sessions.begin(backend.account(), session.cookie)

    assert [kind for kind, _, _ in told(backend)] == ["login_success"]


def test_nobody_records_a_sign_out_of_another_user(backend: Backend) -> None:
    backend.user("bob")
    session = begun(backend)
    backend.services.identity.sessions.end(backend.signed_in("bob"), session.cookie)

    assert [kind for kind, _, _ in told(backend)] == ["login_success"]
