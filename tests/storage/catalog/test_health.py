"""Health checks of table and bucket."""

import pytest

from chalicelib.storage.catalog.health import HealthStore
from tests.support.backends import Backend
from tests.support.crashes import silence


@pytest.mark.parametrize("what", ["table", "bucket"])
def test_each_of_table_and_bucket_is_checked_by_itself(backend: Backend, what: str) -> None:
    store = HealthStore(backend.services.stores.objects)
    assert (store.table_answers(), store.bucket_answers()) == (True, True)

    with silence(backend, what):
        assert (store.table_answers(), store.bucket_answers()) == (what != "table", what != "bucket")
