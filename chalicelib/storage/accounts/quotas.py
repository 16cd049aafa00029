"""Quotas as they are kept: with their namespace, which every write reads anyway."""

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition

from chalicelib.domain.quotas import Quota
from chalicelib.domain.timers import QUOTA
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.attributes import Integer
from chalicelib.storage.registry.repositories import SizeRow
from chalicelib.storage.table import Batch, Row, Transaction, absent, get, put_if
from chalicelib.storage.timers import TimerRow, timer

# A push that crosses a limit has been written by then.
SETTLED_S = 60


class RoomRow(Row):
    """How often bytes were added to a namespace whose quota refuses, and the percent that was last warned of."""

    version = Integer(default=0)
    warned = Integer(default=0)
    namespace_id = UnicodeAttribute()

    def take(self, transaction: Transaction) -> None:
        """Lets a transaction add bytes only if none were added since this row was read."""
        row = RoomRow.under(self.key)
        actions = RoomRow.version.set(self.version + 1), RoomRow.namespace_id.set(self.namespace_id)
        transaction.update(row, *actions, condition=_is_still(RoomRow.version, self.version))

    def warn(self, transaction: Transaction, percent: int) -> None:
        """Notes of what was warned, if it is still the same as when this row was read."""
        row = RoomRow.under(self.key)
        actions = RoomRow.warned.set(percent), RoomRow.namespace_id.set(self.namespace_id)
        transaction.update(row, *actions, condition=_is_still(RoomRow.warned, self.warned))


def _is_still(attribute: Integer, read: int) -> Condition:
    """The condition that a number is the one that was read; where none was, it is 0."""
    condition: Condition = attribute == read
    return condition if read else condition | attribute.does_not_exist()


def room_of(namespace_id: str) -> RoomRow:
    """What pushes into a namespace have in common, read consistently."""
    key = keys.room(namespace_id)
    return get(RoomRow, key) or RoomRow.under(key, namespace_id=namespace_id)


def wake(namespace_id: str, now: float) -> None:
    """Has a namespace's limits looked at in a moment, unless that is due by then already."""
    soon = int(now) + SETTLED_S
    put_if(timer(QUOTA, namespace_id, soon), absent() | (TimerRow.due_at > soon))


def quota_of(namespace: NamespaceRow | None) -> Quota | None:
    """A namespace's quota, None where it has none."""
    return Quota.from_text(namespace.quota) if namespace is not None and namespace.quota else None


def set_quota(namespace: NamespaceRow, quota: Quota | None) -> None:
    """Gives a namespace that is to be written a quota, or takes it away."""
    namespace.quota = quota.to_text() if quota else None


def linked_bytes(namespace_id: str) -> int:
    """What the repositories of a namespace link, in bytes, by one read."""
    batch = Batch()
    sizes = [batch.add(SizeRow, key) for key in keys.namespace_sizes(namespace_id)]
    batch.read()
    return sum(read.row.bytes for read in sizes if read.row)
