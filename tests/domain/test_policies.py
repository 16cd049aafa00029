"""Policies: which are valid, and which tags they prune."""

import pytest

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.policies import Method, Policy, Prune, TagNames, from_text, to_text

DAY_S = 86400


@pytest.mark.parametrize(
    ("method", "value", "why"),
    [
        ("nonsense", 1, "Invalid method provided"),
        ("number_of_tags", 0, "Invalid value given for method type"),
        ("number_of_tags", -1, "Invalid value given for method type"),
        ("number_of_tags", True, "Invalid value given for method type"),
        ("number_of_tags", 1.5, "Invalid value given for method type"),
        ("number_of_tags", 10**10, "Invalid value given for method type"),
        ("number_of_tags", "7d", "Invalid value given for method type"),
        ("creation_date", "soon", "Invalid value given for method type"),
        ("creation_date", "0d", "Invalid value given for method type"),
        ("creation_date", "7d ", "Invalid value given for method type"),
        ("creation_date", 7, "Invalid value given for method type"),
        ("creation_date", None, "Invalid value given for method type"),
    ],
)
def test_an_invalid_rule_is_refused_with_quays_message(method: str, value: object, why: str) -> None:
    with pytest.raises(FieldInvalid) as refused:
        Prune.parse(method, value)

    assert str(refused.value) == why


def test_a_rule_by_number_keeps_the_latest_tags() -> None:
    prune = Prune.parse("number_of_tags", 2.0)

    assert (prune.method, prune.value, prune.most, prune.age_s) == (Method.NUMBER, 2, 2, None)
    assert [prune.takes(rank, 0, DAY_S) for rank in (1, 2, 3)] == [False, False, True]


def test_a_rule_by_age_prunes_tags_of_that_age_and_older() -> None:
    prune = Prune.parse("creation_date", "1w")

    assert (prune.value, prune.most, prune.age_s) == ("1w", None, 7 * DAY_S)
    assert [prune.takes(1, 100, 100 + 7 * DAY_S + second) for second in (-1, 0, 1)] == [False, True, True]


def test_two_pruning_policies_are_duplicates_if_all_their_fields_are_equal() -> None:
    one = Policy("a", TagNames("v.*"), Prune(Method.NUMBER, 5))

    assert one.is_like(Policy("b", TagNames("v.*"), Prune(Method.NUMBER, 5)))
    assert not one.is_like(Policy("b", TagNames("v.*", matches=False), Prune(Method.NUMBER, 5)))
    assert not one.is_like(Policy("b", TagNames("v.*"), Prune(Method.NUMBER, 6)))
    assert not one.is_like(Policy("b", TagNames("v.*")))


def test_two_immutability_policies_are_duplicates_if_their_patterns_are_equal() -> None:
    one = Policy("a", TagNames("v.*"))

    assert one.is_like(Policy("b", TagNames("v.*", matches=False)))
    assert not one.is_like(Policy("b", TagNames("w.*")))
    assert not one.is_like(Policy("b", TagNames("v.*"), Prune(Method.NUMBER, 5)))


def test_rules_are_written_to_a_text_and_read_back() -> None:
    rules = [TagNames("é.*"), TagNames("v[0-9]+", matches=False)]

    assert from_text(to_text(rules)) == rules
    assert (to_text([]), from_text(None)) == (None, [])
