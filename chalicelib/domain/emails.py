"""E-mail addresses."""

import re

from chalicelib.domain.errors import FieldInvalid

# Enough to catch a slip; whether it exists only a mail can tell.
EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@.]+")
LONGEST = 254


def parse_email(text: str) -> str:
    """The address, if it looks like one. Raises FieldInvalid."""
    if len(text) > LONGEST or not EMAIL.fullmatch(text):
        raise FieldInvalid("email", "Invalid email address")
    return text
