"""How deeply JSON is nested."""

import json

import pytest

from chalicelib.domain.nesting import DEEPEST, is_too_deep


def nested(levels: int, kind: str = "list") -> object:
    """Returns a document of so many levels: empty lists, or objects, each in the one before it."""
    opening, closing = ("[", "]") if kind == "list" else ('{"a":[', "]}")
    count = levels if kind == "list" else levels // 2
    document: object = json.loads(opening * count + closing * count)
    return document


@pytest.mark.parametrize("kind", ["list", "object"])
def test_a_document_may_have_as_many_levels_as_are_allowed_and_no_more(kind: str) -> None:
    assert not is_too_deep(nested(DEEPEST, kind))
    assert is_too_deep(nested(DEEPEST + (1 if kind == "list" else 2), kind))


@pytest.mark.parametrize("document", [None, 1, "[" * 1000, [], {}, [[[]]] * 1000, {str(n): [n] for n in range(1000)}])
def test_a_wide_document_is_not_a_deep_one(document: object) -> None:
    assert not is_too_deep(document)
