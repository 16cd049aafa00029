"""Event records."""

from chalicelib.domain import events
from chalicelib.domain.events import Event


def test_a_push_is_called_by_another_name_where_people_subscribe() -> None:
    assert events.NOTIFIED[events.PUSH] == "repo_push"


def test_only_kinds_that_can_happen_are_told_to_subscribers() -> None:
    kinds = {value for name, value in vars(events).items() if name.isupper() and isinstance(value, str)}

    assert set(events.NOTIFIED) <= kinds


def test_events_share_no_metadata() -> None:
    first, second = (Event("1", 0.0, events.PULL, "n", None, "alice", "") for _ in range(2))

    assert first.metadata == {}
    assert first.metadata is not second.metadata
