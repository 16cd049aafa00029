"""How long tags live."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.tags import FOREVER, SECONDS, end_of, is_alive, parse_expiry


@pytest.mark.parametrize(
    ("label", "seconds"),
    [
        ("1s", 1),
        ("90s", 90),
        ("5m", 300),
        ("2h", 7200),
        ("1d", 86400),
        ("2w", 1209600),
        (" 2w ", 1209600),
        ("2W", 1209600),
        ("007d", 604800),
        ("1y", 31536000),
    ],
)
def test_a_label_of_number_and_unit_states_that_many_seconds(label: str, seconds: int) -> None:
    assert parse_expiry(label) == seconds


@pytest.mark.parametrize(
    "label",
    [
        None,
        "",
        " ",
        "0d",
        "00s",
        "-1d",
        "+1d",
        "1",
        "d",
        "1 d",
        "1.5d",
        "1d1h",
        "1dd",
        "never",
        "\u0661d",
        "\u00b2d",
        "1d\x00",
        "9999999999d",
        "9" * 5000 + "d",
    ],
)
def test_a_malformed_label_counts_as_none(label: str | None) -> None:
    assert parse_expiry(label) is None


@given(st.text(max_size=14))
def test_no_label_raises_an_error_or_states_zero_seconds(label: str) -> None:
    seconds = parse_expiry(label)

    assert seconds is None or seconds > 0


@given(st.integers(1, 999_999_999), st.sampled_from(sorted(SECONDS)))
def test_every_period_is_its_number_times_its_unit(number: int, unit: str) -> None:
    assert parse_expiry(f"{number}{unit}") == number * SECONDS[unit]


def test_a_tag_without_an_end_is_always_alive() -> None:
    assert is_alive(None, 1e12)
    assert end_of(None) == FOREVER


def test_a_tag_is_not_alive_exactly_at_its_end() -> None:
    assert is_alive(100, 99.9)
    assert not is_alive(100, 100)


def test_every_end_can_be_compared_with_forever() -> None:
    last = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)

    assert end_of(100) == 100
    assert last.timestamp() == FOREVER
