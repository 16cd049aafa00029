"""ULIDs as positions in the usage log."""

from chalicelib.domain.ids import ulid
from chalicelib.domain.log_cursors import DAY_S, before, day_of, day_start, earliest, number_of, position_of

# 14 November 2023, 22:13:20 UTC.
NOW = 1_700_000_000
MIDNIGHT = NOW // DAY_S * DAY_S


def test_a_ulid_and_its_number_convert_both_ways_and_sort_alike() -> None:
    positions = sorted(ulid(NOW + number / 1000) for number in range(50))

    assert [position_of(number_of(one)) for one in positions] == positions
    assert sorted(positions, key=number_of) == positions
    assert before(positions[3]) < positions[3]
    assert number_of(positions[3]) - number_of(before(positions[3])) == 1


def test_a_day_is_a_day_in_utc() -> None:
    assert [day_of(ulid(MIDNIGHT + seconds)) for seconds in (-0.001, 0, 86399.9, 86400)] == [
        "2023-11-13", "2023-11-14", "2023-11-14", "2023-11-15",
    ]  # fmt: skip
    assert day_start("2023-11-14") == MIDNIGHT
    assert earliest(MIDNIGHT) <= ulid(MIDNIGHT)
    assert earliest(MIDNIGHT) > ulid(MIDNIGHT - 0.001)
