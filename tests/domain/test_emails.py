"""E-mail addresses: their form."""

import pytest

from chalicelib.domain.emails import parse_any_email, parse_email
from chalicelib.domain.errors import FieldInvalid


@pytest.mark.parametrize("text", ["a@b.c", "first.last+tag@sub.example.com", "\u00fc@example.com"])
def test_a_text_with_the_form_of_an_address_is_accepted(text: str) -> None:
    assert parse_email(text) == text


@pytest.mark.parametrize("text", ["", "nonsense", "a@b", "a b@c.d", "a@b.", "@b.c", "a@@b.c", "a@" + "b" * 260 + ".c"])
def test_any_other_text_is_refused_and_the_field_is_named(text: str) -> None:
    with pytest.raises(FieldInvalid) as refused:
        parse_email(text)

    assert (refused.value.field, str(refused.value)) == ("email", "Invalid email address")


@pytest.mark.parametrize("text", ["a@b.c", "nonsense", "root@localhost", "\u00fc@example.com", "a" * 254])
def test_an_unchecked_address_may_be_any_word(text: str) -> None:
    assert parse_any_email(text) == text


@pytest.mark.parametrize("text", ["", "a b", "a@b.c\r\nBcc: d@e.f", "a\u00a0b", "a\u202eb", "a\x00b", "a" * 255])
def test_an_address_that_cannot_stand_in_a_mails_header_is_refused(text: str) -> None:
    with pytest.raises(FieldInvalid) as refused:
        parse_any_email(text)

    assert refused.value.field == "email"
