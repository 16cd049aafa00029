"""Stores quotas in the rows of their namespaces, which every write reads anyway."""

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition

from chalicelib.domain.quotas import Quota
from chalicelib.domain.timers import QUOTA
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.attributes import Integer
from chalicelib.storage.registry.sizes import SizeRow
from chalicelib.storage.table import Batch, Row, Transaction, absent, get, put_if
from chalicelib.storage.timers import TimerRow, timer

# In seconds. By then, a push that crosses a limit is written.
SETTLED_S = 60


class RoomRow(Row):
    """The number of writes of new bytes under a quota that rejects, and the percentage of the last warning."""

    version = Integer(default=0)
    warned = Integer(default=0)
    namespace_id = UnicodeAttribute()

    def take(self, transaction: Transaction) -> None:
        """Makes a transaction fail if another one added bytes since this row was read."""
        row = RoomRow.under(self.key)
        actions = RoomRow.version.set(self.version + 1), RoomRow.namespace_id.set(self.namespace_id)
        transaction.update(row, *actions, condition=_unchanged(RoomRow.version, self.version))

    def warn(self, transaction: Transaction, percent: int) -> None:
        """Writes the percentage of a warning if none was written since this row was read."""
        row = RoomRow.under(self.key)
        actions = RoomRow.warned.set(percent), RoomRow.namespace_id.set(self.namespace_id)
        transaction.update(row, *actions, condition=_unchanged(RoomRow.warned, self.warned))


def _unchanged(attribute: Integer, read: int) -> Condition:
    """Returns the condition that a number is as it was read; a missing one was read as 0."""
    condition: Condition = attribute == read
    return condition if read else condition | attribute.does_not_exist()


def room_of(namespace_id: str) -> RoomRow:
    """Reads the row by which concurrent pushes into a namespace see each other, consistently."""
    key = keys.room(namespace_id)
    return get(RoomRow, key) or RoomRow.under(key, namespace_id=namespace_id)


def wake(namespace_id: str, now: float) -> None:
    """Schedules the check of a namespace's limits in a minute, unless it is due by then already."""
    due_at = int(now) + SETTLED_S
    put_if(timer(QUOTA, namespace_id, due_at), absent() | (TimerRow.due_at > due_at))


def quota_of(namespace: NamespaceRow | None) -> Quota | None:
    """Returns a namespace's quota; None if it has none."""
    return Quota.from_text(namespace.quota) if namespace is not None and namespace.quota else None


def reject_bytes_of(namespace: NamespaceRow | None) -> int | None:
    """Returns the size above which a namespace's quota rejects pushes; None if none does."""
    quota = quota_of(namespace)
    return quota.reject_bytes if quota else None


def set_quota(namespace: NamespaceRow, quota: Quota | None) -> None:
    """Sets or removes the quota in a namespace's row, which the caller writes."""
    namespace.quota = quota.to_text() if quota else None


def linked_bytes(namespace_id: str) -> int:
    """Returns how many bytes the repositories of a namespace link, with one read."""
    batch = Batch()
    sizes = [batch.add(SizeRow, key) for key in keys.namespace_sizes(namespace_id)]
    batch.read()
    return sum(read.row.bytes for read in sizes if read.row)
