"""Tests client keys, which the registry accepts in place of a password and nobody else does."""

from unittest import mock

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from chalicelib.domain.errors import Denied, FieldInvalid, TooManyAttempts, Unauthenticated, WrongCredentials
from chalicelib.domain.permissions import ANONYMOUS
from chalicelib.services.accounts.accounts import UserChanges
from chalicelib.services.accounts.superusers import SuperuserChanges
from chalicelib.services.security.throttles import WEB
from tests.support.backends import Backend
from tests.support.builders import an_oauth_token
from tests.support.rows import change, events

ADDRESS = "192.0.2.1"


@pytest.fixture
def key(backend: Backend) -> str:
    """Returns a client key of the user bob."""
    backend.user("bob")
    return backend.services.identity.client_keys.create(backend.signed_in("bob"), "password")


def is_accepted(backend: Backend, name: str, secret: str) -> bool:
    try:
        return backend.services.identity.authentication.recognise(name, secret, ADDRESS).account.name == name
    except WrongCredentials:
        return False


def test_the_registry_accepts_a_key_as_the_password_of_its_user_and_of_nobody_else(backend: Backend, key: str) -> None:
    backend.user("carol")

    assert is_accepted(backend, "bob", key)
    assert [is_accepted(backend, name, key) for name in ("carol", "nobody", "$app")] == [False] * 3
    assert not is_accepted(backend, "bob", key[:20] + ("A" if key[20] != "A" else "B") + key[21:])


def test_a_key_has_the_rights_of_its_user_at_the_registry(backend: Backend, key: str) -> None:
    issued = backend.services.identity.tokens.issue(("bob", key), None, ["repository:bob/app:push"])

    assert "push" in backend.services.identity.tokens.believe(issued.token).grants["bob/app"].actions


def test_a_key_costs_the_same_calls_as_a_password_and_no_argon2(backend: Backend, key: str) -> None:
    costs = []
    counted = mock.Mock(wraps=Argon2id)
    for secret in ("password", key):
        backend.calls.take()
        with mock.patch("cryptography.hazmat.primitives.kdf.argon2.Argon2id", counted):
            backend.services.identity.authentication.recognise("bob", secret, ADDRESS)
        costs.append(backend.calls.take())

    assert costs[0] == costs[1]
    assert counted.verify_phc_encoded.call_count == 1


def test_a_key_does_not_contain_the_password(key: str) -> None:
    assert "password" not in key
    assert key.startswith("cbk_")
    assert key.removeprefix("cbk_").replace("-", "").replace("_", "").isalnum()


def test_a_key_ends_with_a_new_password_of_the_user_or_of_a_superuser(backend: Backend, key: str) -> None:
    backend.services.accounts.accounts.change(backend.signed_in("bob"), UserChanges(password="password-2"))
    assert not is_accepted(backend, "bob", key)

    key = backend.services.identity.client_keys.create(backend.signed_in("bob"), "password-2")
    backend.services.accounts.superusers.change(
        backend.signed_in("admin"), "bob", SuperuserChanges(password="password-3")
    )
    assert not is_accepted(backend, "bob", key)


def test_a_key_ends_with_its_account_even_if_another_gets_the_name(backend: Backend, key: str) -> None:
    change(backend.account("bob"), enabled=False)
    assert not is_accepted(backend, "bob", key)
    change(backend.account("bob"), enabled=True)
    assert is_accepted(backend, "bob", key)

    backend.services.accounts.account_deletion.delete_user(backend.signed_in("admin"), "bob")
    assert not is_accepted(backend, "bob", key)


def test_an_ended_key_counts_as_a_wrong_password(backend: Backend, key: str) -> None:
    backend.services.accounts.accounts.change(backend.signed_in("bob"), UserChanges(password="password-2"))

    for _ in range(5):
        assert not is_accepted(backend, "bob", key)
    with pytest.raises(TooManyAttempts):
        backend.services.identity.authentication.recognise("bob", key, ADDRESS)
    assert len(events(backend, "login_failure")) == 5


def test_a_password_that_looks_like_a_key_is_still_a_password(backend: Backend) -> None:
    backend.services.accounts.accounts.create_user("bob", "cbk_password")

    assert is_accepted(backend, "bob", "cbk_password")
    assert not is_accepted(backend, "bob", "cbk_")


def test_a_key_begins_no_session_and_makes_no_further_key(backend: Backend, key: str) -> None:
    with pytest.raises(WrongCredentials):
        backend.services.identity.sessions.sign_in("bob", key, ADDRESS, "")
    with pytest.raises(WrongCredentials):
        backend.services.identity.authentication.by_password(WEB, "bob", key, "198.51.100.1")
    with pytest.raises(FieldInvalid, match="Invalid Username or Password"):
        backend.services.identity.client_keys.create(backend.signed_in("bob"), key)


def test_only_users_with_the_scope_get_a_key_and_only_for_their_password(backend: Backend, key: str) -> None:
    keys, authentication = backend.services.identity.client_keys, backend.services.identity.authentication
    token = authentication.by_bearer(an_oauth_token(backend, "bob", "repo:read"))
    assert token is not None

    with pytest.raises(Unauthenticated):
        keys.create(ANONYMOUS, "password")
    with pytest.raises(Denied):
        keys.create(token.actor(ADDRESS), "password")
    with pytest.raises(FieldInvalid, match="password: Invalid"):
        keys.create(backend.signed_in("bob"), "wrong-password")
    (event,) = events(backend, "user_generate_client_key")
    assert (event["performer"], event["namespace_id"]) == ("bob", backend.account("bob").id)
