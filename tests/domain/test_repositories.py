"""Repositories."""

import pytest

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.repositories import LONGEST_DESCRIPTION, parse_description


def test_a_description_has_an_end() -> None:
    assert parse_description("x" * LONGEST_DESCRIPTION) == "x" * LONGEST_DESCRIPTION
    with pytest.raises(FieldInvalid) as refused:
        parse_description("x" * (LONGEST_DESCRIPTION + 1))
    assert refused.value.field == "description"
