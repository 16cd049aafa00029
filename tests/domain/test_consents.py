"""What OAuth's endpoints ask and answer."""

from chalicelib.domain.applications import Application
from chalicelib.domain.consents import Consent, ConsentAnswer


def test_an_outcome_leads_somewhere_only_when_it_says_so() -> None:
    assert ConsentAnswer(400, {"error": "invalid_scope"}).location == ""


def test_a_question_names_the_application_and_its_scopes() -> None:
    asked = Consent(Application("id", "acme", "bot"), ("repo:read",), is_given=False)

    assert (asked.application.name, asked.scopes) == ("bot", ("repo:read",))
