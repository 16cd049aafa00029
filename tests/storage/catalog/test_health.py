"""Health checks of table, bucket and disk."""

import shutil
from unittest import mock

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


def test_the_free_part_of_the_disk_is_none_if_nothing_can_be_written(backend: Backend) -> None:
    store = HealthStore(backend.services.stores.objects)
    usage = shutil.disk_usage("/")._replace(total=200, free=50)

    with mock.patch("shutil.disk_usage", return_value=usage):
        assert store.free_disk() == 0.25
    with mock.patch("tempfile.gettempdir", side_effect=FileNotFoundError):
        assert store.free_disk() == 0.0
