"""Event records."""

import pytest

from chalicelib.domain import events
from chalicelib.domain.events import Event


def test_a_push_is_called_by_another_name_where_people_subscribe() -> None:
    assert events.NOTIFIED[events.PUSH] == "repo_push"


def test_an_event_of_a_kind_that_nobody_could_look_up_is_none() -> None:
    with pytest.raises(ValueError, match="push_rep"):
        Event("1", 0.0, "push_rep", "n", None, "alice", "")
