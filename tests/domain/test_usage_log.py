"""The usage log's days, positions and words."""

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
def test_without_days_it_is_yesterday_and_today(start: str | None, end: str | None) -> None:
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
def test_days_that_no_record_can_be_of_are_no_fault(start: str | None, end: str | None) -> None:
    assert Period.parse(start, end, NOW).oldest


def test_a_page_begins_past_the_one_before_and_at_the_top_when_nobody_knows_where_that_was() -> None:
    period = Period.parse("11/01/2023", "11/03/2023", NOW)
    inside = ulid(day_start("2023-11-02"))

    assert period.newest_before(inside) == before(inside)
    for position in (None, "", "nonsense", inside.lower(), ulid(NOW), ulid(0)):
        assert period.newest_before(position) == period.newest


def test_counts_are_told_of_a_month_at_most() -> None:
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
def test_records_have_quay_s_words_beside_ours(
    kind: str, metadata: dict[str, object], performer: str, expected: dict[str, object]
) -> None:
    assert with_quays_words(kind, metadata, performer) == {**expected, **metadata}


def test_what_is_asked_for_is_all_unless_it_is_narrowed() -> None:
    assert UsageLogQuery().period(NOW) == Period.parse(None, None, NOW)
    assert UsageLogQuery().takes("a", "b")
    assert not UsageLogQuery().is_narrowed
    for asked in (UsageLogQuery(performer="a"), UsageLogQuery(kind="b"), UsageLogQuery(performer="a", kind="b")):
        assert asked.is_narrowed
        assert asked.takes("a", "b")
        assert not asked.takes("x", "y")
