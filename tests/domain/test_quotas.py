"""Quotas: bytes with units, limits, and refusals."""

import pytest

from chalicelib.domain.errors import AlreadyThere, FieldInvalid, ResourceUnknown
from chalicelib.domain.quotas import (
    LARGEST,
    MOST_LIMITS,
    Limit,
    Quota,
    Severity,
    in_words,
    new_id,
    parse_bytes,
    parse_percent,
    parse_severity,
)

WARN, REJECT = Limit(1, Severity.WARNING, 80), Limit(2, Severity.REJECT, 90)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("5", 5), ("5B", 5), ("5 B", 5), ("5 MiB", 5 * 1024**2), ("5Mi", 5 * 1024**2), ("5 MB", 5_000_000),
        ("10G", 10**10), ("1 KiB", 1024), ("1K", 1000), ("2TiB", 2 * 1024**4), ("0", 0), ("7 EiB", 7 * 1024**6),
    ],
)  # fmt: skip
def test_bytes_are_parsed_with_their_unit(words: str, expected: int) -> None:
    assert parse_bytes(None, words) == expected


@pytest.mark.parametrize(
    ("number", "words", "field"),
    [
        (None, None, "limit_bytes"), (-1, None, "limit_bytes"), (LARGEST + 1, None, "limit_bytes"),
        (None, "5 parsecs", "limit"), (None, "", "limit"), (None, "-5", "limit"), (None, "1.5 GiB", "limit"),
        (None, "8 EiB", "limit"), (None, "5  MiB", "limit"), (None, "9" * 50, "limit"), (None, "\u0665 MiB", "limit"),
    ],
)  # fmt: skip
def test_invalid_bytes_are_refused_and_the_field_is_named(number: int | None, words: str | None, field: str) -> None:
    with pytest.raises(FieldInvalid) as raised:
        parse_bytes(number, words)
    assert raised.value.field == field


@pytest.mark.parametrize(
    ("number", "words"),
    [(2_000_000, "1.9 MiB"), (1000, "1000.0 Byte"), (0, "0.0 Byte"), (1024, "1.0 KiB"), (LARGEST, "8.0 EiB")],
)
def test_bytes_are_written_as_quay_does(number: int, words: str) -> None:
    assert in_words(number) == words


def test_a_quota_refuses_above_the_percentage_of_its_limit() -> None:
    quota = Quota(7, 1000)

    assert quota.reject_bytes is None
    assert quota.with_limit(WARN).reject_bytes is None
    assert quota.with_limit(WARN).with_limit(REJECT).reject_bytes == 900


def test_limits_are_added_changed_and_removed() -> None:
    quota = Quota(7, 1000).with_limit(REJECT).with_limit(WARN)

    assert quota.limits == (WARN, REJECT)
    changed = quota.with_limit(Limit(1, Severity.WARNING, 70))
    assert changed.limit(1).percent == 70
    assert changed.without_limit(1).limits == (REJECT,)
    for ask in (lambda: quota.limit(3), lambda: quota.without_limit(3)):
        with pytest.raises(ResourceUnknown):
            ask()


def test_there_is_at_most_one_limit_that_refuses_and_no_duplicate() -> None:
    quota = Quota(7, 1000).with_limit(REJECT).with_limit(WARN)

    with pytest.raises(AlreadyThere, match="Only one"):
        quota.with_limit(Limit(3, Severity.REJECT, 100))
    with pytest.raises(AlreadyThere, match="already exists"):
        quota.with_limit(Limit(3, Severity.WARNING, 80))
    with pytest.raises(AlreadyThere, match="Only one"):
        quota.with_limit(Limit(1, Severity.REJECT, 80))
    assert quota.with_limit(WARN) == quota


def test_the_number_of_limits_is_bounded() -> None:
    quota = Quota(7, 1000)
    for number in range(MOST_LIMITS):
        quota = quota.with_limit(Limit(number, Severity.WARNING, number + 1))

    with pytest.raises(AlreadyThere):
        quota.with_limit(Limit(99, Severity.WARNING, 99))


def test_a_quota_is_written_to_a_text_and_read_back() -> None:
    quota = Quota(7, LARGEST).with_limit(REJECT).with_limit(WARN)

    assert Quota.from_text(quota.to_text()) == quota
    assert Quota.from_text(Quota(1, 2).to_text()) == Quota(1, 2)


@pytest.mark.parametrize("number", [0, -1, 101])
def test_a_percentage_is_between_one_and_a_hundred(number: int) -> None:
    assert (parse_percent(1), parse_percent(100)) == (1, 100)
    with pytest.raises(FieldInvalid, match="threshold_percent"):
        parse_percent(number)


@pytest.mark.parametrize("text", ["", "reject", "Explode"])
def test_a_limit_warns_or_refuses(text: str) -> None:
    assert parse_severity("Reject") is Severity.REJECT
    with pytest.raises(FieldInvalid, match="type"):
        parse_severity(text)


def test_ids_are_whole_numbers_that_differ() -> None:
    ids = {new_id() for _ in range(100)}

    assert len(ids) > 95
    assert all(0 < one < 2**31 for one in ids)
