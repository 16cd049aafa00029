"""Redirect addresses of applications."""

import pytest

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.redirects import parse_redirect


@pytest.mark.parametrize(
    "address",
    ["https://a.example/back", "https://a.example", "https://a.example:8443/x?y=z", "http://localhost:9000/back",
     "http://127.0.0.1/back", "http://[::1]:80/back"],
)  # fmt: skip
def test_https_and_the_users_own_machine_are_accepted(address: str) -> None:
    assert parse_redirect(address) == address


@pytest.mark.parametrize(
    "address",
    ["", "a.example/back", "http://a.example/back", "ftp://a.example", "https://", "https://user@a.example",
     "https://a.example/#token", "https://a.example\\@evil", "javascript:alert(1)", "https://a.example:port",
     "https://" + "a" * 2000, "http://localhost.evil.example", "https://a.example/b\r\nSet-Cookie: c=d", "https://a.example/\x00",
     "https://a.example/\x7f", "https://a.example/a b", " https://a.example/", "https://a.example/\u00fc",
     "https://\u0430.example/", "https://a.example/\u202e", "https://a\t.example/"],
)  # fmt: skip
def test_any_other_address_is_refused_and_the_form_is_named(address: str) -> None:
    with pytest.raises(FieldInvalid, match="redirect_uri"):
        parse_redirect(address)


def test_a_registry_without_https_accepts_http_to_any_host() -> None:
    assert parse_redirect("http://a.example/back", is_plain=True) == "http://a.example/back"
    for address in ("ftp://a.example", "http://user@a.example", "http://a.example/#token"):
        with pytest.raises(FieldInvalid, match="redirect_uri"):
            parse_redirect(address, is_plain=True)
