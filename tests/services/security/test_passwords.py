"""Tests argon2id with OWASP's parameters, and the form of passwords."""

import pytest

from chalicelib.domain.errors import FieldInvalid
from chalicelib.services.security.passwords import NOBODY, check_password, hash_password, verify_password


def test_a_password_is_hashed_with_argon2id_as_owasp_asks() -> None:
    encoded = hash_password("password")

    assert encoded.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert verify_password("password", encoded)
    assert not verify_password("Password", encoded)


def test_two_hashes_of_one_password_differ() -> None:
    assert hash_password("password") != hash_password("password")


@pytest.mark.parametrize("password", ["", "\x00", "p\u00e4ssw\u00f6rd", "x" * 10_000, "\U0001f600"])
def test_any_text_can_be_hashed_as_a_password(password: str) -> None:
    assert verify_password(password, hash_password(password))
    assert not verify_password(password + "x", hash_password(password))


@pytest.mark.parametrize("password", ["", "password", "\x00"])
def test_the_hash_for_unknown_names_has_the_usual_form_and_fits_no_password(password: str) -> None:
    assert NOBODY.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert not verify_password(password, NOBODY)
    assert not verify_password(password, None)


@pytest.mark.parametrize("password", ["12345678", "correct-horse", "x" * 1024])
def test_eight_characters_without_white_space_are_accepted(password: str) -> None:
    check_password(password)


@pytest.mark.parametrize("password", ["", "short", "has white space", "tab\tinside", "x" * 1025])
def test_any_other_password_is_refused_in_quays_words(password: str) -> None:
    with pytest.raises(FieldInvalid, match="at least 8 characters and contain no whitespace"):
        check_password(password)
