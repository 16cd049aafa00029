"""Applications and tokens as the API describes them."""

from chalicelib.domain.applications import Application, Authorization, Token


def test_an_application_has_no_secret_by_default() -> None:
    assert Application("id", "acme", "bot").secret is None
    assert Token("uuid", "repo:read").secret is None


def test_an_authorization_names_its_application() -> None:
    given = Authorization("uuid", Application("id", "acme", "bot"), ("repo:read",))

    assert (given.application.organization, given.scopes) == ("acme", ("repo:read",))
