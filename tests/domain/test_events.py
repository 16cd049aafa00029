"""Events of the usage log."""

import pytest

from chalicelib.domain.events import Event


def test_an_event_of_an_unlisted_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="push_rep"):
        Event("1", 0.0, "push_rep", "n", None, "alice", "")
