"""Health checks of the table, the bucket and the keys."""

from collections.abc import Callable

from chalicelib.domain.errors import SettingInvalid
from chalicelib.services.catalog.health import Health, HealthChecks
from chalicelib.storage.catalog.health import HealthStore
from chalicelib.storage.secrets import Secrets
from tests.support.backends import Backend
from tests.support.crashes import silence


def test_a_healthy_registry_costs_one_read_and_one_list(backend: Backend) -> None:
    backend.calls.take()

    health = backend.services.catalog.health.health()

    assert health == Health(table=True, bucket=True, keys=True)
    assert health.is_well
    assert backend.calls.take() == ["GetItem", "ListObjectsV2"]


def test_a_bucket_that_does_not_answer_is_reported_alone(backend: Backend) -> None:
    with silence(backend, "bucket"):
        health = backend.services.catalog.health.health()

    assert health == Health(table=True, bucket=False, keys=True)
    assert not health.is_well


def test_keys_that_cannot_be_read_are_reported(backend: Backend) -> None:
    def unreadable() -> Secrets:
        raise SettingInvalid("CLOUDBERTH_SECRETS", "gone")

    checks: Callable[[], Health] = HealthChecks(HealthStore(backend.services.stores.objects), unreadable).health

    assert checks() == Health(table=True, bucket=True, keys=False)
