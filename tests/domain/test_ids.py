"""ULIDs."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.ids import ALPHABET, is_ulid, made_at, ulid

LAST = 2**48 / 1000 - 1


def test_a_new_ulid_has_the_form_and_the_time_of_now() -> None:
    identifier = ulid()

    assert is_ulid(identifier)
    assert abs(made_at(identifier) - time.time()) < 5


def test_a_thousand_ulids_all_differ() -> None:
    assert len({ulid(1.0) for _ in range(1000)}) == 1000


@given(st.floats(0, LAST), st.floats(0, LAST))
def test_ulids_sort_by_the_millisecond_of_their_creation(first: float, second: float) -> None:
    early, late = sorted([first, second])

    assert abs(made_at(ulid(early)) - early) <= 0.001
    if int(early * 1000) < int(late * 1000):
        assert ulid(early) < ulid(late)


def test_the_specifications_own_example_has_its_time() -> None:
    """https://github.com/ulid/spec: 01ARYZ6S41TSV4RRFFQ69G5FAV was made at 1469918176385 ms."""
    assert made_at("01ARYZ6S41TSV4RRFFQ69G5FAV") == 1469918176.385
    assert ulid(1469918176.385).startswith("01ARYZ6S41")


@pytest.mark.parametrize("text", ["", "0" * 25, "0" * 27, "I" * 26, "u" * 26, "0" * 25 + "\n", "0" * 25 + "."])
def test_a_text_of_another_form_is_no_ulid(text: str) -> None:
    assert not is_ulid(text)


@given(st.text(alphabet=ALPHABET, min_size=26, max_size=26))
def test_every_text_of_the_alphabet_and_length_is_a_ulid(text: str) -> None:
    assert is_ulid(text)
