"""How many bytes the registry holds for all namespaces, counted when a superuser asks for it.

Bytes that several namespaces link count for each of them. A count of very many goes on where it stopped when it is
asked for again, so that no request takes longer than it may.
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
    """What was counted, and when, in seconds since the epoch; whether a count is not finished."""

    bytes: int
    counted_at: int | None
    is_running: bool


class RegistrySizes:
    """The registry's size, for superusers."""

    def __init__(self, access: Access, stores: Stores) -> None:
        self._access, self._store, self._clock = access, stores.registry_size, stores.clock

    def last(self, actor: Actor) -> RegistrySize:
        """What was last counted. Raises Unauthenticated, Denied."""
        self._access.superuser(actor)
        return _shown(self._store.get())

    def count(self, actor: Actor) -> RegistrySize:
        """Counts, or goes on counting. Raises Unauthenticated, Denied."""
        self._access.superuser(actor)
        row, until = self._store.get(), self._clock() + LONGEST_S
        row.kind, row.after = row.kind or KINDS[0], row.after or ""
        while row.kind is not None:
            self._step(row, row.kind)
            if self._clock() >= until:
                break
        self._store.put(row)
        return _shown(row)

    def _step(self, row: RegistrySizeRow, kind: AccountKind) -> None:
        found, last = self._store.page(kind, row.after or "", PAGE)
        row.so_far, row.after = row.so_far + found, last
        if last is None:
            following = KINDS.index(kind) + 1
            row.kind = KINDS[following] if following < len(KINDS) else None
        if row.kind is None:
            row.bytes, row.so_far, row.counted_at = row.so_far, 0, int(self._clock())


def _shown(row: RegistrySizeRow) -> RegistrySize:
    return RegistrySize(row.bytes, row.counted_at, row.kind is not None)
