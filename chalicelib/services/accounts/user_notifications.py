"""Notices: what a user is told in the application, kept until they put it away."""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.errors import NothingThere
from chalicelib.domain.permissions import Actor
from chalicelib.domain.user_notifications import Notice
from chalicelib.services.security.access import Access
from chalicelib.storage.accounts.user_notifications import NoticeRow, NoticeStore
from chalicelib.storage.table import LostRace, Transaction


@dataclass(frozen=True, slots=True)
class NoticePage:
    """Some notices, newest first, and whether there are more."""

    notices: Sequence[Notice]
    more: bool


class Notices:
    """What oneself is told."""

    def __init__(self, access: Access, store: NoticeStore) -> None:
        self._access, self._store = access, store

    def page(self, actor: Actor, number: int, size: int) -> NoticePage:
        """A page, counted from 0, of what is not put away. Raises Unauthenticated, Denied."""
        rows = [row for row in self._store.of_user(self._access.oneself(actor)) if not row.dismissed]
        start = number * size
        return NoticePage([row.to_notice() for row in rows[start : start + size]], len(rows) > start + size)

    def get(self, actor: Actor, uuid: str) -> Notice:
        """One of them. Raises NothingThere, Unauthenticated, Denied."""
        return self._found(actor, uuid).to_notice()

    def dismiss(self, actor: Actor, uuid: str, *, dismissed: bool) -> Notice:
        """Puts one away, or shows it again. Raises NothingThere, Unauthenticated, Denied."""
        row = self._found(actor, uuid)
        transaction = Transaction()
        self._store.dismiss(transaction, row, dismissed)
        try:
            transaction.commit()
        except LostRace:
            raise NothingThere("notification", uuid) from None
        row.dismissed = dismissed
        return row.to_notice()

    def _found(self, actor: Actor, uuid: str) -> NoticeRow:
        row = self._store.get(self._access.oneself(actor), uuid)
        if row is None:
            raise NothingThere("notification", uuid)
        return row
