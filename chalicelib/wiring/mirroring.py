"""Services of the room `mirroring`."""

from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.storage.stores import Stores
from chalicelib.wiring.activity import ActivityRoom
from chalicelib.wiring.security import SecurityRoom

if TYPE_CHECKING:
    from chalicelib.services.mirroring.health import MirrorHealth
    from chalicelib.services.mirroring.mirrors import Mirrors


class MirroringRoom:
    """Repositories that are copied from other registries."""

    def __init__(self, stores: Stores, security: SecurityRoom, activity: ActivityRoom) -> None:
        self._stores, self._security, self._activity = stores, security, activity

    @cached_property
    def health(self) -> "MirrorHealth":
        from chalicelib.services.mirroring.health import MirrorHealth

        return MirrorHealth(self._security.access, self._stores)

    @cached_property
    def mirrors(self) -> "Mirrors":
        from chalicelib.services.mirroring.mirrors import Mirrors

        return Mirrors(self._security.access, self._activity.usage_log, self._stores, lambda: self._security.envelope)
