"""Authentication: who somebody is by password or token, and all told the same when they are not."""

from collections.abc import Iterator
from unittest import mock

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.errors import Denied, Unavailable, WrongCredentials
from chalicelib.services.identity.applications import ApplicationFields
from chalicelib.services.identity.authentication import Identity
from chalicelib.services.identity.authorizations import TokenRequest
from chalicelib.services.security.sealing import hashed
from chalicelib.storage import keys
from chalicelib.storage.activity.usage_log import UsageLogStore
from chalicelib.storage.identity.tokens import TokenKind, TokenRow, UsedRow
from chalicelib.storage.table import get
from tests.support.backends import Backend
from tests.support.builders import a_random_token, a_repository, an_organization
from tests.support.crashes import before_calls
from tests.support.rows import change, events


@pytest.fixture
def argon2() -> Iterator[mock.Mock]:
    """Counts the checks of passwords by the `cryptography` library."""
    counted = mock.Mock(wraps=Argon2id)
    with mock.patch("cryptography.hazmat.primitives.kdf.argon2.Argon2id", counted):
        yield counted.verify_phc_encoded


@pytest.fixture
def bob(backend: Backend) -> Backend:
    backend.user("bob")
    return backend


def test_a_user_signs_in_with_their_password_and_no_other(bob: Backend) -> None:
    assert bob.services.identity.authentication.recognise("bob", "password").account.name == "bob"
    with pytest.raises(WrongCredentials):
        bob.services.identity.authentication.recognise("bob", "Password")


@pytest.mark.parametrize("name", ["nobody", "", "b\u00f6b", "a\x00b", "#", "a" * 5000])
def test_an_unknown_user_costs_an_argon2_and_gets_the_same_error_as_a_wrong_password(
    bob: Backend, argon2: mock.Mock, name: str
) -> None:
    with pytest.raises(WrongCredentials) as unknown:
        bob.services.identity.authentication.recognise(name, "password")
    with pytest.raises(WrongCredentials) as wrong:
        bob.services.identity.authentication.recognise("bob", "wrong", "192.0.2.1")

    assert str(unknown.value) == str(wrong.value)
    assert argon2.call_count == 2


def test_a_disabled_user_gets_the_same_error(bob: Backend) -> None:
    change(bob.account("bob"), enabled=False)

    with pytest.raises(WrongCredentials, match="Invalid Username or Password"):
        bob.services.identity.authentication.recognise("bob", "password")


def test_a_robot_signs_in_with_its_name_and_token_without_an_argon2(backend: Backend, argon2: mock.Mock) -> None:
    row, secret = backend.robot("admin+builder")

    found = backend.services.identity.authentication.recognise("admin+builder", secret)

    assert (found.account.id, found.account.kind) == (row.id, AccountKind.ROBOT.value)
    assert not argon2.called


def test_a_robots_token_is_refused_with_another_name(backend: Backend) -> None:
    _, secret = backend.robot("admin+builder")
    backend.robot("admin+other")

    for name, shown in (("admin+other", secret), ("admin", secret), ("admin+builder", secret + "x"), ("", secret)):
        with pytest.raises(WrongCredentials):
            backend.services.identity.authentication.recognise(name, shown)


def test_a_robot_has_no_password(backend: Backend) -> None:
    backend.robot("admin+builder")

    for password in ("", "password"):
        with pytest.raises(WrongCredentials):
            backend.services.identity.authentication.recognise("admin+builder", password, f"192.0.{len(password)}.1")


def test_a_token_ends_with_its_time_its_kind_and_its_owners_epoch(backend: Backend) -> None:
    row, secret = backend.robot("admin+builder")
    token = get(TokenRow, keys.token(hashed(secret)))
    broken = (
        (token, {"expires_at": int(backend.clock()) - 1}, {"expires_at": None}),
        (token, {"kind": TokenKind.APP}, {"kind": TokenKind.ROBOT}),
        (row, {"epoch": 7}, {"epoch": 0}),
        (row, {"enabled": False}, {"enabled": True}),
    )
    for what, fault, mended in broken:
        change(what, **fault)
        assert backend.services.identity.authentication.by_token(secret, TokenKind.ROBOT) is None
        change(what, **mended)

    assert backend.services.identity.authentication.by_token(secret, TokenKind.ROBOT) is not None


def test_a_token_of_one_kind_is_refused_as_another(backend: Backend) -> None:
    _, secret = backend.robot("admin+builder")

    assert backend.services.identity.authentication.by_bearer(secret) is None
    for name in ("$app", "$oauthtoken"):
        with pytest.raises(WrongCredentials):
            backend.services.identity.authentication.recognise(name, secret)


