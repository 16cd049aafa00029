"""Tests that only admins of an organization manage its OAuth applications."""

from collections.abc import Callable

import pytest

from chalicelib.domain.errors import Denied, FieldInvalid, ResourceUnknown, Unauthenticated
from chalicelib.domain.permissions import ANONYMOUS
from chalicelib.services.identity.applications import ApplicationFields
from chalicelib.services.identity.authorizations import TokenRequest
from chalicelib.storage import keys
from chalicelib.storage.identity.applications import ClientRow
from chalicelib.storage.table import get
from tests.support.backends import Backend
from tests.support.builders import an_organization
from tests.support.crashes import crash_everywhere
from tests.support.rows import events, rows_like

FIELDS = ApplicationFields("bot", "https://bot.example.com/back", "https://bot.example.com", "It builds.")


@pytest.fixture
def acme(backend: Backend) -> Backend:
    an_organization(backend)
    return backend


def test_an_application_has_an_id_and_a_secret_in_quays_form(acme: Backend) -> None:
    made = acme.services.identity.applications.create(acme.signed_in("admin"), "acme", FIELDS)

    assert (len(made.client_id), len(made.secret or "")) == (20, 40)
    assert acme.services.identity.applications.get(acme.signed_in("admin"), "acme", made.client_id) == made
    assert acme.services.identity.applications.of_organization(acme.signed_in("admin"), "acme") == [made]
    assert [event["kind"] for event in events(acme, "create_application")] == ["create_application"]


def test_a_secret_is_stored_sealed_and_by_its_hash(acme: Backend) -> None:
    made = acme.services.identity.applications.create(acme.signed_in("admin"), "acme", FIELDS)

    assert not [row for row in rows_like(acme) if made.secret in str(row)]


def test_an_application_is_public_except_for_its_secret(acme: Backend) -> None:
    made = acme.services.identity.applications.create(acme.signed_in("admin"), "acme", FIELDS)

    shown = acme.services.identity.applications.public(made.client_id)
    assert (shown.name, shown.organization, shown.secret, shown.redirect_uri) == ("bot", "acme", None, "")
    with pytest.raises(ResourceUnknown):
        acme.services.identity.applications.public("nothing")


@pytest.mark.parametrize("address", ["ftp://x", "https://user@x", "https://x/#f", "nonsense"])
def test_an_unsafe_redirect_uri_is_refused(acme: Backend, address: str) -> None:
    with pytest.raises(FieldInvalid, match="redirect_uri"):
        acme.services.identity.applications.create(acme.signed_in("admin"), "acme", ApplicationFields("bot", address))


def test_a_redirect_uri_without_https_needs_a_registry_without_https(new_backend: Callable[..., Backend]) -> None:
    fields = ApplicationFields("bot", "http://bot.example.com/back")
    plain, safe = new_backend(), new_backend(url="https://registry.test")
    for backend in (plain, safe):
        an_organization(backend)

    made = plain.services.identity.applications.create(plain.signed_in("admin"), "acme", fields)

    assert made.redirect_uri == fields.redirect_uri
    with pytest.raises(FieldInvalid, match="redirect_uri"):
        safe.services.identity.applications.create(safe.signed_in("admin"), "acme", fields)


def test_an_application_is_changed_and_gets_a_new_secret(acme: Backend) -> None:
    service, admin = acme.services.identity.applications, acme.signed_in("admin")
    made = service.create(admin, "acme", FIELDS)

    changed = service.change(admin, "acme", made.client_id, ApplicationFields("robot"))
    reset = service.reset_secret(admin, "acme", made.client_id)

    assert (changed.name, changed.description, changed.secret) == ("robot", "", made.secret)
    assert reset.secret not in (None, made.secret)
    assert service.public(made.client_id).name == "robot"


def test_a_deleted_application_is_gone_with_its_tokens(acme: Backend) -> None:
    service, admin = acme.services.identity.applications, acme.signed_in("admin")
    made = service.create(admin, "acme", FIELDS)
    token = acme.services.identity.authorizations.create(admin, "acme", made.client_id, TokenRequest("ci", "repo:read"))
    assert acme.services.identity.authentication.by_bearer(token.secret or "") is not None

    service.delete(admin, "acme", made.client_id)

    assert acme.services.identity.authentication.by_bearer(token.secret or "") is None
    assert rows_like(acme, "A#", "TOKEN#oauth") == []
    with pytest.raises(ResourceUnknown):
        service.delete(admin, "acme", made.client_id)


STEPS: dict[str, Callable[[Backend, str], object]] = {
    "list": lambda backend, name: backend.services.identity.applications.of_organization(
        backend.signed_in(name), "acme"
    ),
    "create": lambda backend, name: backend.services.identity.applications.create(
        backend.signed_in(name), "acme", FIELDS
    ),
    "get": lambda backend, name: backend.services.identity.applications.get(backend.signed_in(name), "acme", "x"),
    "change": lambda backend, name: backend.services.identity.applications.change(
        backend.signed_in(name), "acme", "x", FIELDS
    ),
    "reset": lambda backend, name: backend.services.identity.applications.reset_secret(
        backend.signed_in(name), "acme", "x"
    ),
    "delete": lambda backend, name: backend.services.identity.applications.delete(backend.signed_in(name), "acme", "x"),
}


@pytest.mark.parametrize("step", STEPS)
def test_an_actor_who_is_no_admin_of_the_organization_is_refused(acme: Backend, step: str) -> None:
    acme.user("bob")

    with pytest.raises(Denied):
        STEPS[step](acme, "bob")


def test_an_anonymous_caller_is_asked_to_sign_in(acme: Backend) -> None:
    with pytest.raises(Unauthenticated):
        acme.services.identity.applications.of_organization(ANONYMOUS, "acme")


def test_an_application_of_another_organization_is_not_found_here(acme: Backend) -> None:
    admin = acme.signed_in("admin")
    an_organization(acme, "other")
    made = acme.services.identity.applications.create(admin, "other", FIELDS)

    with pytest.raises(ResourceUnknown):
        acme.services.identity.applications.get(admin, "acme", made.client_id)
    with pytest.raises(ResourceUnknown):
        acme.services.identity.authorizations.create(admin, "acme", made.client_id, TokenRequest("ci", "repo:read"))


def test_a_crash_during_deletion_leaves_no_valid_token(acme: Backend) -> None:
    admin, service = acme.signed_in("admin"), acme.services.identity.applications

    def prepare(_: int) -> Callable[[], object]:
        made = service.create(admin, "acme", FIELDS)
        token = acme.services.identity.authorizations.create(
            admin, "acme", made.client_id, TokenRequest("ci", "repo:read")
        )

        def operation() -> None:
            if get(ClientRow, keys.client(made.client_id)) is not None:
                service.delete(admin, "acme", made.client_id)
            assert acme.services.identity.authentication.by_bearer(token.secret or "") is None

        return operation

    assert crash_everywhere(acme, prepare) >= 3
