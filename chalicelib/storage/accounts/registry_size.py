"""The registry's size as it was last counted: bytes that all namespaces link, a page of namespaces at a time."""

from chalicelib.domain.accounts import AccountKind
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountStore, NamespaceRow
from chalicelib.storage.attributes import Integer, OptionalEnumText, OptionalInteger, OptionalText
from chalicelib.storage.registry.repositories import SizeRow
from chalicelib.storage.table import Batch, Row, get


class RegistrySizeRow(Row):
    """What was counted, and how far a count under way has come. `counted_at` is in seconds since the epoch.

    `kind` and `after` are where that goes on, None where none is under way; `so_far` is what it has.
    """

    bytes = Integer(default=0)
    counted_at = OptionalInteger()
    kind = OptionalEnumText(AccountKind)
    after = OptionalText()
    so_far = Integer(default=0)


class RegistrySizeStore:
    """The size in the table."""

    def __init__(self, accounts: AccountStore) -> None:
        self._accounts = accounts

    def get(self) -> RegistrySizeRow:
        """What is known; a row of nothing where nobody has counted."""
        return get(RegistrySizeRow, keys.registry_size()) or RegistrySizeRow.under(keys.registry_size())

    def put(self, row: RegistrySizeRow) -> None:
        """Writes down what is known. Whoever counts at the same time knows as much."""
        row.save()

    def page(self, kind: AccountKind, after: str, limit: int) -> tuple[int, str | None]:
        """Bytes that some namespaces of a kind link, past a name, and the last one's name: None for none."""
        namespaces: list[NamespaceRow] = self._accounts.of_kind(kind, after, limit)
        batch = Batch()
        sizes = [
            batch.add(SizeRow, key) for row in namespaces for key in keys.namespace_sizes(keys.namespace_id(row.pk))
        ]
        if sizes:
            batch.read()
        last = namespaces[-1].name if namespaces else None
        return sum(read.row.bytes for read in sizes if read.row), last
