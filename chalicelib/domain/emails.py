"""E-mail addresses."""

import re

from chalicelib.domain.errors import FieldInvalid

# Enough to catch a slip; whether it exists only a mail can tell.
EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@.]+")
LONGEST = 254


def parse_told(text: str) -> str:
    """The address that somebody tells of a user, one word of any look, as Quay takes it where no mail is sent.

    Raises FieldInvalid for what a mail's header could not bear: blanks, control characters, too many of any.
    """
    if not 0 < len(text) <= LONGEST or not text.isprintable() or " " in text:
        raise FieldInvalid("email", "Invalid email address")
    return text


def parse_email(text: str, field: str = "email") -> str:
    """The address, if it looks like one. Raises FieldInvalid, naming the field that it stands in."""
    if len(text) > LONGEST or not EMAIL.fullmatch(text):
        raise FieldInvalid(field, "Invalid email address")
    return text
