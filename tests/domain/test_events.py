"""Events of the usage log."""

import pytest

from chalicelib.domain import events
from chalicelib.domain.events import Event


def test_an_event_of_an_unlisted_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="push_rep"):
        Event("1", 0.0, "push_rep", "n", None, "alice", "")


def test_events_share_no_metadata() -> None:
    first, second = (Event("1", 0.0, events.PULL, "n", None, "alice", "") for _ in range(2))

    assert first.metadata == {}
    assert first.metadata is not second.metadata
