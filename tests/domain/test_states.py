"""States of what a collector may take."""

from chalicelib.domain.states import State


def test_condemned_content_is_served_as_live_and_only_deleting_is_gone() -> None:
    assert {state for state in State if state.is_living} == {State.LIVE, State.CONDEMNED}
