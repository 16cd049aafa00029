"""Patterns of tags: what they take, and that none costs more than its length."""

import pytest

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.policies import TagNames
from chalicelib.services.security.patterns import begins, check, finds


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("x" * 257, r"^tag_pattern must be 256 characters or less$"),
        ("(", r"^Invalid regex pattern: missing \): \($"),
        (r"(?!latest)", "^Invalid regex pattern: invalid perl operator"),
        (r"(a)\1", "^Invalid regex pattern: invalid escape sequence"),
        ("((a{1000}){1000}){1000}", "^Invalid regex pattern: "),
        ("\ud800", "^Invalid regex pattern: the pattern is not valid Unicode$"),
    ],
)
def test_what_cannot_be_matched_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(FieldInvalid, match=why):
        check(pattern)


def test_a_pattern_that_hangs_others_is_harmless() -> None:
    check("(a+)+$")

    assert not finds(TagNames("(a+)+$"), "a" * 127 + "!")


def test_one_is_found_anywhere_the_other_at_the_beginning() -> None:
    assert finds(TagNames("v1"), "old-v1")
    assert not begins(TagNames("v1"), "old-v1")
    assert begins(TagNames("v1"), "v1.2")


def test_all_others_can_be_meant_and_without_a_pattern_all_are() -> None:
    others = TagNames("v.*", matches=False)

    assert [tag for tag in ("v1", "latest") if finds(others, tag)] == ["latest"]
    assert [tag for tag in ("v1", "latest") if begins(others, tag)] == ["latest"]
    assert finds(TagNames(), "v1")
    assert begins(TagNames(), "v1")
