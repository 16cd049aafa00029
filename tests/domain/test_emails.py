"""E-mail addresses: what looks like one."""

import pytest

from chalicelib.domain.emails import parse_email
from chalicelib.domain.errors import FieldInvalid


@pytest.mark.parametrize("text", ["a@b.c", "first.last+tag@sub.example.com", "\u00fc@example.com"])
def test_what_looks_like_an_address_is_one(text: str) -> None:
    assert parse_email(text) == text


@pytest.mark.parametrize("text", ["", "nonsense", "a@b", "a b@c.d", "a@b.", "@b.c", "a@@b.c", "a@" + "b" * 260 + ".c"])
def test_anything_else_is_refused_by_its_field(text: str) -> None:
    with pytest.raises(FieldInvalid) as refused:
        parse_email(text)

    assert refused.value.field == "email"
