"""An assignment answers exactly one authorization request."""

import pytest

from chalicelib.domain.applications import Application
from chalicelib.domain.assignments import Assignment

OFFER = Assignment(
    "6b4e", Application("C1", "acme", "bot"), "https://bot.example.com", ("repo:read", "user:read"), "code"
)
ASKED = {
    "client_id": "C1",
    "redirect_uri": "https://bot.example.com",
    "scope": "user:read repo:read",
    "response_type": "code",
}


def test_an_assignment_answers_the_request_that_it_was_made_for() -> None:
    assert OFFER.answers(ASKED)


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "C2"},
        {"redirect_uri": "https://bot.example.com/x"},
        {"response_type": "token"},
        {"scope": "repo:read"},
        {"scope": "repo:read user:read repo:write"},
        {"scope": "nonsense"},
        {"scope": ""},
    ],
)
def test_an_assignment_answers_no_other_request(change: dict[str, str]) -> None:
    assert not OFFER.answers(ASKED | change)
