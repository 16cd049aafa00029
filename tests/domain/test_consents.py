"""Consents, and the responses of OAuth's endpoints."""

from chalicelib.domain.applications import Application
from chalicelib.domain.consents import Consent, ConsentAnswer


def test_a_response_redirects_only_if_it_has_a_location() -> None:
    assert ConsentAnswer(400, {"error": "invalid_scope"}).location == ""


def test_a_consent_names_the_application_and_its_scopes() -> None:
    consent = Consent(Application("id", "acme", "bot"), ("repo:read",), is_given=False)

    assert (consent.application.name, consent.scopes) == ("bot", ("repo:read",))
