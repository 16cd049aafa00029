"""Stores the registry's size: the bytes that all namespaces link, counted a page of namespaces at a time."""

from chalicelib.domain.accounts import AccountKind
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountStore, NamespaceRow
from chalicelib.storage.attributes import Integer, OptionalEnumText, OptionalInteger, OptionalText
from chalicelib.storage.registry.sizes import SizeRow
from chalicelib.storage.table import Batch, Row, get


class RegistrySizeRow(Row):
    """The last count, and the progress of a running one. `counted_at` is in seconds since the epoch.

    `kind` and `after` say where the running count continues, None if there is none; `so_far` is its sum.
    """

    bytes = Integer(default=0)
    counted_at = OptionalInteger()
    kind = OptionalEnumText(AccountKind)
    after = OptionalText()
    so_far = Integer(default=0)


class RegistrySizeStore:
    """The registry's size in the table."""

    def __init__(self, accounts: AccountStore) -> None:
        self._accounts = accounts

    def get(self) -> RegistrySizeRow:
        """Returns the last count; an empty row if there was none."""
        return get(RegistrySizeRow, keys.registry_size()) or RegistrySizeRow.under(keys.registry_size())

    def put(self, row: RegistrySizeRow) -> None:
        """Writes the row without a condition, as concurrent counts give the same result."""
        row.save()

    def page(self, kind: AccountKind, after: str, limit: int) -> tuple[int, str | None]:
        """Counts the bytes of a page of namespaces after a name. Returns them and the last name, if there is one."""
        namespaces: list[NamespaceRow] = self._accounts.of_kind(kind, after, limit)
        batch = Batch()
        sizes = [
            batch.add(SizeRow, key) for row in namespaces for key in keys.namespace_sizes(keys.namespace_id(row.pk))
        ]
        if sizes:
            batch.read()
        last = namespaces[-1].name if namespaces else None
        return sum(read.row.bytes for read in sizes if read.row), last
