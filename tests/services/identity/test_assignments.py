"""Tests that admins of an application offer tokens, which their users take once."""

import pytest

from chalicelib.domain.consents import Consent
from chalicelib.domain.errors import Denied, FieldInvalid, ResourceUnknown, ScopeInvalid, Unauthenticated
from chalicelib.domain.permissions import ANONYMOUS
from chalicelib.services.identity.applications import ApplicationFields
from chalicelib.services.identity.assignments import MOST
from tests.support.backends import Backend
from tests.support.builders import an_organization
from tests.support.rows import events

BACK = "https://bot.example.com/back"
Asked = dict[str, str]


@pytest.fixture
def asked(backend: Backend) -> Asked:
    """Returns the parameters of an application of acme; bob is no member of acme."""
    an_organization(backend)
    backend.user("bob")
    made = backend.services.identity.applications.create(
        backend.signed_in("admin"), "acme", ApplicationFields("bot", BACK)
    )
    return {"client_id": made.client_id, "redirect_uri": BACK, "scope": "repo:read", "response_type": "token"}


def offered(backend: Backend, asked: Asked) -> Asked:
    """Returns the parameters with the id of bob's offer."""
    backend.services.identity.assignments.assign(backend.signed_in("admin"), asked, "bob")
    (offer,) = backend.services.identity.assignments.of_oneself(backend.signed_in("bob"))
    return {**asked, "assignment_uuid": offer.uuid}


def test_only_the_user_of_an_offer_may_authorize_the_application(backend: Backend, asked: Asked) -> None:
    backend.user("carol")
    question = offered(backend, asked)

    consent = backend.services.identity.oauth.consider(backend.signed_in("bob"), question)
    assert isinstance(consent, Consent)
    assert not consent.is_given
    for name, other in (("carol", question), ("bob", asked), ("bob", {**question, "scope": "repo:write"})):
        with pytest.raises(Denied):
            backend.services.identity.oauth.consider(backend.signed_in(name), other)
    (event,) = events(backend, "oauth_token_assigned")
    assert event["performer"] == "admin"


@pytest.mark.parametrize("kind", ["token", "code"])
def test_an_offer_is_used_once_and_the_token_acts_as_the_user(backend: Backend, asked: Asked, kind: str) -> None:
    question = offered(backend, {**asked, "response_type": kind})
    bob = backend.signed_in("bob")

    outcome = backend.services.identity.oauth.decide(bob, question, allow=True)

    assert ("access_token=" if kind == "token" else "code=") in outcome.location
    assert backend.services.identity.assignments.of_oneself(bob) == []
    with pytest.raises(Denied):
        backend.services.identity.oauth.decide(bob, question, allow=True)
    given = [row.owner_id for row in backend.services.stores.applications.tokens_of_user(bob.account_id or "")]
    assert given == ([bob.account_id] if kind == "token" else [])


def test_refusing_the_consent_keeps_the_offer(backend: Backend, asked: Asked) -> None:
    bob, question = backend.signed_in("bob"), offered(backend, asked)

    backend.services.identity.oauth.decide(bob, question, allow=False)

    assert len(backend.services.identity.assignments.of_oneself(bob)) == 1


def test_an_offer_is_declined_by_its_user_only(backend: Backend, asked: Asked) -> None:
    uuid = offered(backend, asked)["assignment_uuid"]

    with pytest.raises(ResourceUnknown):
        backend.services.identity.assignments.decline(backend.signed_in("admin"), uuid)
    backend.services.identity.assignments.decline(backend.signed_in("bob"), uuid)
    with pytest.raises(ResourceUnknown):
        backend.services.identity.assignments.decline(backend.signed_in("bob"), uuid)


def test_an_offer_is_removed_with_its_application(backend: Backend, asked: Asked) -> None:
    offered(backend, asked)
    backend.services.identity.applications.delete(backend.signed_in("admin"), "acme", asked["client_id"])

    assert backend.services.identity.assignments.of_oneself(backend.signed_in("bob")) == []


@pytest.mark.parametrize(
    ("change", "name", "refusal"),
    [
        ({"redirect_uri": "https://elsewhere.example.com"}, "bob", FieldInvalid),
        ({"redirect_uri": ""}, "bob", FieldInvalid),
        ({"response_type": "magic"}, "bob", FieldInvalid),
        ({"scope": "nonsense"}, "bob", ScopeInvalid),
        ({"client_id": "none"}, "bob", ResourceUnknown),
        ({}, "nobody", FieldInvalid),
        ({}, "acme", FieldInvalid),
    ],
)
def test_an_invalid_offer_is_not_created(
    backend: Backend, asked: Asked, change: Asked, name: str, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        backend.services.identity.assignments.assign(backend.signed_in("admin"), asked | change, name)


def test_an_actor_who_is_no_admin_of_the_application_offers_nothing(backend: Backend, asked: Asked) -> None:
    with pytest.raises(Denied):
        backend.services.identity.assignments.assign(backend.signed_in("bob"), asked, "admin")
    with pytest.raises(Unauthenticated):
        backend.services.identity.assignments.assign(ANONYMOUS, asked, "admin")


def test_a_user_has_a_limited_number_of_offers(backend: Backend, asked: Asked) -> None:
    for _ in range(MOST):
        backend.services.identity.assignments.assign(backend.signed_in("admin"), asked, "bob")

    with pytest.raises(FieldInvalid, match="wait for this user"):
        backend.services.identity.assignments.assign(backend.signed_in("admin"), asked, "bob")
