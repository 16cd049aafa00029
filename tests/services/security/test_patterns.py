"""Tests which tags patterns match, and that matching takes linear time."""

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
def test_an_invalid_pattern_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(FieldInvalid, match=why):
        check(pattern)


def test_a_pattern_that_takes_exponential_time_elsewhere_is_harmless() -> None:
    check("(a+)+$")

    assert not finds(TagNames("(a+)+$"), "a" * 127 + "!")


def test_finds_matches_anywhere_and_begins_matches_at_the_start() -> None:
    assert finds(TagNames("v1"), "old-v1")
    assert not begins(TagNames("v1"), "old-v1")
    assert begins(TagNames("v1"), "v1.2")


def test_a_rule_can_be_negated_and_without_a_pattern_names_all_tags() -> None:
    others = TagNames("v.*", matches=False)

    assert [tag for tag in ("v1", "latest") if finds(others, tag)] == ["latest"]
    assert [tag for tag in ("v1", "latest") if begins(others, tag)] == ["latest"]
    assert finds(TagNames(), "v1")
    assert begins(TagNames(), "v1")
