"""Tests which limits a token hands down to those created with it."""

import pytest

from chalicelib.services.identity.makers import SESSION, Maker
from chalicelib.storage.identity.tokens import TokenRow


def test_a_session_hands_down_no_limits() -> None:
    assert SESSION.made_with is None
    assert (SESSION.end(None), SESSION.end(5)) == (None, 5)


@pytest.mark.parametrize(("requested", "end"), [(None, 100), (50, 50), (200, 100)])
def test_a_token_ends_no_later_than_its_maker_and_depends_on_all_before_it(requested: int | None, end: int) -> None:
    maker = Maker(TokenRow(uuid="maker", made_with="first second", expires_at=100))

    assert maker.end(requested) == end
    assert maker.made_with == "maker first second"
