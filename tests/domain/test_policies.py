"""Policies: what may be asked of them, and which tags they take."""

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
def test_what_cannot_be_is_refused_in_quays_words(method: str, value: object, why: str) -> None:
    with pytest.raises(FieldInvalid) as refused:
        Prune.parse(method, value)

    assert str(refused.value) == why


def test_a_number_keeps_the_latest() -> None:
    prune = Prune.parse("number_of_tags", 2.0)

    assert (prune.method, prune.value, prune.most, prune.age_s) == (Method.NUMBER, 2, 2, None)
    assert [prune.takes(rank, 0, DAY_S) for rank in (1, 2, 3)] == [False, False, True]


def test_an_age_takes_what_is_as_old_and_older() -> None:
    prune = Prune.parse("creation_date", "1w")

    assert (prune.value, prune.most, prune.age_s) == ("1w", None, 7 * DAY_S)
    assert [prune.takes(1, 100, 100 + 7 * DAY_S + second) for second in (-1, 0, 1)] == [False, True, True]


def test_two_that_prune_are_alike_when_all_they_say_is() -> None:
    one = Policy("a", TagNames("v.*"), Prune(Method.NUMBER, 5))

    assert one.is_like(Policy("b", TagNames("v.*"), Prune(Method.NUMBER, 5)))
    assert not one.is_like(Policy("b", TagNames("v.*", matches=False), Prune(Method.NUMBER, 5)))
    assert not one.is_like(Policy("b", TagNames("v.*"), Prune(Method.NUMBER, 6)))
    assert not one.is_like(Policy("b", TagNames("v.*")))


def test_two_of_immutability_are_alike_when_their_patterns_are() -> None:
    one = Policy("a", TagNames("v.*"))

    assert one.is_like(Policy("b", TagNames("v.*", matches=False)))
    assert not one.is_like(Policy("b", TagNames("w.*")))
    assert not one.is_like(Policy("b", TagNames("v.*"), Prune(Method.NUMBER, 5)))


def test_rules_travel_as_a_text() -> None:
    rules = [TagNames("é.*"), TagNames("v[0-9]+", matches=False)]

    assert from_text(to_text(rules)) == rules
    assert (to_text([]), from_text(None)) == (None, [])
