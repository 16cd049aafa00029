"""Default permissions of organizations as they are kept."""

from pynamodb.attributes import UnicodeAttribute

from chalicelib.domain.permissions import HolderKind, Role
from chalicelib.storage import keys
from chalicelib.storage.attributes import EnumText, Integer, OptionalText
from chalicelib.storage.table import Row, Transaction, absent, at_version, get, query


class PrototypeRow(Row):
    """A role that a delegate gets on new repositories, of one maker or of everybody.

    `delegate_id` is an account's or a team's, by `delegate_kind`.
    """

    uuid = UnicodeAttribute()
    namespace_id = UnicodeAttribute()
    role = EnumText(Role)
    delegate_id = UnicodeAttribute()
    delegate_kind = EnumText(HolderKind)
    maker_id = OptionalText()
    created_at = Integer(default=0)
    version = Integer(default=0)


class PrototypeStore:
    """Default permissions in the table."""

    def of_namespace(self, namespace_id: str) -> list[PrototypeRow]:
        """All of an organization's, by uuid."""
        return list(query(PrototypeRow, keys.prototype(namespace_id)))

    def get(self, namespace_id: str, uuid: str) -> PrototypeRow | None:
        """One of an organization's."""
        return get(PrototypeRow, keys.prototype(namespace_id, uuid)) if uuid else None

    def add(self, transaction: Transaction, row: PrototypeRow) -> None:
        """Writes a new one."""
        transaction.put(row, absent())

    def change(self, transaction: Transaction, row: PrototypeRow) -> None:
        """Writes one over the version that was read."""
        version, row.version = row.version, row.version + 1
        transaction.put(row, at_version(PrototypeRow.version, version) & PrototypeRow.pk.exists())

    def remove(self, transaction: Transaction, row: PrototypeRow) -> None:
        """Removes one, on condition that it is there."""
        transaction.delete(PrototypeRow.under(row.key), PrototypeRow.pk.exists())
