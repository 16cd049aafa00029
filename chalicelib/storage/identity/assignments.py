"""Stores offers of applications' tokens, in the partitions of the users they are for."""

from pynamodb.attributes import UnicodeAttribute

from chalicelib.domain.applications import Application
from chalicelib.domain.assignments import Assignment
from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer
from chalicelib.storage.identity.applications import ClientRow
from chalicelib.storage.table import Row, Transaction, absent, get, query


class AssignmentRow(Row):
    """An offer."""

    uuid = UnicodeAttribute()
    client_id = UnicodeAttribute()
    redirect_uri = UnicodeAttribute()
    scopes = UnicodeAttribute()
    response_type = UnicodeAttribute()
    created_at = Integer()

    def to_assignment(self, client: ClientRow) -> Assignment:
        """Returns the offer as a value of the domain."""
        application = Application(client.client_id, client.organization, client.name)
        return Assignment(self.uuid, application, self.redirect_uri, tuple(self.scopes.split()), self.response_type)


class AssignmentStore:
    """The offers in the table."""

    def of_user(self, account_id: str) -> list[AssignmentRow]:
        """Returns a user's offers, oldest first."""
        return sorted(query(AssignmentRow, keys.assignment(account_id)), key=lambda row: (row.created_at, row.uuid))

    def get(self, account_id: str, uuid: str) -> AssignmentRow | None:
        """Returns an offer to a user."""
        return get(AssignmentRow, keys.assignment(account_id, uuid)) if uuid else None

    def add(self, transaction: Transaction, row: AssignmentRow) -> None:
        """Writes a new offer."""
        transaction.put(row, absent())

    def remove(self, transaction: Transaction, account_id: str, uuid: str) -> None:
        """Removes an offer if it exists, so that it is accepted only once."""
        row = AssignmentRow.under(keys.assignment(account_id, uuid))
        transaction.delete(row, AssignmentRow.pk.exists())
