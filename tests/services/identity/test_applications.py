"""OAuth applications: kept by those who administer their organization, and nobody else."""

from collections.abc import Callable

import pytest

from chalicelib.domain.errors import Denied, FieldInvalid, ResourceUnknown, Unauthenticated
from chalicelib.domain.permissions import ANONYMOUS
from chalicelib.services.identity.applications import ApplicationFields
from chalicelib.storage import keys
from chalicelib.storage.identity.applications import ClientRow
from chalicelib.storage.table import get
from tests.support.backends import House
from tests.support.builders import an_organization
from tests.support.crashes import crash_everywhere
from tests.support.rows import events, rows_like

FIELDS = ApplicationFields("bot", "https://bot.example.com/back", "https://bot.example.com", "It builds.")


@pytest.fixture
def acme(house: House) -> House:
    an_organization(house)
    return house


def test_an_application_has_an_id_and_a_secret_as_quays(acme: House) -> None:
    made = acme.services.applications.create(acme.signed_in("admin"), "acme", FIELDS)

    assert (len(made.client_id), len(made.secret or "")) == (20, 40)
    assert acme.services.applications.get(acme.signed_in("admin"), "acme", made.client_id) == made
    assert acme.services.applications.of_organization(acme.signed_in("admin"), "acme") == [made]
    assert [event["kind"] for event in events(acme, "create_application")] == ["create_application"]


def test_a_secret_is_kept_sealed_and_by_its_hash(acme: House) -> None:
    made = acme.services.applications.create(acme.signed_in("admin"), "acme", FIELDS)

    assert not [row for row in rows_like(acme) if made.secret in str(row)]


def test_everybody_may_know_of_an_application_but_not_its_secret(acme: House) -> None:
    made = acme.services.applications.create(acme.signed_in("admin"), "acme", FIELDS)

    shown = acme.services.applications.public(made.client_id)
    assert (shown.name, shown.organization, shown.secret, shown.redirect_uri) == ("bot", "acme", None, "")
    with pytest.raises(ResourceUnknown):
        acme.services.applications.public("nothing")


@pytest.mark.parametrize("address", ["ftp://x", "https://user@x", "https://x/#f", "nonsense"])
def test_a_redirect_that_is_not_safe_is_refused(acme: House, address: str) -> None:
    with pytest.raises(FieldInvalid, match="redirect_uri"):
        acme.services.applications.create(acme.signed_in("admin"), "acme", ApplicationFields("bot", address))


def test_a_token_travels_without_https_only_where_the_registry_does_too(new_house: Callable[..., House]) -> None:
    fields = ApplicationFields("bot", "http://bot.example.com/back")
    plain, safe = new_house(), new_house(url="https://registry.test")
    for house in (plain, safe):
        an_organization(house)

    made = plain.services.applications.create(plain.signed_in("admin"), "acme", fields)

    assert made.redirect_uri == fields.redirect_uri
    with pytest.raises(FieldInvalid, match="redirect_uri"):
        safe.services.applications.create(safe.signed_in("admin"), "acme", fields)


def test_an_application_is_changed_and_given_another_secret(acme: House) -> None:
    service, admin = acme.services.applications, acme.signed_in("admin")
    made = service.create(admin, "acme", FIELDS)

    changed = service.change(admin, "acme", made.client_id, ApplicationFields("robot"))
    reset = service.reset_secret(admin, "acme", made.client_id)

    assert (changed.name, changed.description, changed.secret) == ("robot", "", made.secret)
    assert reset.secret not in (None, made.secret)
    assert service.public(made.client_id).name == "robot"


def test_a_deleted_application_is_gone_with_its_tokens(acme: House) -> None:
    service, admin = acme.services.applications, acme.signed_in("admin")
    made = service.create(admin, "acme", FIELDS)
    token = acme.services.authorizations.create(admin, "acme", made.client_id, "ci", "repo:read", None)
    assert acme.services.doors.by_bearer(token.secret or "") is not None

    service.delete(admin, "acme", made.client_id)

    assert acme.services.doors.by_bearer(token.secret or "") is None
    assert rows_like(acme, "A#", "TOKEN#oauth") == []
    with pytest.raises(ResourceUnknown):
        service.delete(admin, "acme", made.client_id)


STEPS: dict[str, Callable[[House, str], object]] = {
    "list": lambda house, name: house.services.applications.of_organization(house.signed_in(name), "acme"),
    "create": lambda house, name: house.services.applications.create(house.signed_in(name), "acme", FIELDS),
    "get": lambda house, name: house.services.applications.get(house.signed_in(name), "acme", "x"),
    "change": lambda house, name: house.services.applications.change(house.signed_in(name), "acme", "x", FIELDS),
    "reset": lambda house, name: house.services.applications.reset_secret(house.signed_in(name), "acme", "x"),
    "delete": lambda house, name: house.services.applications.delete(house.signed_in(name), "acme", "x"),
}


@pytest.mark.parametrize("step", STEPS)
def test_who_does_not_administer_the_organization_is_refused(acme: House, step: str) -> None:
    acme.user("bob")

    with pytest.raises(Denied):
        STEPS[step](acme, "bob")


def test_nobody_is_asked_to_sign_in(acme: House) -> None:
    with pytest.raises(Unauthenticated):
        acme.services.applications.of_organization(ANONYMOUS, "acme")


def test_an_application_of_another_organization_is_not_found_here(acme: House) -> None:
    admin = acme.signed_in("admin")
    an_organization(acme, "other")
    made = acme.services.applications.create(admin, "other", FIELDS)

    with pytest.raises(ResourceUnknown):
        acme.services.applications.get(admin, "acme", made.client_id)
    with pytest.raises(ResourceUnknown):
        acme.services.authorizations.create(admin, "acme", made.client_id, "ci", "repo:read", None)


def test_a_crash_in_a_deletion_leaves_no_token_that_is_believed(acme: House) -> None:
    admin, service = acme.signed_in("admin"), acme.services.applications

    def prepare(_: int) -> Callable[[], object]:
        made = service.create(admin, "acme", FIELDS)
        token = acme.services.authorizations.create(admin, "acme", made.client_id, "ci", "repo:read", None)

        def operation() -> None:
            if get(ClientRow, keys.client(made.client_id)) is not None:
                service.delete(admin, "acme", made.client_id)
            assert acme.services.doors.by_bearer(token.secret or "") is None

        return operation

    assert crash_everywhere(acme, prepare) >= 3
