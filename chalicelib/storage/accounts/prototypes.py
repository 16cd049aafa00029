"""Stores the default permissions of organizations."""

from pynamodb.attributes import UnicodeAttribute

from chalicelib.domain.permissions import HolderKind, Role
from chalicelib.storage import keys
from chalicelib.storage.attributes import EnumText, Integer, OptionalText
from chalicelib.storage.table import Row, Transaction, absent, at_version, get, query


class PrototypeRow(Row):
    """A role that a delegate gets on new repositories.

    `delegate_id` is the id of an account or a team, by `delegate_kind`. With `maker_id`, it applies only to the
    repositories of that creator.
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
    """The default permissions in the table."""

    def of_namespace(self, namespace_id: str) -> list[PrototypeRow]:
        """Returns all default permissions of an organization, by uuid."""
        return list(query(PrototypeRow, keys.prototype(namespace_id)))

    def get(self, namespace_id: str, uuid: str) -> PrototypeRow | None:
        """Returns a default permission of an organization."""
        return get(PrototypeRow, keys.prototype(namespace_id, uuid)) if uuid else None

    def add(self, transaction: Transaction, row: PrototypeRow) -> None:
        """Writes a new default permission."""
        transaction.put(row, absent())

    def change(self, transaction: Transaction, row: PrototypeRow) -> None:
        """Writes a default permission if it still has the version that was read."""
        version, row.version = row.version, row.version + 1
        transaction.put(row, at_version(PrototypeRow.version, version) & PrototypeRow.pk.exists())

    def remove(self, transaction: Transaction, row: PrototypeRow) -> None:
        """Removes a default permission if it exists."""
        transaction.delete(PrototypeRow.under(row.key), PrototypeRow.pk.exists())
