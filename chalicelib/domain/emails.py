"""E-mail addresses."""

import re

from chalicelib.domain.errors import EmailInvalid

# This catches typing errors; only a mail can prove that an address exists.
EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@.]+")
LONGEST = 254


def parse_any_email(text: str) -> str:
    """Returns the address without checking its form, as Quay does where no mail is sent.

    Raises EmailInvalid for what a mail's header cannot hold: blanks, control characters, or too many characters.
    """
    if not 0 < len(text) <= LONGEST or not text.isprintable() or " " in text:
        raise EmailInvalid("email")
    return text


def parse_email(text: str, field: str = "email") -> str:
    """Returns the address if it has the form of one. Raises EmailInvalid, naming `field`."""
    if len(text) > LONGEST or not EMAIL.fullmatch(text):
        raise EmailInvalid(field)
    return text
