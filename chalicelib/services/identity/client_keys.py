"""Creates client keys: what Quay calls encrypted passwords.

A client signs in at the registry with the name of a user and the key as its password. The key does not contain the
password, opens neither a session nor the API, and ends with the next password.
"""

from chalicelib.domain.errors import FieldInvalid, WrongCredentials
from chalicelib.domain.permissions import Actor
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.identity.authentication import Authentication
from chalicelib.services.security.access import Access
from chalicelib.services.security.sealing import SealedEpochs
from chalicelib.services.security.throttles import WEB
from chalicelib.storage.table import Transaction


class ClientKeys:
    """Creates client keys of users."""

    def __init__(
        self, access: Access, usage_log: UsageLog, authentication: Authentication, epochs: SealedEpochs
    ) -> None:
        self._access, self._usage_log = access, usage_log
        self._authentication, self._epochs = authentication, epochs

    def create(self, actor: Actor, password: str) -> str:
        """Returns a client key of a user who gives their password again, and records that.

        Raises FieldInvalid for another password, TooManyAttempts, Unauthenticated, Denied.
        """
        self._access.require_user(actor)
        try:
            row = self._authentication.by_password(WEB, actor.name, password, actor.address)
        except WrongCredentials as error:
            raise FieldInvalid("password", str(error)) from None
        transaction = Transaction()
        self._usage_log.record_for_namespace(actor, transaction, "user_generate_client_key", row.id, {})
        transaction.commit()
        return self._epochs.seal(row.id, row.epoch)
