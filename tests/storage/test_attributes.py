"""Attributes: values are read as they were written, and missing ones are None."""

from typing import Any

import pytest
from pynamodb.attributes import Attribute

from chalicelib.domain.digests import Digest
from chalicelib.storage.attributes import (
    DigestText,
    Integer,
    OptionalBytes,
    OptionalDigest,
    OptionalInteger,
    OptionalNumber,
    OptionalText,
)

DIGEST = Digest.of(b"content")


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        (Integer(), 0),
        (Integer(), 2**53 + 1),
        (OptionalInteger(), -1),
        (OptionalNumber(), 1795496342.125),
        (OptionalText(), "text"),
        (OptionalBytes(), b"\x00\xff"),
        (DigestText(), DIGEST),
        (OptionalDigest(), DIGEST),
    ],
)
def test_a_value_is_read_as_it_was_written(attribute: Attribute[Any], value: object) -> None:
    written = attribute.serialize(value)

    assert attribute.deserialize(written) == value


@pytest.mark.parametrize("kind", [OptionalInteger, OptionalNumber, OptionalText, OptionalBytes, OptionalDigest])
def test_a_missing_value_is_none(kind: type[Attribute[Any]]) -> None:
    attribute = kind()

    assert attribute.null
    assert attribute.serialize(None) is None


def test_a_number_keeps_its_milliseconds() -> None:
    assert OptionalNumber().serialize(1.0006) == "1.001"
