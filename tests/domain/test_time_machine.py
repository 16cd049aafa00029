"""The Time Machine's window: one of five."""

import pytest

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.time_machine import OPTIONS, parse_window


@pytest.mark.parametrize("seconds", OPTIONS.values())
def test_each_option_is_taken(seconds: int) -> None:
    assert parse_window(seconds) == seconds


@pytest.mark.parametrize("seconds", [-1, 1, 3600, 10**9])
def test_anything_else_is_refused_in_quays_words(seconds: int) -> None:
    with pytest.raises(FieldInvalid, match=r"^Invalid tag expiration option$"):
        parse_window(seconds)
