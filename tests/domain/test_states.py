"""States of content that the garbage collector may remove."""

from chalicelib.domain.states import State


def test_condemned_content_is_served_and_deleting_content_is_not() -> None:
    assert {state for state in State if state.is_living} == {State.LIVE, State.CONDEMNED}


def test_states_are_read_back_from_their_stored_values() -> None:
    assert [State(state.value) for state in State] == list(State)
