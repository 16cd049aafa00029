"""Sizes of pages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.errors import PageInvalid
from chalicelib.domain.pages import LARGEST_PAGE, Page, parse_page_size


def test_a_page_has_the_largest_size_by_default() -> None:
    assert parse_page_size(None) == LARGEST_PAGE


@given(st.integers(0, 10**30))
def test_a_page_has_the_requested_size_up_to_the_largest(number: int) -> None:
    assert parse_page_size(str(number)) == min(number, LARGEST_PAGE)


@pytest.mark.parametrize("text", ["007", "0000000000001", "00000000000000000000"])
def test_leading_zeros_change_nothing(text: str) -> None:
    assert parse_page_size(text) == int(text)


@pytest.mark.parametrize(
    "text", ["", " ", "-1", "+1", "1.0", "1e3", "0x10", "ten", "\u0661", "\u00b2", "1 ", "1\n", "1,2"]
)
def test_a_text_that_is_not_a_number_from_0_up_is_refused(text: str) -> None:
    with pytest.raises(PageInvalid, match="n is a number from 0 up"):
        parse_page_size(text)


def test_very_many_digits_are_parsed_quickly() -> None:
    assert parse_page_size("9" * 1_000_000) == LARGEST_PAGE


def test_a_page_is_the_last_one_by_default() -> None:
    assert not Page(["a"]).more
