"""E-mail addresses: what looks like one."""

import pytest

from chalicelib.domain.emails import parse_any_email, parse_email
from chalicelib.domain.errors import FieldInvalid


@pytest.mark.parametrize("text", ["a@b.c", "first.last+tag@sub.example.com", "\u00fc@example.com"])
def test_what_looks_like_an_address_is_one(text: str) -> None:
    assert parse_email(text) == text


@pytest.mark.parametrize("text", ["", "nonsense", "a@b", "a b@c.d", "a@b.", "@b.c", "a@@b.c", "a@" + "b" * 260 + ".c"])
def test_anything_else_is_refused_by_its_field(text: str) -> None:
    with pytest.raises(FieldInvalid) as refused:
        parse_email(text)

    assert refused.value.field == "email"


@pytest.mark.parametrize("text", ["a@b.c", "nonsense", "root@localhost", "\u00fc@example.com", "a" * 254])
def test_what_is_told_of_a_user_is_any_word(text: str) -> None:
    assert parse_any_email(text) == text


@pytest.mark.parametrize("text", ["", "a b", "a@b.c\r\nBcc: d@e.f", "a\u00a0b", "a\u202eb", "a\x00b", "a" * 255])
def test_no_address_breaks_the_header_of_a_mail(text: str) -> None:
    with pytest.raises(FieldInvalid) as refused:
        parse_any_email(text)

    assert refused.value.field == "email"
