"""Counts the bytes that the registry holds for all namespaces, when a superuser asks for it.

A blob that several namespaces link counts for each of them. A long count stops after LONGEST_S seconds and continues
with the next request, so that no request takes too long.
"""

from dataclasses import dataclass

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.permissions import Actor
from chalicelib.services.security.access import Access
from chalicelib.storage.accounts.registry_size import RegistrySizeRow
from chalicelib.storage.stores import Stores

PAGE, LONGEST_S = 50, 15.0
KINDS = (AccountKind.USER, AccountKind.ORGANIZATION)


@dataclass(frozen=True, slots=True)
class RegistrySize:
    """The last finished count, its time in seconds since the epoch, and whether another count is running."""

    bytes: int
    counted_at: int | None
    is_running: bool


class RegistrySizes:
    """The registry's size, for superusers."""

    def __init__(self, access: Access, stores: Stores) -> None:
        self._access, self._store, self._clock = access, stores.registry_size, stores.clock

    def last(self, actor: Actor) -> RegistrySize:
        """Returns the last count. Raises Unauthenticated, Denied."""
        self._access.superuser(actor)
        return _registry_size(self._store.get())

    def count(self, actor: Actor) -> RegistrySize:
        """Starts a count, or continues one. Raises Unauthenticated, Denied."""
        self._access.superuser(actor)
        row, until = self._store.get(), self._clock() + LONGEST_S
        row.kind, row.after = row.kind or KINDS[0], row.after or ""
        while row.kind is not None:
            self._step(row, row.kind)
            if self._clock() >= until:
                break
        self._store.put(row)
        return _registry_size(row)

    def _step(self, row: RegistrySizeRow, kind: AccountKind) -> None:
        page_bytes, last = self._store.page(kind, row.after or "", PAGE)
        row.so_far, row.after = row.so_far + page_bytes, last
        if last is None:
            following = KINDS.index(kind) + 1
            row.kind = KINDS[following] if following < len(KINDS) else None
        if row.kind is None:
            row.bytes, row.so_far, row.counted_at = row.so_far, 0, int(self._clock())


def _registry_size(row: RegistrySizeRow) -> RegistrySize:
    return RegistrySize(row.bytes, row.counted_at, row.kind is not None)
