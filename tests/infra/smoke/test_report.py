"""Results are printed as a table and as JSON."""

import json

from infra.smoke import report
from infra.smoke.claims import Finding, Verdict, decided, fails, holds, unknown
from infra.smoke.suite import CHECKS, CheckResult

LONG = "a fact, and another one; " * 30
ROWS = [
    CheckResult(CHECKS[0], holds(LONG), 0.5),
    CheckResult(CHECKS[1], fails(LONG), 1.25),
    CheckResult(CHECKS[2], unknown("nobody saw"), 0),
]


def test_nothing_is_wider_than_120_columns() -> None:
    texts = [report.listed(CHECKS), *map(report.lines_of, ROWS), report.head()]

    assert [line for text in texts for line in text.splitlines() if len(line) > 120] == []


def test_names_fit_their_column() -> None:
    lines = [report.lines_of(CheckResult(check, holds("x"), 0)).splitlines()[0] for check in CHECKS]

    assert [line for line in lines if line[9:19] != " holds    "] == []


def test_a_row_says_what_is_claimed_and_what_was_found() -> None:
    assert report.lines_of(ROWS[2]) == (f"B2        unknown      {CHECKS[2].claim}\n                       nobody saw")


def test_only_what_fails_says_what_to_do() -> None:
    assert ["What to do: " in report.lines_of(row) for row in ROWS] == [False, True, False]


def test_unknown_is_counted_separately() -> None:
    assert report.summary(ROWS, []).splitlines()[1] == "1 holds, 1 fails, 0 not offered, 1 unknown"


def test_what_was_left_behind_is_reported() -> None:
    assert report.summary(ROWS, ["/v2/x: 405"]).splitlines()[-1] == "Left behind: /v2/x: 405"


def test_the_list_has_every_claim_with_its_remedy() -> None:
    words = " ".join(report.listed(CHECKS).split())

    for check in CHECKS:
        assert f"{check.claim} If it fails: {check.remedy}" in words


def test_json_has_all_fields() -> None:
    document = json.loads(report.as_json("https://registry.example", ROWS, ["x"]))

    assert document["counts"] == {"holds": 1, "fails": 1, "not offered": 0, "unknown": 1}
    assert document["left_behind"] == ["x"]
    assert document["checks"][0] == {
        "names": ["U2", "C1"],
        "claim": CHECKS[0].claim,
        "result": "holds",
        "evidence": LONG,
        "remedy": CHECKS[0].remedy,
        "seconds": 0.5,
    }


def test_a_verdict_is_decided_by_what_was_seen() -> None:
    assert [decided(seen, "x") for seen in (True, False)] == [Finding(Verdict.HOLDS, "x"), Finding(Verdict.FAILS, "x")]
