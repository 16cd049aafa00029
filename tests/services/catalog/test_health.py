"""Health is asked of table, bucket and keys, each by itself."""

from collections.abc import Callable

from chalicelib.domain.errors import SettingInvalid
from chalicelib.services.catalog.health import Health, HealthChecks
from chalicelib.storage.catalog.health import HealthStore
from chalicelib.storage.secrets import Secrets
from tests.support.backends import House
from tests.support.crashes import silence


def test_a_house_that_is_well_costs_one_read_and_one_list(house: House) -> None:
    house.calls.take()

    health = house.services.checks.health()

    assert health == Health(table=True, bucket=True, keys=True)
    assert health.is_well
    assert house.calls.take() == ["GetItem", "ListObjectsV2"]


def test_a_bucket_that_is_silent_is_told_and_nothing_else(house: House) -> None:
    with silence(house, "bucket"):
        health = house.services.checks.health()

    assert health == Health(table=True, bucket=False, keys=True)
    assert not health.is_well


def test_keys_that_cannot_be_read_are_told(house: House) -> None:
    def unreadable() -> Secrets:
        raise SettingInvalid("CLOUDBERTH_SECRETS", "gone")

    checks: Callable[[], Health] = HealthChecks(HealthStore(house.services.objects), unreadable).health

    assert checks() == Health(table=True, bucket=True, keys=False)
