"""Offers of tokens: made by who administers the application, taken once by whom they are for."""

import pytest

from chalicelib.domain.consents import Consent
from chalicelib.domain.errors import Denied, FieldInvalid, ResourceUnknown, ScopeInvalid, Unauthenticated
from chalicelib.domain.permissions import ANONYMOUS
from chalicelib.services.identity.applications import ApplicationFields
from chalicelib.services.identity.assignments import MOST
from tests.support.backends import House
from tests.support.builders import an_organization
from tests.support.rows import events

BACK = "https://bot.example.com/back"
Asked = dict[str, str]


@pytest.fixture
def asked(house: House) -> Asked:
    """What an application of acme asks for; bob is a user outside of acme."""
    an_organization(house)
    house.user("bob")
    made = house.services.applications.create(house.signed_in("admin"), "acme", ApplicationFields("bot", BACK))
    return {"client_id": made.client_id, "redirect_uri": BACK, "scope": "repo:read", "response_type": "token"}


def offered(house: House, asked: Asked) -> Asked:
    """The question with the offer that bob was made."""
    house.services.assignments.assign(house.signed_in("admin"), asked, "bob")
    (offer,) = house.services.assignments.of_oneself(house.signed_in("bob"))
    return {**asked, "assignment_uuid": offer.uuid}


def test_who_was_offered_a_token_may_answer_and_nobody_else(house: House, asked: Asked) -> None:
    house.user("carol")
    question = offered(house, asked)

    consent = house.services.oauth.consider(house.signed_in("bob"), question)
    assert isinstance(consent, Consent)
    assert not consent.is_given
    for name, other in (("carol", question), ("bob", asked), ("bob", {**question, "scope": "repo:write"})):
        with pytest.raises(Denied):
            house.services.oauth.consider(house.signed_in(name), other)
    (event,) = events(house, "oauth_token_assigned")
    assert event["performer"] == "admin"


@pytest.mark.parametrize("kind", ["token", "code"])
def test_an_offer_is_taken_once_and_the_token_is_the_users(house: House, asked: Asked, kind: str) -> None:
    question = offered(house, {**asked, "response_type": kind})
    bob = house.signed_in("bob")

    outcome = house.services.oauth.decide(bob, question, allow=True)

    assert ("access_token=" if kind == "token" else "code=") in outcome.location
    assert house.services.assignments.of_oneself(bob) == []
    with pytest.raises(Denied):
        house.services.oauth.decide(bob, question, allow=True)
    given = [row.owner_id for row in house.services._applications.tokens_of_user(bob.account_id or "")]
    assert given == ([bob.account_id] if kind == "token" else [])


def test_a_no_leaves_the_offer(house: House, asked: Asked) -> None:
    bob, question = house.signed_in("bob"), offered(house, asked)

    house.services.oauth.decide(bob, question, allow=False)

    assert len(house.services.assignments.of_oneself(bob)) == 1


def test_an_offer_is_declined_by_whom_it_is_for(house: House, asked: Asked) -> None:
    uuid = offered(house, asked)["assignment_uuid"]

    with pytest.raises(ResourceUnknown):
        house.services.assignments.decline(house.signed_in("admin"), uuid)
    house.services.assignments.decline(house.signed_in("bob"), uuid)
    with pytest.raises(ResourceUnknown):
        house.services.assignments.decline(house.signed_in("bob"), uuid)


def test_an_offer_goes_with_its_application(house: House, asked: Asked) -> None:
    offered(house, asked)
    house.services.applications.delete(house.signed_in("admin"), "acme", asked["client_id"])

    assert house.services.assignments.of_oneself(house.signed_in("bob")) == []


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
def test_an_offer_that_cannot_be_taken_is_not_made(
    house: House, asked: Asked, change: Asked, name: str, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        house.services.assignments.assign(house.signed_in("admin"), asked | change, name)


def test_who_does_not_administer_the_application_offers_nothing(house: House, asked: Asked) -> None:
    with pytest.raises(Denied):
        house.services.assignments.assign(house.signed_in("bob"), asked, "admin")
    with pytest.raises(Unauthenticated):
        house.services.assignments.assign(ANONYMOUS, asked, "admin")


def test_nobody_drowns_in_offers(house: House, asked: Asked) -> None:
    for _ in range(MOST):
        house.services.assignments.assign(house.signed_in("admin"), asked, "bob")

    with pytest.raises(FieldInvalid, match="wait for this user"):
        house.services.assignments.assign(house.signed_in("admin"), asked, "bob")
