"""Stores the notifications that users see in the application."""

import json
from collections.abc import Mapping
from uuid import uuid4

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from chalicelib.domain.user_notifications import UserNotification
from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer
from chalicelib.storage.table import Row, Transaction, absent, get, query


class UserNotificationRow(Row):
    """A notification. `metadata` is JSON."""

    uuid = UnicodeAttribute()
    kind = UnicodeAttribute()
    metadata = UnicodeAttribute()
    created_at = Integer()
    dismissed = BooleanAttribute(default=False)

    def to_notice(self) -> UserNotification:
        """Returns the notification as a value of the domain."""
        return UserNotification(self.uuid, self.kind, self.created_at, json.loads(self.metadata), self.dismissed)


class UserNotificationStore:
    """The notifications in the table."""

    def of_user(self, account_id: str) -> list[UserNotificationRow]:
        """Returns a user's notifications, newest first."""
        rows = query(UserNotificationRow, keys.notice(account_id))
        return sorted(rows, key=lambda row: (row.created_at, row.uuid), reverse=True)

    def get(self, account_id: str, uuid: str) -> UserNotificationRow | None:
        """Returns a notification of a user."""
        return get(UserNotificationRow, keys.notice(account_id, uuid)) if uuid else None

    def add(
        self, transaction: Transaction, account_id: str, kind: str, metadata: Mapping[str, object], now: float
    ) -> None:
        """Writes a new notification for a user."""
        uuid = str(uuid4())
        row = UserNotificationRow.under(
            keys.notice(account_id, uuid), uuid=uuid, kind=kind, metadata=json.dumps(metadata), created_at=int(now)
        )
        transaction.put(row, absent())

    def dismiss(self, transaction: Transaction, row: UserNotificationRow, dismissed: bool) -> None:
        """Dismisses a notification or shows it again, if it exists."""
        change = UserNotificationRow.dismissed.set(dismissed)
        transaction.update(UserNotificationRow.under(row.key), change, condition=UserNotificationRow.pk.exists())
