"""Stores the keys of issuers whose tokens authenticate robots, for all processes."""

from pynamodb.exceptions import UpdateError
from pynamodb.expressions.update import Action

from chalicelib.storage import keys
from chalicelib.storage.attributes import OptionalInteger, OptionalText
from chalicelib.storage.table import Row, get

# In seconds. Keys that were not read from their issuer for a week expire.
KEPT_S = 7 * 86_400


class IssuerRow(Row):
    """An issuer's keys as JSON, and when a process last read them, tried to read them and failed to."""

    document = OptionalText()
    read_at = OptionalInteger()
    tried_at = OptionalInteger()
    failed_at = OptionalInteger()
    expires_at = OptionalInteger()

    def is_being_read(self, now: float, longest_s: int) -> bool:
        """Whether a process is reading the keys, which takes at most `longest_s` seconds."""
        began = self.tried_at or 0
        return max(self.read_at or 0, self.failed_at or 0) < began > now - longest_s


class FederationStore:
    """The issuers' keys in the table."""

    def keys_of(self, issuer: str) -> IssuerRow | None:
        """Returns the row of an issuer."""
        return get(IssuerRow, keys.issuer_keys(issuer))

    def claim(self, issuer: str, now: float, pause_s: int) -> bool:
        """Claims the reading of an issuer's keys. Returns False if a process tried within `pause_s` seconds."""
        row = IssuerRow.under(keys.issuer_keys(issuer))
        is_free = IssuerRow.tried_at.does_not_exist() | (IssuerRow.tried_at <= int(now) - pause_s)
        actions: list[Action] = [IssuerRow.tried_at.set(int(now)), IssuerRow.expires_at.set(int(now) + KEPT_S)]
        try:
            row.update(actions, is_free)
        except UpdateError as error:
            if error.cause_response_code != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def keep(self, issuer: str, document: str, now: float) -> None:
        """Writes an issuer's keys."""
        row = IssuerRow.under(keys.issuer_keys(issuer))
        row.update([IssuerRow.document.set(document), IssuerRow.read_at.set(int(now))])

    def fail(self, issuer: str, now: float) -> None:
        """Records that an issuer's keys could not be read."""
        IssuerRow.under(keys.issuer_keys(issuer)).update([IssuerRow.failed_at.set(int(now))])
