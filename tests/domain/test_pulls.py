"""Counting pulls: settled hours, sums, and parts."""

import pytest

from chalicelib.domain.pulls import HOUR_S, SETTLED_S, SPREAD_S, Pull, Sum, due_at, hour_of, parts, settled_at, sums

HOUR = 1_700_000_000 // HOUR_S * HOUR_S


def a_pull(number: int, *references: str) -> Pull:
    return Pull(f"{number:026d}", number, references)


@pytest.mark.parametrize("seconds", [0, 0.5, 3599.9])
def test_a_moment_belongs_to_the_hour_that_began_before_it(seconds: float) -> None:
    assert hour_of(HOUR + seconds) == HOUR


def test_an_hour_is_settled_some_minutes_after_its_end() -> None:
    assert settled_at(HOUR + HOUR_S + SETTLED_S - 1) == HOUR
    assert settled_at(HOUR + HOUR_S + SETTLED_S) == HOUR + HOUR_S


def test_a_due_hour_is_settled_and_repositories_are_due_at_different_seconds() -> None:
    due = [due_at(f"repository {number}", HOUR) for number in range(50)]

    assert all(settled_at(at) >= HOUR + HOUR_S for at in due)
    assert max(due) < HOUR + HOUR_S + SETTLED_S + SPREAD_S
    assert len(set(due)) > 40
    assert due == [due_at(f"repository {number}", HOUR) for number in range(50)]


def test_a_pull_by_tag_counts_for_tag_and_digest_and_the_latest_time_wins_in_any_order() -> None:
    found = sums([a_pull(7, "v1", "sha256:a"), a_pull(3, "v1", "sha256:b"), a_pull(5, "sha256:a")])

    assert found == {"v1": Sum(2, 7), "sha256:a": Sum(2, 7), "sha256:b": Sum(1, 3)}


def test_an_empty_list_of_pulls_has_no_sums() -> None:
    assert (Sum().pulls, Sum().last_at) == (0, None)


@pytest.mark.parametrize("most", [2, 3, 4, 90])
def test_parts_hold_all_pulls_in_order_and_none_names_too_many_references(most: int) -> None:
    pulls = [a_pull(number, f"v{number % 3}", f"sha256:{number // 2}") for number in range(20)]
    found = list(parts(pulls, most))

    assert [pull for part in found for pull in part] == pulls
    assert all(0 < len(sums(part)) <= most for part in found)


def test_no_pulls_have_no_parts() -> None:
    assert list(parts([], 2)) == []
