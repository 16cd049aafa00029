"""Table and bucket are asked, and their silence is an answer."""

import pytest

from chalicelib.storage.catalog.health import HealthStore
from tests.support.backends import House
from tests.support.crashes import silence


@pytest.mark.parametrize("what", ["table", "bucket"])
def test_what_is_silent_does_not_answer_and_the_other_does(house: House, what: str) -> None:
    store = HealthStore(house.services.objects)
    assert (store.table_answers(), store.bucket_answers()) == (True, True)

    with silence(house, what):
        assert (store.table_answers(), store.bucket_answers()) == (what != "table", what != "bucket")
