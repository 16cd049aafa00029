"""Tests of what a run does with tags, and of what it warns."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.mirror_runs import TagChange, TagOutcome, compare, gone, status_of, warning_of
from chalicelib.domain.mirrors import SyncStatus

ONE, TWO = Digest.of(b"1"), Digest.of(b"2")


def test_new_and_changed_tags_are_copied_and_the_same_ones_are_not() -> None:
    found = compare({"same": ONE, "new": ONE, "moved": TWO}, {"same": ONE, "moved": ONE, "other": ONE}, completes=False)
    assert {one.tag: one.change for one in found} == {"new": TagChange.ADD, "moved": TagChange.CHANGE}


def test_a_run_that_completes_looks_at_the_same_ones_too() -> None:
    (one,) = compare({"same": ONE}, {"same": ONE}, completes=True)
    assert (one.change, one.change.counted_as) == (TagChange.COMPLETE, None)


def test_what_upstream_does_not_have_is_gone_but_not_signatures() -> None:
    here = {"kept": ONE, "gone": ONE, f"sha256-{ONE.hex}.sig": TWO}
    assert [one.tag for one in gone(here, {"kept"})] == ["gone"]


def test_nothing_is_gone_where_nothing_matches() -> None:
    assert gone({"a": ONE}, set()) == []


@pytest.mark.parametrize(
    ("names", "matched", "word"),
    [
        (None, set(), "No tags matched"),
        (["v1"], set(), "No tags matched"),
        (None, {"v1"}, "latest"),
        (None, {"v1", "latest"}, ""),
        (["v1"], {"v1"}, ""),
    ],
)
def test_a_run_warns_of_patterns_that_may_be_mistakes(names: list[str] | None, matched: set[str], word: str) -> None:
    warning = warning_of(names, matched)
    assert (word in warning) if word else warning == ""


def test_one_failed_tag_fails_the_run() -> None:
    assert (status_of(0), status_of(1)) == (SyncStatus.SUCCESS, SyncStatus.FAIL)


def test_settled_outcomes() -> None:
    settled = {one for one in TagOutcome if one.is_settled}
    assert settled == {TagOutcome.DONE, TagOutcome.SKIPPED, TagOutcome.FAILED}
