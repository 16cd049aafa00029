"""Events and contexts of jobs."""

from typing import Any

import pytest


class Context:
    """The context that Lambda passes beside the event."""

    def __init__(self, left_ms: int) -> None:
        self._left_ms = left_ms

    def get_remaining_time_in_millis(self) -> int:
        """Returns the milliseconds until Lambda ends the function."""
        return self._left_ms


@pytest.fixture
def context() -> type[Context]:
    """Returns a function that makes a context."""
    return Context


@pytest.fixture
def tick() -> dict[str, Any]:
    """Returns EventBridge's event (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html)."""
    return {
        "version": "0",
        "account": "123456789012",
        "region": "us-east-1",
        "detail": {},
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "time": "2026-11-24T00:00:00Z",
        "id": "a",
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/registry-job"],
    }
