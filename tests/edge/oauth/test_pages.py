"""The pages of OAuth: no foreign word is HTML, no script but one, nothing is kept."""

import base64
import hashlib

from chalicelib.domain.applications import Application
from chalicelib.edge.oauth import pages

EVIL = '"><script>alert(1)</script>'


def test_no_word_of_an_application_is_html() -> None:
    application = Application("id", EVIL, EVIL, EVIL)
    page = pages.page(200, EVIL, pages.consent(application, ("repo:read",), {EVIL: EVIL}))

    assert "<script>alert" not in page.body


def test_the_only_script_is_the_one_that_the_policy_names() -> None:
    page = pages.page(200, "Token", pages.token())
    script = page.body.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()

    assert f"script-src 'sha256-{digest}'" in page.headers["Content-Security-Policy"]
    assert page.body.count("<script") == 1


def test_the_styles_are_those_that_the_policy_names() -> None:
    digest = base64.b64encode(hashlib.sha256(pages.STYLE.encode()).digest()).decode()

    assert f"style-src 'sha256-{digest}'" in pages.POLICY


def test_a_page_is_kept_by_nobody_and_framed_by_nobody() -> None:
    headers = pages.page(200, "x", "").headers

    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_why_a_sign_in_failed_is_told() -> None:
    assert "wrong &lt;b&gt;" in pages.sign_in({}, "wrong <b>")
    assert "dangerous" not in pages.sign_in({})
