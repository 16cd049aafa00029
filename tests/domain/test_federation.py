"""Which tokens of other issuers authenticate a robot, and the claims that they must have."""

import pytest

from chalicelib.domain.errors import FieldInvalid, WrongCredentials
from chalicelib.domain.federation import LEEWAY_S, MOST_RULES, OLDEST_S, Rule, check_claims, matching, parse_rules

GOOD = {"issuer": "https://issuer.example", "subject": "job"}
NOW = 1_000_000
CLAIMS = {"aud": "us", "iat": NOW, "nbf": NOW, "exp": NOW + 300}


def test_rules_parse_and_write_back_unchanged() -> None:
    documents = [GOOD, GOOD | {"subject": "other", "audience": "them"}]

    rules = parse_rules(documents)

    assert rules == (Rule(GOOD["issuer"], "job"), Rule(GOOD["issuer"], "other", "them"))
    assert [rule.to_document() for rule in rules] == documents
    assert parse_rules([]) == ()


@pytest.mark.parametrize(
    ("documents", "why"),
    [
        ([{"issuer": "https://issuer.example"}], r"^Missing one or more required fields \(issuer, subject\)$"),
        ([GOOD | {"issuer": ""}], "Missing one or more"),
        ([GOOD | {"subject": 5}], "Missing one or more"),
        ([GOOD, GOOD | {"audience": "x"}], r"^Duplicate config \(issuer: https://issuer.example, subject: job\)$"),
        ([GOOD | {"issuer": "x" * 256}], "issuer"),
        ([GOOD | {"subject": "x" * 513}], "subject"),
        ([GOOD | {"audience": ""}], "audience"),
        ([GOOD | {"audience": 5}], "audience"),
        ([GOOD | {"audience": "x" * 513}], "audience"),
        ([GOOD | {"subject": str(number)} for number in range(MOST_RULES + 1)], "at most 20 rules"),
    ],
)
def test_invalid_rules_are_refused(documents: list[dict[str, object]], why: str) -> None:
    with pytest.raises(FieldInvalid, match=why):
        parse_rules(documents)


def test_issuer_and_subject_must_match_exactly() -> None:
    rules = parse_rules([GOOD])

    assert matching(rules, GOOD["issuer"], "job") == rules[0]
    for issuer, subject in (
        (GOOD["issuer"] + "/", "job"), (GOOD["issuer"].upper(), "job"), (GOOD["issuer"], "jo"),
        (GOOD["issuer"], "job2"), (None, "job"), ([GOOD["issuer"]], "job"), (GOOD["issuer"], {"job": 1}),
    ):  # fmt: skip
        assert matching(rules, issuer, subject) is None


def test_a_token_ends_at_its_expiration_or_an_hour_after_it_was_issued() -> None:
    hour = NOW + OLDEST_S
    assert check_claims(CLAIMS, "us", NOW) == (NOW + 300, hour)
    assert check_claims(CLAIMS | {"aud": ["them", "us"], "exp": NOW + 10**6}, "us", NOW) == (hour, hour)
    assert check_claims(CLAIMS | {"iat": NOW + LEEWAY_S, "nbf": NOW + 0.5}, "us", NOW)


@pytest.mark.parametrize(
    "claims",
    [{"aud": "them"}, {"aud": None}, {"aud": []}, {"aud": {"us": 1}}, {"aud": [["us"]]}, {"aud": "us2"},
     {"exp": NOW}, {"exp": NOW - 1}, {"nbf": NOW + LEEWAY_S + 1}, {"iat": NOW + LEEWAY_S + 1},
     {"iat": NOW - OLDEST_S - 1, "exp": NOW + 9}, {"iat": None}, {"nbf": None}, {"exp": None}, {"exp": True},
     {"exp": "9999999999"}, {"exp": float("inf")}, {"iat": float("nan")}],
)  # fmt: skip
def test_a_token_for_another_audience_or_another_time_is_refused(claims: dict[str, object]) -> None:
    with pytest.raises(WrongCredentials):
        check_claims(CLAIMS | claims, "us", NOW)
