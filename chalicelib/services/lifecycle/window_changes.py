"""Windows: when a namespace's Time Machine keeps for less time, what died before goes sooner, too.

A longer one needs nothing: the collector looks at the window as it is, and waits.
"""

from chalicelib.domain.timers import SETTLED_S, Due, HasTime, Later
from chalicelib.storage import keys
from chalicelib.storage.keys.timer_targets import NamespaceTarget, read_target
from chalicelib.storage.stores import Stores
from chalicelib.storage.timers import TimerRow

PAGE = 100
# How the place of the second walk begins: what was written by who still knew the old window is met by it.
SECOND = "again "


class WindowChanges:
    """What follows when a window is made shorter."""

    def __init__(self, stores: Stores) -> None:
        self._accounts, self._timers, self._clock = stores.accounts, stores.timers, stores.clock

    def work(self, due: Due, has_time: HasTime) -> Later | None:
        """Goes on with a walk over what died, of which there are two. Raises ValueError for what is no namespace."""
        found = read_target(due.target)
        if not isinstance(found, NamespaceTarget):
            raise ValueError(f"no window is over {due.target}")
        is_second = due.place.startswith(SECOND)
        after = due.place.removeprefix(SECOND)
        while page := self._timers.dead(found.namespace_id, after, PAGE):
            if not has_time():
                return Later(int(self._clock()), (SECOND if is_second else "") + after)
            self._hasten(found.namespace_id, page)
            after = page[-1].view_at or ""
        return None if is_second else Later(int(self._clock()) + SETTLED_S, SECOND)

    def _hasten(self, namespace_id: str, rows: list[TimerRow]) -> None:
        """Makes timers due at the end of the window as it is now; those that are sooner stay."""
        namespace = self._accounts.namespace(namespace_id)
        window_s = namespace.window_s if namespace else 0
        for row in rows:
            end = keys.died_at(row.view_at or "") + window_s
            if row.due_at > end:
                self._timers.move(row, end, row.place, 0)
