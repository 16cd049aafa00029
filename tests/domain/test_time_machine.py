"""The Time Machine's window: one of five options."""

import pytest

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.time_machine import OPTIONS, parse_window


@pytest.mark.parametrize("seconds", OPTIONS.values())
def test_each_option_is_accepted(seconds: int) -> None:
    assert parse_window(seconds) == seconds


@pytest.mark.parametrize("seconds", [-1, 1, 3600, 10**9])
def test_any_other_window_is_refused_with_quays_message(seconds: int) -> None:
    with pytest.raises(FieldInvalid, match=r"^Invalid tag expiration option$"):
        parse_window(seconds)
