"""Timers: found by the time they are due, over all shards."""

from chalicelib.domain.digests import Digest
from chalicelib.storage import keys
from chalicelib.storage.table import put_all
from chalicelib.storage.timers import EXPIRY, GARBAGE, TimerRow, timer
from tests.houses import House
from tests.rows import rows_like

TARGETS = [keys.blob_target("1", Digest.of(bytes([number]))) for number in range(40)]


def due(house: House, kind: str, until: int) -> set[str]:
    """Targets of a kind that are due, as a sweep would find them: by one query a shard."""
    connection, name = house.services._table.connection, house.settings.table
    found = set()
    for shard in range(keys.SHARDS):
        condition = TimerRow.due_at <= until
        answer = connection.query(name, f"{kind}#{shard}", condition, index_name="due")
        found |= {raw["target"]["S"] for raw in answer["Items"]}
    return found


def test_a_sweep_of_every_shard_finds_just_what_is_due(house: House) -> None:
    put_all(timer(GARBAGE, target, number) for number, target in enumerate(TARGETS))

    assert due(house, GARBAGE, 19) == set(TARGETS[:20])
    assert due(house, GARBAGE, 100) == set(TARGETS)
    assert due(house, EXPIRY, 100) == set()


def test_a_timer_written_again_is_due_at_the_new_time_only(house: House) -> None:
    for moment in (10, 30):
        timer(GARBAGE, TARGETS[0], moment).save()

    assert due(house, GARBAGE, 20) == set()
    assert due(house, GARBAGE, 30) == {TARGETS[0]}
    assert len(rows_like(house, "TIMER#")) == 1


def test_two_kinds_of_work_on_one_target_are_two_timers(house: House) -> None:
    for kind in (GARBAGE, EXPIRY):
        timer(kind, TARGETS[0], 10).save()

    assert due(house, GARBAGE, 10) == due(house, EXPIRY, 10) == {TARGETS[0]}


def test_a_timer_never_has_a_time_to_live(house: House) -> None:
    timer(GARBAGE, TARGETS[0], 10).save()

    assert "expires_at" not in rows_like(house, "TIMER#")[0]
