"""Applications and tokens as they are shown."""

from chalicelib.domain.applications import Application, Authorization, Token


def test_what_is_not_told_has_no_secret() -> None:
    assert Application("id", "acme", "bot").secret is None
    assert Token("uuid", "repo:read").secret is None


def test_an_authorization_names_its_application() -> None:
    given = Authorization("uuid", Application("id", "acme", "bot"), ("repo:read",))

    assert (given.application.organization, given.scopes) == ("acme", ("repo:read",))
