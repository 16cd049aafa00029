"""Services of the room `activity`."""

from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.services.activity.lookups import Lookups
from chalicelib.services.activity.usage_log import PullLog, UsageLog
from chalicelib.storage.stores import Stores
from chalicelib.wiring.security import SecurityRoom

if TYPE_CHECKING:
    from chalicelib.services.activity.exports import Exports
    from chalicelib.services.activity.pulls import Pulls
    from chalicelib.services.activity.usage_log_reader import UsageLogReader


class ActivityRoom:
    """The usage log, its readers and exports, and the counting of pulls."""

    def __init__(self, stores: Stores, security: SecurityRoom) -> None:
        self._stores, self._security = stores, security
        settings = stores.settings
        is_hourly = settings.pull_log == "hourly"
        pulls = PullLog(stores.usage_log, is_hourly, settings.pull_batch_s)
        # Only where a write costs nothing do processes outlive their responses.
        lookups = Lookups(stores.lookups, is_hourly, stores.clock, writes_pushers=settings.pull_batch_s > 0)
        self.usage_log = UsageLog(stores.usage_log, pulls, lookups, stores.clock)

    @cached_property
    def usage_log_reader(self) -> "UsageLogReader":
        from chalicelib.services.activity.usage_log_reader import UsageLogReader

        return UsageLogReader(self._security.access, self._stores)

    @cached_property
    def exports(self) -> "Exports":
        from chalicelib.services.activity.exports import Exports

        return Exports(self._stores, self.usage_log_reader, lambda: self._security.envelope, self._security.outgoing)

    @cached_property
    def pulls(self) -> "Pulls":
        from chalicelib.services.activity.pulls import Pulls

        return Pulls(self._security.access, self._stores)
