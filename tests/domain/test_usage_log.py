"""The usage log's days, positions and fields."""

import pytest

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.ids import ulid
from chalicelib.domain.log_cursors import DAY_S, before, day_start
from chalicelib.domain.usage_log import Period, UsageLogQuery, check_countable, with_quays_words

# 14 November 2023, 22:13:20 UTC.
NOW = 1_700_000_000
MIDNIGHT = NOW // DAY_S * DAY_S


@pytest.mark.parametrize("start", [None, "", "yesterday", "2023-11-14", "13/13/2023"])
@pytest.mark.parametrize("end", [None, "", "11-14-2023"])
def test_without_days_the_period_is_yesterday_and_today(start: str | None, end: str | None) -> None:
    assert Period.parse(start, end, NOW) == Period(MIDNIGHT - DAY_S, MIDNIGHT + DAY_S)


def test_both_days_are_included() -> None:
    period = Period.parse("11/01/2023", "11/03/2023", NOW)

    assert period.days == ["2023-11-01", "2023-11-02", "2023-11-03"]
    assert period.oldest <= ulid(day_start("2023-11-01")) < ulid(day_start("2023-11-04") - 0.001) <= period.newest
    assert ulid(day_start("2023-11-04")) > period.newest


def test_a_last_day_before_the_first_is_refused() -> None:
    with pytest.raises(FieldInvalid, match="endtime"):
        Period.parse("11/03/2023", "11/01/2023", NOW)


@pytest.mark.parametrize(("start", "end"), [("01/01/1900", "01/01/1950"), ("01/01/0001", None), (None, "12/31/9998")])
def test_days_outside_all_records_are_accepted(start: str | None, end: str | None) -> None:
    assert Period.parse(start, end, NOW).oldest


def test_a_page_begins_after_the_one_before_it_or_at_the_newest_record() -> None:
    period = Period.parse("11/01/2023", "11/03/2023", NOW)
    inside = ulid(day_start("2023-11-02"))

    assert period.newest_before(inside) == before(inside)
    for position in (None, "", "nonsense", inside.lower(), ulid(NOW)):
        assert period.newest_before(position) == period.newest
    for position in (period.oldest, ulid(1)):
        assert period.newest_before(position) < period.oldest, "a page before the period is the end, not its beginning"


def test_counts_cover_at_most_a_month() -> None:
    check_countable(Period(0, 31 * DAY_S))
    with pytest.raises(FieldInvalid, match="31 days"):
        check_countable(Period(0, 32 * DAY_S))


@pytest.mark.parametrize(
    ("kind", "metadata", "performer", "expected"),
    [
        (
            "push_repo",
            {"repository": "a/b/c", "tags": ["v1"]},
            "a+ci",
            {"namespace": "a", "repo": "b/c", "tag": "v1", "username": "a+ci", "is_robot": True},
        ),
        ("pull_repo", {"reference": "v1"}, "a", {"tag": "v1", "username": "a"}),
        ("pull_repo", {"reference": "sha256:0"}, "", {"manifest_digest": "sha256:0"}),
        ("push_repo", {"tags": ["v1", "v2"]}, "", {}),
        (
            "delete_tag",
            {"tag": "v1", "manifest_digest": "sha256:0"},
            "a",
            {"digest": "sha256:0", "username": "a"},
        ),
        ("create_robot", {"robot": "a+ci", "username": "own"}, "a", {}),
    ],
)
def test_records_have_quays_fields_beside_ours(
    kind: str, metadata: dict[str, object], performer: str, expected: dict[str, object]
) -> None:
    assert with_quays_words(kind, metadata, performer) == {**expected, **metadata}


def test_a_query_matches_all_records_unless_it_filters() -> None:
    assert UsageLogQuery().period(NOW) == Period.parse(None, None, NOW)
    assert UsageLogQuery().takes("a", "b")
    assert not UsageLogQuery().is_narrowed
    for query in (UsageLogQuery(performer="a"), UsageLogQuery(kind="b"), UsageLogQuery(performer="a", kind="b")):
        assert query.is_narrowed
        assert query.takes("a", "b")
        assert not query.takes("x", "y")
