"""Keys of issuers whose tokens stand for robots, as they are kept between all processes."""

from pynamodb.exceptions import UpdateError
from pynamodb.expressions.update import Action

from chalicelib.storage import keys
from chalicelib.storage.attributes import OptionalInteger, OptionalText
from chalicelib.storage.table import Row, get

# Keys that nobody asked for in a week are forgotten.
KEPT_S = 7 * 86_400


class IssuerRow(Row):
    """An issuer's keys, as JSON; when they were read, when somebody last began to read them, and last failed to."""

    document = OptionalText()
    read_at = OptionalInteger()
    tried_at = OptionalInteger()
    failed_at = OptionalInteger()
    expires_at = OptionalInteger()

    def is_being_read(self, now: float, longest_s: int) -> bool:
        """Whether somebody has begun to read, which takes them `longest_s` seconds at most, and is not through."""
        began = self.tried_at or 0
        return max(self.read_at or 0, self.failed_at or 0) < began > now - longest_s


class FederationStore:
    """Issuers' keys in the table."""

    def keys_of(self, issuer: str) -> IssuerRow | None:
        """What is kept of an issuer."""
        return get(IssuerRow, keys.issuer_keys(issuer))

    def claim(self, issuer: str, now: float, pause_s: int) -> bool:
        """Whether this process may read an issuer's keys now: nobody has tried for `pause_s` seconds."""
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
        """Keeps an issuer's keys."""
        row = IssuerRow.under(keys.issuer_keys(issuer))
        row.update([IssuerRow.document.set(document), IssuerRow.read_at.set(int(now))])

    def fail(self, issuer: str, now: float) -> None:
        """Keeps that an issuer's keys could not be read."""
        IssuerRow.under(keys.issuer_keys(issuer)).update([IssuerRow.failed_at.set(int(now))])
