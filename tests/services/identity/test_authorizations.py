"""Tests the rights of OAuth tokens, who lists and revokes them, and when they end."""

import pytest

from chalicelib.domain.errors import Denied, FieldInvalid, NameUnknown, ResourceUnknown, ScopeInvalid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, Role
from chalicelib.services.identity.applications import ApplicationFields
from chalicelib.services.identity.authorizations import TokenRequest
from chalicelib.services.identity.makers import MOST_GENERATIONS
from chalicelib.storage.identity.tokens import TokenKind
from tests.support.backends import Backend
from tests.support.builders import a_repository, an_organization
from tests.support.rows import change, rows_like

APP = RepositoryName.parse("admin/app")


@pytest.fixture
def client(backend: Backend) -> str:
    an_organization(backend)
    made = backend.services.identity.applications.create(backend.signed_in("admin"), "acme", ApplicationFields("bot"))
    return made.client_id


def a_token(backend: Backend, client: str, scope: str, life_s: int | None = None) -> str:
    made = backend.services.identity.authorizations.create(
        backend.signed_in("admin"), "acme", client, TokenRequest("ci", scope, life_s)
    )
    assert made.secret is not None
    return made.secret


def acting(backend: Backend, secret: str) -> Actor:
    found = backend.services.identity.authentication.by_bearer(secret)
    assert found is not None
    return found.actor("127.0.0.1")


def test_a_token_acts_as_its_maker_within_its_scopes(backend: Backend, client: str) -> None:
    a_repository(backend)
    reader = acting(backend, a_token(backend, client, "repo:read"))

    assert reader.name == "admin"
    assert backend.services.security.access.require_role(reader, APP, Role.READ).role is Role.READ
    with pytest.raises(Denied):
        backend.services.security.access.require_role(reader, APP, Role.WRITE)
    with pytest.raises(Denied):
        backend.services.security.access.administered(reader, "acme")


def test_a_token_that_may_read_sees_that_a_repository_does_not_exist(backend: Backend, client: str) -> None:
    reader = acting(backend, a_token(backend, client, "repo:read"))

    with pytest.raises(NameUnknown):
        backend.services.security.access.require_role(reader, RepositoryName.parse("admin/none"), Role.READ)


def test_the_registry_accepts_the_token_as_the_password_of_oauthtoken(backend: Backend, client: str) -> None:
    a_repository(backend)
    secret = a_token(backend, client, "repo:read")

    token = backend.services.identity.tokens.issue(
        ("$oauthtoken", secret), None, ["repository:admin/app:pull,push"]
    ).token
    grant = backend.services.identity.tokens.believe(token).grants["admin/app"]

    assert grant.actions == {"pull"}


def test_a_secret_is_shown_once_and_stored_by_its_hash(backend: Backend, client: str) -> None:
    secret = a_token(backend, client, "repo:read")

    (listed,) = backend.services.identity.authorizations.of_application(backend.signed_in("admin"), "acme", client)
    assert listed.secret is None
    assert (listed.name, listed.scope, listed.created_by) == ("ci", "repo:read", "admin")
    assert not [row for row in rows_like(backend) if secret in str(row)]


@pytest.mark.parametrize("scope", ["", "repo:fly", "repo:read,fly"])
def test_unknown_scopes_are_refused(backend: Backend, client: str, scope: str) -> None:
    with pytest.raises(ScopeInvalid):
        a_token(backend, client, scope)


@pytest.mark.parametrize(("name", "life_s"), [("", None), (" ", None), ("x" * 256, None), ("ci", 0), ("ci", -5)])
def test_a_token_without_a_name_or_a_lifetime_is_refused(
    backend: Backend, client: str, name: str, life_s: int | None
) -> None:
    with pytest.raises(FieldInvalid):
        backend.services.identity.authorizations.create(
            backend.signed_in("admin"), "acme", client, TokenRequest(name, "repo:read", life_s)
        )


def test_a_token_ends_at_its_time_and_none_lives_for_more_than_ten_years(backend: Backend, client: str) -> None:
    short, long = a_token(backend, client, "repo:read", 60), a_token(backend, client, "repo:read", 10**12)
    unsaid = a_token(backend, client, "repo:read")
    backend.clock.ahead_s = 61

    assert backend.services.identity.authentication.by_bearer(short) is None
    assert backend.services.identity.authentication.by_bearer(long) is not None
    backend.clock.ahead_s = backend.settings.oauth_token_s + 10
    assert backend.services.identity.authentication.by_bearer(unsaid) is None
    backend.clock.ahead_s = 315_576_010
    assert backend.services.identity.authentication.by_bearer(long) is None


def test_a_token_creates_none_with_more_rights_than_its_own(backend: Backend, client: str) -> None:
    maker = acting(backend, a_token(backend, client, "org:admin repo:write"))

    made = backend.services.identity.authorizations.create(maker, "acme", client, TokenRequest("less", "repo:read"))
    assert made.secret
    with pytest.raises(Denied):
        backend.services.identity.authorizations.create(maker, "acme", client, TokenRequest("more", "repo:admin"))


