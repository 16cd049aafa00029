"""The job `reconcile`, called as EventBridge calls it."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from chalicelib.edge.jobs import reconcile
from infra.local import seed
from tests.builders import at_the_edge
from tests.houses import House

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html
EVENT = {
    "version": "0",
    "account": "123456789012",
    "region": "us-east-1",
    "detail": {},
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "time": "2026-11-24T00:00:00Z",
    "id": "a",
    "resources": ["arn:aws:events:us-east-1:123456789012:rule/registry-reconcile"],
}


class Context:
    """What Lambda gives beside the event."""

    def __init__(self, left_ms: int) -> None:
        self._left_ms = left_ms

    def get_remaining_time_in_millis(self) -> int:
        return self._left_ms


@pytest.fixture
def house(new_house: Callable[..., House], monkeypatch: pytest.MonkeyPatch) -> House:
    bucket = f"alone-{uuid4().hex}"
    house = new_house(bucket=bucket)
    seed.make_bucket(bucket, house.services.objects.client)
    monkeypatch.setattr(reconcile, "services", lambda: house.services)
    return house


def test_a_turn_of_the_clock_removes_what_nobody_named_and_tells_it(house: House) -> None:
    at_the_edge(house, b"forgotten")
    house.clock.ahead_s += house.settings.settled_s + 10

    told = reconcile.reconcile(EVENT, Context(300_000))

    assert told == {"looked_at": 1, "removed": 1, "freed_bytes": 9, "ended_round": True}


def test_a_function_whose_time_is_up_ends_by_itself(house: House) -> None:
    at_the_edge(house, b"forgotten")

    assert reconcile.reconcile(EVENT, Context(29_000))["ended_round"] is False
