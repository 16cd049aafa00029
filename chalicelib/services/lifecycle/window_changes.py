"""Applies a shorter Time Machine window of a namespace to what was deleted before.

A longer window needs no work: the collector reads the current window and waits.
"""

from chalicelib.domain.timers import SETTLED_S, Due, HasTime, Later
from chalicelib.storage import keys
from chalicelib.storage.keys.timer_targets import NamespaceTarget, read_target
from chalicelib.storage.stores import Stores
from chalicelib.storage.timers import TimerRow

PAGE = 100
# The place of the second walk begins with this. The second walk finds timers that were written with the old window.
SECOND = "again "


class WindowChanges:
    """Moves timers when a window becomes shorter."""

    def __init__(self, stores: Stores) -> None:
        self._accounts, self._timers, self._clock = stores.accounts, stores.timers, stores.clock

    def work(self, due: Due, has_time: HasTime) -> Later | None:
        """Continues one of two walks through the timers of deleted rows. Raises ValueError for other targets."""
        target = read_target(due.target)
        if not isinstance(target, NamespaceTarget):
            raise ValueError(f"{due.target} is not a namespace")
        is_second = due.place.startswith(SECOND)
        after = due.place.removeprefix(SECOND)
        while page := self._timers.dead(target.namespace_id, after, PAGE):
            if not has_time():
                return Later(int(self._clock()), (SECOND if is_second else "") + after)
            self._hasten(target.namespace_id, page)
            after = page[-1].view_at or ""
        return None if is_second else Later(int(self._clock()) + SETTLED_S, SECOND)

    def _hasten(self, namespace_id: str, rows: list[TimerRow]) -> None:
        """Makes timers due at the end of the current window, unless they are due earlier."""
        namespace = self._accounts.namespace(namespace_id)
        window_s = namespace.window_s if namespace else 0
        for row in rows:
            end = keys.died_at(row.view_at or "") + window_s
            if row.due_at > end:
                self._timers.move(row, end, row.place, 0)
