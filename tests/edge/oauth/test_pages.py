"""The pages of OAuth: foreign text is escaped, only one script runs, nothing is cached."""

import base64
import hashlib

from chalicelib.domain.applications import Application
from chalicelib.edge.oauth import pages

EVIL = '"><script>alert(1)</script>'


def test_text_of_an_application_is_escaped() -> None:
    application = Application("id", EVIL, EVIL, EVIL)
    page = pages.page(200, EVIL, pages.consent(application, ("repo:read",), {EVIL: EVIL}, pages.signed_in(EVIL, EVIL)))

    assert "<script>alert" not in page.body


def test_the_reason_of_a_refusal_is_escaped() -> None:
    assert "<script>" not in pages.refusal(EVIL)


def test_the_policy_allows_only_the_page_s_script() -> None:
    page = pages.page(200, "Token", pages.token())
    script = page.body.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()

    assert f"script-src 'sha256-{digest}'" in page.headers["Content-Security-Policy"]
    assert page.body.count("<script") == 1


def test_the_policy_allows_only_the_page_s_styles() -> None:
    digest = base64.b64encode(hashlib.sha256(pages.STYLE.encode()).digest()).decode()

    assert f"style-src 'sha256-{digest}'" in pages.page(200, "x", "").headers["Content-Security-Policy"]


def test_a_page_is_neither_cached_nor_framed() -> None:
    headers = pages.page(200, "x", "").headers

    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_forms_go_to_the_registry_and_on_to_the_address_of_the_application_only() -> None:
    leading = pages.page(200, "x", "", leads_to="https://bot.example.com/back")

    assert "; form-action 'self';" in pages.page(200, "x", "").headers["Content-Security-Policy"]
    assert "; form-action 'self' https://bot.example.com;" in leading.headers["Content-Security-Policy"]


def test_the_page_says_why_a_sign_in_failed() -> None:
    assert "wrong &lt;b&gt;" in pages.sign_in({}, "wrong <b>")
    assert "dangerous" not in pages.sign_in({})
