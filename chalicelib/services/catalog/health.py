"""Health checks of the table, the bucket and the keys. They need no account, since a monitor has none."""

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.domain.errors import SettingInvalid
from chalicelib.storage.catalog.health import HealthStore
from chalicelib.storage.secrets import Secrets

# Quay's threshold (DISKSPACE_HEALTH_WARNING_THRESHOLD).
LEAST_FREE = 0.1


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the table answers, the bucket does, and the keys that sign and seal can be read."""

    table: bool
    bucket: bool
    keys: bool

    @property
    def is_well(self) -> bool:
        """Whether all three do."""
        return self.table and self.bucket and self.keys


class HealthChecks:
    """Checks what the registry needs. `secrets` reads the keys, once in a process."""

    def __init__(self, store: HealthStore, secrets: Callable[[], Secrets]) -> None:
        self._store, self._secrets = store, secrets

    def health(self) -> Health:
        """Returns what answers now; costs one read of the table and one list of the bucket."""
        return Health(self._store.table_answers(), self._store.bucket_answers(), self._has_keys())

    def has_disk_space(self) -> bool:
        """Whether at least a tenth of the disk for temporary files is free. Calls no other service."""
        return self._store.free_disk() >= LEAST_FREE

    def _has_keys(self) -> bool:
        try:
            self._secrets()
        except SettingInvalid:
            return False
        return True