def test_a_token_creates_none_that_outlives_it(backend: Backend, client: str) -> None:
    service, admin = backend.services.identity.authorizations, backend.signed_in("admin")
    maker = acting(backend, a_token(backend, client, "org:admin repo:write user:admin", 3600))
    made = service.create(maker, "acme", client, TokenRequest("child", "org:admin user:admin", 10**8))
    child = acting(backend, made.secret or "")
    grandchild = service.create(child, "acme", client, TokenRequest("grandchild", "org:admin", 10**8))
    app_token = backend.services.identity.app_tokens.create(child, "laptop", 10**8)

    for later in (made, grandchild, app_token):
        assert later.expires_at is not None
        assert later.expires_at <= backend.clock() + 3600
    service.revoke_of_user(admin, maker.token)
    for later in (made, grandchild):
        assert backend.services.identity.authentication.by_bearer(later.secret or "") is None
    assert backend.services.identity.authentication.by_token(app_token.secret or "", TokenKind.APP) is None


def test_a_token_of_another_application_ends_with_the_organization_of_its_maker(backend: Backend, client: str) -> None:
    service, admin = backend.services.identity.authorizations, backend.signed_in("admin")
    an_organization(backend, "other")
    other = backend.services.identity.applications.create(admin, "other", ApplicationFields("bot")).client_id
    maker = acting(backend, a_token(backend, client, "org:admin", 3600))
    made = service.create(maker, "other", other, TokenRequest("child", "org:admin"))
    assert acting(backend, made.secret or "")

    backend.services.identity.applications.delete(admin, "acme", client)

    assert backend.services.identity.authentication.by_bearer(made.secret or "") is None


def test_tokens_are_created_one_with_the_other_for_few_generations(backend: Backend, client: str) -> None:
    service, secret = backend.services.identity.authorizations, a_token(backend, client, "org:admin")
    for _ in range(MOST_GENERATIONS):
        request = TokenRequest("next", "org:admin")
        secret = service.create(acting(backend, secret), "acme", client, request).secret or ""

    with pytest.raises(FieldInvalid, match="use an earlier one"):
        service.create(acting(backend, secret), "acme", client, TokenRequest("next", "org:admin"))


def test_only_a_superuser_s_token_has_a_superuser_s_rights_and_others_get_the_rest(backend: Backend) -> None:
    backend.user("bob")
    an_organization(backend, "bobs", "bob")
    bob = backend.signed_in("bob")
    made = backend.services.identity.applications.create(bob, "bobs", ApplicationFields("bot"))

    service = backend.services.identity.authorizations
    token = service.create(bob, "bobs", made.client_id, TokenRequest("root", "super:user repo:read"))
    assert token.scope == "repo:read"
    identity = backend.services.identity.authentication.by_bearer(token.secret or "")
    assert identity is not None
    assert identity.scopes == frozenset(["repo:read"])
    with pytest.raises(Denied):
        service.create(bob, "bobs", made.client_id, TokenRequest("root", "super:user"))


def test_a_new_password_ends_every_token_of_its_user(backend: Backend, client: str) -> None:
    secret = a_token(backend, client, "repo:read")
    row = backend.account("admin")
    change(row, epoch=row.epoch + 1)

    assert backend.services.identity.authentication.by_bearer(secret) is None


def test_a_token_is_revoked_by_its_organization_or_by_its_user(backend: Backend, client: str) -> None:
    service, admin = backend.services.identity.authorizations, backend.signed_in("admin")
    first, second = a_token(backend, client, "repo:read"), a_token(backend, client, "repo:write")
    (newer, older) = service.of_application(admin, "acme", client)

    service.revoke_of_application(admin, "acme", client, newer.uuid)
    service.revoke_of_user(admin, older.uuid)

    assert [backend.services.identity.authentication.by_bearer(secret) for secret in (first, second)] == [None, None]
    assert service.of_application(admin, "acme", client) == []
    assert service.of_user(admin) == []
    assert rows_like(backend, "TOKEN#") == []
    for again in (
        lambda: service.revoke_of_application(admin, "acme", client, newer.uuid),
        lambda: service.revoke_of_user(admin, older.uuid),
        lambda: service.revoke_of_user(admin, ""),
    ):
        with pytest.raises(ResourceUnknown):
            again()


def test_a_user_sees_their_authorizations(backend: Backend, client: str) -> None:
    a_token(backend, client, "repo:read user:read")

    (seen,) = backend.services.identity.authorizations.of_user(backend.signed_in("admin"))
    assert (seen.application.name, seen.application.organization) == ("bot", "acme")
    assert seen.scopes == ("repo:read", "user:read")
    assert backend.services.identity.authorizations.one_of_user(backend.signed_in("admin"), seen.uuid) == seen
