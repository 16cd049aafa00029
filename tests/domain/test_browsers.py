"""What browsers may do with answers."""

import pytest

from chalicelib.domain import browsers


def test_an_answer_gets_the_protections_that_it_does_not_have_in_any_case() -> None:
    assert browsers.missing_protections([]) == {
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    assert browsers.missing_protections(["content-security-policy", "X-CONTENT-TYPE-OPTIONS"]) == {}


def test_a_page_does_what_its_directives_say_and_is_never_framed() -> None:
    headers = browsers.page_headers("script-src 'self'")

    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("address", "sources"),
    [
        ("", "'self'"),
        ("https://bot.example.com/back?x=1", "'self' https://bot.example.com"),
        ("http://localhost:8080/back", "'self' http://localhost:8080"),
        ("http://[::1]:8080/back", "'self' http:"),
        ("https://a;script-src *", "'self' https:"),
        ("https://a script-src", "'self' https:"),
        ("javascript:alert(1)", "'self'"),
    ],
)
def test_forms_lead_to_an_origin_that_cannot_add_a_directive(address: str, sources: str) -> None:
    assert browsers.form_action(address) == f"form-action {sources}"
