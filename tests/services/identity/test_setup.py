"""Tests creating the first user over the API, once, with the set-up secret."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from unittest import mock

import pytest

from chalicelib.domain.errors import AlreadyInitialized, Denied, FieldInvalid, NameInvalid, RegistryError
from chalicelib.domain.scopes import OFFERED
from chalicelib.services.identity.setup import TOKEN_S, Setup
from chalicelib.storage.secrets import Secrets
from tests.support.backends import Backend
from tests.support.rows import all_rows, events

FIRST = ("first", "password-1", "first@example.com")


@pytest.fixture
def empty(new_backend: Callable[..., Backend]) -> Backend:
    """A backend without users."""
    backend = new_backend()
    for row in all_rows(backend):
        backend.services.stores.table.delete_item(row["pk"], row["sk"])
    return backend


def test_the_first_user_is_a_superuser_and_the_second_is_refused(empty: Backend) -> None:
    secret = empty.services.stores.secrets.setup
    made = empty.services.identity.setup.initialize(secret, *FIRST, wants_token=False)

    assert (made.name, made.email, made.access_token) == ("first", "first@example.com", None)
    assert empty.account("first").superuser
    assert empty.services.identity.authentication.recognise("first", made.client_key).account.name == "first"
    with pytest.raises(AlreadyInitialized, match="Cannot initialize user in a non-empty database"):
        empty.services.identity.setup.initialize(secret, "second", "password-1", None, wants_token=True)


@pytest.mark.parametrize("shown", ["", "guess"])
def test_nobody_creates_the_first_user_without_the_secret(empty: Backend, shown: str) -> None:
    with pytest.raises(Denied):
        empty.services.identity.setup.initialize(shown, *FIRST, wants_token=False)
    assert all_rows(empty) == []


def test_an_installation_without_the_secret_is_closed(empty: Backend) -> None:
    services = empty.services
    with mock.patch.object(services.stores, "secrets", replace(services.stores.secrets, setup="")):
        closed = Setup(
            services.activity.usage_log,
            services.stores,
            services.accounts.accounts,
            services.identity.authorizations,
            services.security.epochs,
        )

    for shown in ("", "None"):
        with pytest.raises(Denied):
            closed.initialize(shown, *FIRST, wants_token=False)


def test_an_invalid_first_user_is_not_created(empty: Backend) -> None:
    secret = empty.services.stores.secrets.setup
    for name, password, refusal in (("A B", "password-1", NameInvalid), ("first", "short", FieldInvalid)):
        with pytest.raises(refusal):
            empty.services.identity.setup.initialize(secret, name, password, None, wants_token=False)
    assert all_rows(empty) == []


def test_of_two_first_users_at_once_one_is_created(empty: Backend) -> None:
    secret = empty.services.stores.secrets.setup

    def make(number: int) -> str:
        try:
            return empty.services.identity.setup.initialize(
                secret, f"user{number}", "password-1", None, wants_token=False
            ).name
        except RegistryError as error:
            return type(error).__name__

    with ThreadPoolExecutor(4) as pool:
        told = sorted(pool.map(make, range(4)))

    assert told[:3] == ["AlreadyInitialized"] * 3
    assert [row["name"] for row in all_rows(empty) if row.get("superuser")] == [told[3]]


def test_the_token_does_everything_for_two_and_a_half_hours_and_can_be_revoked(empty: Backend) -> None:
    made = empty.services.identity.setup.initialize(empty.services.stores.secrets.setup, *FIRST, wants_token=True)
    found = empty.services.identity.authentication.by_bearer(made.access_token or "")

    assert found is not None
    assert found.scopes == frozenset(OFFERED)
    (given,) = empty.services.identity.authorizations.of_user(empty.signed_in("first"))
    assert given.application.name == "automation"
    assert len(events(empty, "create_oauth_api_token")) == 1
    empty.clock.ahead_s += TOKEN_S + 1
    assert empty.services.identity.authentication.by_bearer(made.access_token or "") is None


def test_a_revoked_token_has_ended(empty: Backend) -> None:
    made = empty.services.identity.setup.initialize(empty.services.stores.secrets.setup, *FIRST, wants_token=True)
    first = empty.signed_in("first")
    (given,) = empty.services.identity.authorizations.of_user(first)

    empty.services.identity.authorizations.revoke_of_user(first, given.uuid)

    assert empty.services.identity.authentication.by_bearer(made.access_token or "") is None


def test_the_secret_is_one_of_the_keys(empty: Backend) -> None:
    assert len(Secrets.load(empty.settings.secrets).setup) >= 32
