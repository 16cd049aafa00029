"""Event records."""

import pytest

from chalicelib.domain.events import Event


def test_an_event_of_a_kind_that_nobody_could_look_up_is_none() -> None:
    with pytest.raises(ValueError, match="push_rep"):
        Event("1", 0.0, "push_rep", "n", None, "alice", "")
