"""Shows users their notifications until they dismiss them."""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.errors import ResourceUnknown
from chalicelib.domain.permissions import Actor
from chalicelib.domain.user_notifications import UserNotification
from chalicelib.services.security.access import Access
from chalicelib.storage.accounts.user_notifications import UserNotificationRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, WriteConflict


@dataclass(frozen=True, slots=True)
class UserNotificationPage:
    """A page of notifications, newest first, and whether there are more."""

    notifications: Sequence[UserNotification]
    more: bool


class UserNotifications:
    """Lists and dismisses the actor's own notifications."""

    def __init__(self, access: Access, stores: Stores) -> None:
        self._access, self._store = access, stores.user_notifications

    def page(self, actor: Actor, number: int, size: int) -> UserNotificationPage:
        """Returns a page, counted from 0, of the notifications that are not dismissed.

        Raises Unauthenticated, Denied.
        """
        rows = [row for row in self._store.of_user(self._access.require_user(actor)) if not row.dismissed]
        start = number * size
        return UserNotificationPage([row.to_notice() for row in rows[start : start + size]], len(rows) > start + size)

    def get(self, actor: Actor, uuid: str) -> UserNotification:
        """Returns one notification. Raises ResourceUnknown, Unauthenticated, Denied."""
        return self._require_row(actor, uuid).to_notice()

    def dismiss(self, actor: Actor, uuid: str, *, dismissed: bool) -> UserNotification:
        """Dismisses a notification, or shows it again. Raises ResourceUnknown, Unauthenticated, Denied."""
        row = self._require_row(actor, uuid)
        transaction = Transaction()
        self._store.dismiss(transaction, row, dismissed)
        try:
            transaction.commit()
        except WriteConflict:
            raise ResourceUnknown("notification", uuid) from None
        row.dismissed = dismissed
        return row.to_notice()

    def _require_row(self, actor: Actor, uuid: str) -> UserNotificationRow:
        row = self._store.get(self._access.require_user(actor), uuid)
        if row is None:
            raise ResourceUnknown("notification", uuid)
        return row
