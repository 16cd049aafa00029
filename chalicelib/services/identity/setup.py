"""Sets up an installation over the API: whoever has the set-up secret creates its first user, once."""

import hmac
from dataclasses import dataclass
from uuid import uuid4

from chalicelib.domain.errors import AlreadyInitialized, Denied
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import OFFERED
from chalicelib.services.accounts.accounts import Accounts
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.identity.authorizations import Authorizations, NewAuthorization
from chalicelib.services.security.sealing import SealedEpochs, hashed
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountRow
from chalicelib.storage.identity.applications import ApplicationRow, ClientRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction

# Quay's lifetime of the token for the rest of the set-up.
TOKEN_S = 9000
APPLICATION = "automation"


@dataclass(frozen=True, slots=True)
class FirstUser:
    """The first user with a client key, and with an OAuth token if one was requested."""

    name: str
    email: str | None
    client_key: str
    access_token: str | None


class Setup:
    """Creates the first user for an operator, who proves it with the set-up secret; without one nobody can."""

    def __init__(
        self,
        usage_log: UsageLog,
        stores: Stores,
        accounts: Accounts,
        authorizations: Authorizations,
        epochs: SealedEpochs,
    ) -> None:
        self._usage_log, self._accounts, self._authorizations = usage_log, accounts, authorizations
        self._secret, self._epochs = stores.secrets.setup, epochs
        self._applications, self._clock = stores.applications, stores.clock

    def initialize(
        self, setup_secret: str, name: str, password: str, email: str | None, *, wants_token: bool
    ) -> FirstUser:
        """Creates the first user. Raises AlreadyInitialized, Denied, NameInvalid, FieldInvalid, NameTaken."""
        if self._accounts.has_first_user():
            raise AlreadyInitialized
        if not self._secret or not hmac.compare_digest(hashed(self._secret), hashed(setup_secret)):
            raise Denied("the first user", "make")
        account = self._accounts.create_user(name, password, email, first=True)
        row = self._accounts.find(account.name)
        client_key, token = (
            self._epochs.seal(row.id, row.epoch),
            self.create_token(row, TOKEN_S) if wants_token else None,
        )
        return FirstUser(row.name, row.email, client_key, token)

    def create_token(self, user: AccountRow, life_s: int | None = None) -> str:
        """Creates a token of an application in the user's namespace, where they can revoke it, and returns its secret.

        The token has all scopes that its user may have; a `life_s` of None is the default.
        """
        client_id = uuid4().hex.upper()[:20]
        application = ApplicationRow.under(
            keys.application(user.id, client_id),
            client_id=client_id,
            namespace_id=user.id,
            name=APPLICATION,
            created_at=int(self._clock()),
        )
        client = ClientRow.under(
            keys.client(client_id), client_id=client_id, namespace_id=user.id, organization=user.name, name=APPLICATION
        )
        authorization = NewAuthorization(frozenset(OFFERED), APPLICATION, life_s)
        token, secret = self._authorizations.prepared(user, client, authorization, user.name)
        transaction = Transaction()
        self._applications.add(transaction, application, user.name)
        self._applications.add_token(transaction, token)
        metadata = {
            "application_name": APPLICATION,
            "client_id": client_id,
            "token_uuid": token.uuid,
            "scope": token.scopes,
        }
        self._usage_log.record_for_namespace(
            Actor(user.id, user.name), transaction, "create_oauth_api_token", user.id, metadata
        )
        transaction.commit()
        return secret
