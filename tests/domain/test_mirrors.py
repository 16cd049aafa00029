"""Tests of when a mirror runs and which tags it takes."""

from dataclasses import replace

import pytest

from chalicelib.domain.mirrors import MirrorSettings, MirrorSource, NamePatterns, due_start, next_start, retry_at

HOURLY = MirrorSettings(MirrorSource("quay.io/a/b"), ("*",), interval_s=3600, start_at=10_000, timeout_s=300)


@pytest.mark.parametrize(
    ("now", "start"), [(0, 10_000), (9_999, 10_000), (10_000, 13_600), (13_599, 13_600), (13_600, 17_200)]
)
def test_runs_begin_at_the_start_and_then_at_every_interval(now: int, start: int) -> None:
    assert next_start(HOURLY, now) == start


def test_an_interval_of_zero_means_one_run() -> None:
    once = replace(HOURLY, interval_s=0)
    assert next_start(once, 0) == once.start_at
    assert next_start(once, once.start_at) is None


def test_a_disabled_mirror_has_no_next_run() -> None:
    assert next_start(replace(HOURLY, is_enabled=False), 0) is None


@pytest.mark.parametrize(
    ("last_start", "now", "due"),
    [
        (None, 500, 10_000),
        (None, 10_000, 10_000),
        (None, 99_999, 99_999),
        (10_000, 10_001, 13_600),
        (10_000, 50_000, 50_000),
        (500, 10_001, 10_001),
    ],
)
def test_a_run_is_due_at_the_start_after_the_last_one_or_at_once_where_that_has_passed(
    last_start: float | None, now: int, due: int
) -> None:
    assert due_start(HOURLY, last_start, now) == due


def test_without_an_interval_there_is_no_run_after_the_first() -> None:
    once = replace(HOURLY, interval_s=0)
    assert (due_start(once, None, 99_999), due_start(once, 10_000, 99_999)) == (99_999, None)


def test_a_failed_run_is_tried_again_three_times_and_then_left_to_the_schedule() -> None:
    assert [retry_at(tries, 1000.9) for tries in (1, 2, 3, 4)] == [1060, 1300, 1900, None]


@pytest.mark.parametrize(
    ("patterns", "taken", "left"),
    [
        (["latest"], ["latest"], ["Latest", "latest2"]),
        (["v1.*", "latest"], ["v1.", "v1.2", "latest"], ["v2", "v1"]),
        (["v?", "[!a]x"], ["v1", "bx"], ["v10", "ax"]),
        (["*", "!*-rc?"], ["v1"], ["v1-rc1"]),
        (["!nightly*"], ["v1"], ["nightly-3"]),
        (["v1", "!v1"], [], ["v1"]),
    ],
)
def test_patterns_take_and_exclude_tags(patterns: list[str], taken: list[str], left: list[str]) -> None:
    tags = NamePatterns(patterns)
    assert [tag for tag in taken + left if tags.takes(tag)] == taken


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["latest", "v1", "v1"], ["latest", "v1"]),
        (["latest", "v1", "!v*"], ["latest"]),
        (["latest", "v*"], None),
        (["!v1"], None),
    ],
)
def test_tags_are_listed_only_where_a_pattern_has_a_wildcard(patterns: list[str], names: list[str] | None) -> None:
    assert NamePatterns(patterns).names == names


def test_a_source_shows_no_secret() -> None:
    assert "s3cret" not in repr(MirrorSource("quay.io/a/b", "u", "s3cret", http_proxy="http://u:s3cret@proxy"))
