"""Table and bucket are asked, and their silence is an answer."""

import pytest

from chalicelib.storage.catalog.health import HealthStore
from tests.support.backends import Backend
from tests.support.crashes import silence


@pytest.mark.parametrize("what", ["table", "bucket"])
def test_what_is_silent_does_not_answer_and_the_other_does(backend: Backend, what: str) -> None:
    store = HealthStore(backend.services.stores.objects)
    assert (store.table_answers(), store.bucket_answers()) == (True, True)

    with silence(backend, what):
        assert (store.table_answers(), store.bucket_answers()) == (what != "table", what != "bucket")
