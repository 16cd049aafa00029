"""Authenticates by password or token. Every check of a password in the registry is here.

All failures look the same, and an unknown name takes as long as a known one: a random token is found by its hash and
costs a read, a password costs an argon2 hash after the throttle.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.domain.accounts import (
    APP_TOKEN_PREFIX,
    APP_TOKEN_USER,
    OAUTH_TOKEN_PREFIX,
    OAUTH_TOKEN_USER,
    ROBOT_TOKEN_PREFIX,
    SESSION_PREFIX,
    AccountKind,
)
from chalicelib.domain.credentials import Credential
from chalicelib.domain.errors import WrongCredentials
from chalicelib.domain.ids import is_ulid
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import stored_scopes
from chalicelib.domain.states import NamespaceState
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.security.passwords import verify_password
from chalicelib.services.security.sealing import SealedEpochs, hashed
from chalicelib.services.security.throttles import REGISTRY, SignInRoute, Throttles
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountRow, NamespaceRow
from chalicelib.storage.identity.applications import ClientRow
from chalicelib.storage.identity.tokens import TokenKind, TokenRow, UsedRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch

if TYPE_CHECKING:
    from chalicelib.services.identity.federation import Federation

# No account has a longer name.
LONGEST_NAME = 512
# An id that no account has. It is looked up for an unknown name, so that this takes as long as a known one.
NOBODY = "nobody"
PREFIXES = {TokenKind.ROBOT: ROBOT_TOKEN_PREFIX, TokenKind.APP: APP_TOKEN_PREFIX, TokenKind.OAUTH: OAUTH_TOKEN_PREFIX}


@dataclass(frozen=True, slots=True)
class Identity:
    """An authenticated account, with the token if one was used."""

    account: AccountRow
    token: TokenRow | None = None
    client: ClientRow | None = None
    # When the credential ends, in seconds since the epoch, None for never. No token issued for it lasts longer.
    ends_at: int | None = None
    # None for a password: its account's epoch ends what was issued for it.
    credential: Credential | None = None

    @property
    def scopes(self) -> frozenset[str] | None:
        """The scopes of an OAuth token, or of an app token created with one; None for all rights of the account.

        An empty set of scopes grants nothing.
        """
        return stored_scopes(self.token.scopes) if self.token and self.token.is_narrowed else None

    def actor(self, address: str) -> Actor:
        """Returns the actor of a request from an address."""
        row, token = self.account, self.token
        application = {"oauth_token_application_id": self.client.client_id} if self.client else {}
        if self.client and token:
            application |= {"oauth_token_application": self.client.name, "oauth_token_id": token.uuid}
        return Actor(
            row.id,
            row.name,
            row.kind,
            row.epoch,
            address=address,
            has_token=token is not None,
            scopes=self.scopes,
            is_superuser=row.superuser,
            is_read_only_superuser=row.read_only_superuser,
            token=token.uuid if token else "",
            is_session=token is not None and token.kind == TokenKind.SESSION,
            fresh_until=(token.fresh_until if token else None) or 0,
            application=application,
        )


def looks_signed(secret: str) -> bool:
    """Whether a password looks like a JWT, as no robot token of this registry does."""
    return secret.startswith("ey") and secret.count(".") == 2


class TokenContext:
    """The rows that a token depends on, read in one batch.

    They are its owner, its application, the namespace of that or of a robot, and its last use; and the tokens it was
    created with, whose applications and namespaces are read after them.
    """

    def __init__(self, token: TokenRow) -> None:
        self._token, batch = token, Batch()
        self._owner = batch.add(AccountRow, keys.account(token.owner_id))
        self._client = batch.add(ClientRow, keys.client(token.client_id)) if token.client_id else None
        namespace_id = token.namespace_id if token.kind in (TokenKind.ROBOT, TokenKind.OAUTH) else None
        self._namespace = batch.add(NamespaceRow, keys.namespace(namespace_id)) if namespace_id else None
        self._user = (
            batch.add(AccountRow, keys.account(namespace_id))
            if namespace_id and token.kind == TokenKind.ROBOT
            else None
        )
        self._makers = [
            batch.add(TokenRow, keys.account_token(token.owner_id, TokenKind.OAUTH, uuid)) for uuid in token.makers
        ]
        is_noted = token.kind in (TokenKind.ROBOT, TokenKind.APP, TokenKind.OAUTH)
        self._used = batch.add(UsedRow, keys.used(token.owner_id, token.uuid)) if is_noted else None
        batch.read()
        rows = [read.row for read in self._makers if read.row is not None]
        of_makers = Batch()
        self._maker_clients = {
            client_id: of_makers.add(ClientRow, keys.client(client_id))
            for client_id in dict.fromkeys(row.client_id or "" for row in rows)
        }
        self._maker_namespaces = {
            one: of_makers.add(NamespaceRow, keys.namespace(one))
            for one in dict.fromkeys(row.namespace_id or "" for row in rows)
        }
        if rows:
            of_makers.read()

    @property
    def credential(self) -> Credential:
        """The token with all that it depends on, as an access token names it."""
        token = self._token
        clients = dict.fromkeys([token.client_id, *self._maker_clients]) if self._client else self._maker_clients
        own = [token.namespace_id] if self._namespace else []
        namespaces = dict.fromkeys([*own, *self._maker_namespaces])
        return Credential(
            token.kind,
            token.uuid,
            token.makers,
            tuple(one for one in clients if one),
            tuple(one for one in namespaces if one),
        )

    def account(self) -> AccountRow | None:
        """Returns the owner; None if a row that the token depends on has ended, and the token with it."""
        row = self._owner.row
        is_owned = row is not None and row.enabled and row.epoch == self._token.epoch
        needed = [self._client, *self._makers, *self._maker_clients.values(), *self._maker_namespaces.values()]
        is_complete = all(read is None or read.row is not None for read in needed)
        return row if is_owned and is_complete and self._is_namespace_live() and self._are_makers_live() else None

    def _are_makers_live(self) -> bool:
        namespaces = [read.row for read in self._maker_namespaces.values()]
        return all(row is not None and row.state == NamespaceState.LIVE for row in namespaces)

    def _is_namespace_live(self) -> bool:
        """Whether the namespace of a robot or application is live, and the user who owns a robot is enabled."""
        if self._namespace is None:
            return True
        namespace, user = self._namespace.row, self._user.row if self._user else None
        return namespace is not None and namespace.state == NamespaceState.LIVE and (user is None or user.enabled)

    @property
    def client(self) -> ClientRow | None:
        """The application of the token."""
        return self._client.row if self._client else None

    def was_used_recently(self, now: float) -> bool:
        """Whether its last use is recent enough not to be written again."""
        return self._used is None or (self._used.row is not None and self._used.row.is_recent(now))


class Authentication:
    """Authenticates by name and password, by name and token, or by token alone.

    `federation` is created on first use.
    """

    def __init__(
        self,
        usage_log: UsageLog,
        stores: Stores,
        throttles: Throttles,
        epochs: SealedEpochs,
        federation: Callable[[], "Federation"],
    ) -> None:
        self._accounts, self._tokens, self._throttles = stores.accounts, stores.tokens, throttles
        self._usage_log, self._epochs = usage_log, epochs
        self._federation, self._clock = federation, stores.clock

    def recognise(self, name: str, secret: str, address: str = "") -> Identity:
        """Returns the identity of a name and a secret, as docker and HTTP Basic send them.

        The name is that of a user or robot, `$app` or `$oauthtoken`. Raises WrongCredentials, TooManyAttempts, and
        OutgoingFailed if the issuer of a robot's token does not respond.
        """
        if "+" in name and looks_signed(secret):
            federated = self._federation().believe(name, secret)
            return Identity(federated.account, ends_at=federated.ends_at, credential=federated.credential)
        kind = {APP_TOKEN_USER: TokenKind.APP, OAUTH_TOKEN_USER: TokenKind.OAUTH}.get(name)
        if kind is None and secret.startswith(ROBOT_TOKEN_PREFIX):
            kind = TokenKind.ROBOT
        if kind is None:
            return Identity(self.by_password(REGISTRY, name, secret, address))
        identity = self.by_token(secret, kind)
        if identity is None or (kind == TokenKind.ROBOT and identity.account.name != name):
            raise WrongCredentials
        return identity

    def by_password(self, route: SignInRoute, name: str, password: str, address: str = "") -> AccountRow:
        """Returns the user with a name and a password, at the registry also with a client key in its place.

        Raises WrongCredentials, TooManyAttempts.
        """
        with self._throttles.attempt(route, name, address):
            pointer = self._accounts.find(name) if len(name) <= LONGEST_NAME else None
            row = self._accounts.get(pointer.id if pointer else NOBODY)
            is_user = row is not None and row.kind == AccountKind.USER
            is_right = self._is_client_key(route, row, password) or verify_password(
                password, row.password_hash if row and is_user else None
            )
            if row is None or not is_right or not row.enabled:
                self._usage_log.record_refused_sign_in(name, row.id if row and is_user else None, address)
                raise WrongCredentials
        return row

    def _is_client_key(self, route: SignInRoute, row: AccountRow | None, secret: str) -> bool:
        """Whether a secret is a client key of an account; never on the web, where a session would begin."""
        return route is REGISTRY and row is not None and self._epochs.is_key_of(row.id, row.epoch, secret)

    def by_bearer(self, secret: str) -> Identity | None:
        """Returns the identity of an OAuth token; None for anything else."""
        return self.by_token(secret, TokenKind.OAUTH)

    def by_session(self, cookie: str) -> Identity | None:
        """Returns the identity of a session's cookie with one read; None if the session has ended."""
        owner_id = cookie.removeprefix(SESSION_PREFIX).partition(".")[0]
        if not cookie.startswith(SESSION_PREFIX) or not is_ulid(owner_id):
            return None
        batch = Batch()
        token = batch.add(TokenRow, keys.token(hashed(cookie)))
        owner = batch.add(AccountRow, keys.account(owner_id))
        batch.read()
        token_row, owner_row = token.row, owner.row
        if (
            token_row is None
            or owner_row is None
            or token_row.kind != TokenKind.SESSION
            or token_row.owner_id != owner_row.id
        ):
            return None
        is_over = self._has_ended(token_row) or not owner_row.enabled or owner_row.epoch != token_row.epoch
        return None if is_over else Identity(owner_row, token_row)

    def by_token(self, secret: str, kind: TokenKind) -> Identity | None:
        """Returns the identity of a random token; None if it is unknown or it, its owner or application has ended."""
        if not secret.startswith(PREFIXES[kind]):
            return None
        token = self._tokens.find(hashed(secret))
        if token is None or token.kind != kind or self._has_ended(token):
            return None
        context = TokenContext(token)
        account = context.account()
        if account is not None and not context.was_used_recently(self._clock()):
            self._tokens.use(token.owner_id, token.uuid, self._clock())
        if account is None:
            return None
        return Identity(account, token, context.client, token.expires_at, context.credential)

    def _has_ended(self, token: TokenRow) -> bool:
        return token.expires_at is not None and token.expires_at <= self._clock()