def test_a_token_costs_two_reads_and_once_an_hour_a_write_of_its_use(backend: Backend) -> None:
    row, secret = backend.robot("admin+builder")
    token = get(TokenRow, keys.token(hashed(secret)))
    reads = ["GetItem", "BatchGetItem"]
    for calls in ([*reads, "PutItem"], reads, [*reads, "PutItem"]):
        backend.calls.take()

        backend.services.identity.authentication.recognise("admin+builder", secret)

        assert backend.calls.take() == calls
        assert abs(get(UsedRow, keys.used(row.id, token.uuid)).at - backend.clock()) < 3600
        backend.clock.ahead_s += 1800


def test_a_use_that_cannot_be_written_does_not_prevent_the_sign_in(backend: Backend) -> None:
    _, secret = backend.robot("admin+builder")

    def failing(_: object, operation_name: str, **__: object) -> None:
        if operation_name == "PutItem":
            raise Unavailable

    with before_calls(backend, failing):
        assert (
            backend.services.identity.authentication.recognise("admin+builder", secret).account.name == "admin+builder"
        )


def test_an_authenticated_actor_has_the_address_of_the_request(bob: Backend) -> None:
    actor = bob.services.identity.authentication.recognise("admin", "password").actor("192.0.2.1")

    assert (actor.name, actor.address, actor.is_superuser, actor.scopes) == ("admin", "192.0.2.1", True, None)


def test_a_refused_sign_in_is_recorded_in_the_same_calls_for_everybody_and_without_unknown_names(bob: Backend) -> None:
    calls = []
    for name in ("bob", "my-secret-password"):
        bob.calls.take()
        with pytest.raises(WrongCredentials):
            bob.services.identity.authentication.recognise(name, "wrong", "192.0.2.1")
        calls.append(bob.calls.take())

    known, unknown = sorted(events(bob, "login_failure"), key=lambda row: row["performer"], reverse=True)
    assert calls[0].count("PutItem") == calls[1].count("PutItem") == 1
    assert (known["performer"], known["namespace_id"], known["address"]) == ("bob", bob.account("bob").id, "192.0.2.1")
    assert (unknown["performer"], unknown["namespace_id"]) == ("", "")
    assert "my-secret-password" not in str(unknown)


def test_a_refusal_that_cannot_be_recorded_is_still_a_refusal(bob: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("throttled")

    monkeypatch.setattr(UsageLogStore, "write", full)

    with pytest.raises(WrongCredentials):
        bob.services.identity.authentication.recognise("bob", "wrong")
    assert events(bob, "login_failure") == []


def test_the_tokens_of_applications_end_with_their_organization(backend: Backend) -> None:
    an_organization(backend)
    admin, services = backend.signed_in("admin"), backend.services
    client_id = services.identity.applications.create(admin, "acme", ApplicationFields("bot")).client_id
    secret = (
        services.identity.authorizations.create(admin, "acme", client_id, TokenRequest("ci", "repo:read")).secret or ""
    )
    assert services.identity.authentication.by_bearer(secret)

    services.accounts.organizations.delete(admin, "acme")

    assert services.identity.authentication.by_bearer(secret) is None


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (TokenKind.OAUTH, {"scopes": ""}),
        (TokenKind.OAUTH, {"scopes": None}),
        (TokenKind.OAUTH, {"scopes": "repo:fly"}),
        (TokenKind.APP, {"scopes": ""}),
        (TokenKind.APP, {"scopes": "repo:fly"}),
    ],
)
def test_a_token_with_no_scope_grants_nothing(bob: Backend, kind: TokenKind, fields: dict[str, str | None]) -> None:
    a_repository(bob, "bob/app")
    user = {TokenKind.APP: "$app", TokenKind.OAUTH: "$oauthtoken"}[kind]
    secret = a_random_token(bob, "bob", kind, **fields)

    identity = bob.services.identity.authentication.by_token(secret, kind)
    issued = bob.services.identity.tokens.issue((user, secret), None, ["repository:bob/app:pull,push,delete,*"])

    assert identity is not None
    assert identity.scopes == frozenset()
    assert not bob.services.identity.tokens.believe(issued.token).grants["bob/app"].actions
    for may in (bob.services.security.access.require_user, bob.services.security.access.superuser):
        with pytest.raises(Denied):
            may(identity.actor(""))


def test_only_an_app_token_of_a_session_has_all_rights_of_its_user(bob: Backend) -> None:
    app_token = TokenRow(kind=TokenKind.APP)
    made_with_another = TokenRow(kind=TokenKind.APP, made_with="maker")

    assert Identity(bob.account("bob"), app_token).scopes is None
    assert Identity(bob.account("bob"), made_with_another).scopes == frozenset()
