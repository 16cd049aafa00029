"""Manages tokens of OAuth applications, which act as a user within scopes; user and organization can revoke them.

The secret of a token is shown once. A token never has more rights than its user, nor than the token that created it.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

from chalicelib.domain.accounts import OAUTH_TOKEN_PREFIX, AccountRole
from chalicelib.domain.applications import Application, Authorization, Token
from chalicelib.domain.errors import DataInvalid, Denied, ResourceUnknown
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import USER_ADMIN, grantable, implied, parse_scopes, stored_scopes
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.identity.makers import SESSION, Maker, maker_of
from chalicelib.services.security.access import Access
from chalicelib.services.security.sealing import hashed, random_secret
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountRow
from chalicelib.storage.identity.applications import ClientRow
from chalicelib.storage.identity.tokens import TokenKind, TokenRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, WriteConflict

LONGEST_NAME = 255
# Quay's limit, and the most valid tokens of one application at once.
LONGEST_LIFE_S = 315_576_000
MOST_TOKENS = 1000


@dataclass(frozen=True, slots=True)
class NewAuthorization:
    """A token to create. `life_s` is in seconds, None for the default; it never outlives its maker."""

    scopes: frozenset[str]
    name: str | None = None
    life_s: int | None = None
    maker: Maker = SESSION


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A token as a client requests it; `scope` is separated by spaces, a `life_s` of None is the default."""

    name: str
    scope: str
    life_s: int | None = None


class Authorizations:
    """Creates, lists and revokes OAuth tokens."""

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores) -> None:
        self._access, self._usage_log, self._accounts, self._store = (
            access,
            usage_log,
            stores.accounts,
            stores.applications,
        )
        self._tokens, self._life_s, self._clock = stores.tokens, stores.settings.oauth_token_s, stores.clock

    def prepared(
        self, user: AccountRow, client: ClientRow, new: NewAuthorization, created_by: str
    ) -> tuple[TokenRow, str]:
        """Returns a token to be written, and its secret: without the superusers' scope if the user is none.

        Raises Denied if no scope is left.
        """
        scopes = grantable(new.scopes, is_superuser=user.role is not AccountRole.USER)
        now, secret = int(self._clock()), random_secret(OAUTH_TOKEN_PREFIX)
        token = TokenRow.under(
            keys.token(hashed(secret)),
            kind=TokenKind.OAUTH,
            owner_id=user.id,
            uuid=str(uuid4()),
            epoch=user.epoch,
            sha256=hashed(secret),
            created_at=now,
            created_by=created_by,
            expires_at=new.maker.end(now + min(new.life_s or self._life_s, LONGEST_LIFE_S)),
            made_with=new.maker.made_with,
            title=new.name,
            scopes=" ".join(sorted(scopes)),
            client_id=client.client_id,
            namespace_id=client.namespace_id,
        )
        return token, secret

    def create(self, actor: Actor, organization: str, client_id: str, request: TokenRequest) -> Token:
        """Creates a token of an application that acts as the actor, and returns it with its secret.

        One created with an OAuth token has no more scopes, and ends no later than that one and with it.
        Raises FieldInvalid, ScopeInvalid, ResourceUnknown, Unauthenticated, Denied.
        """
        client = self._client(actor, organization, client_id)
        maker = maker_of(self._tokens, actor)
        scopes = grantable(parse_scopes(request.scope), is_superuser=actor.may_grant_superusers_scope)
        new = NewAuthorization(scopes, _name(request.name), _life(request.life_s), maker)
        if actor.scopes is not None and not implied(new.scopes) <= implied(actor.scopes):
            raise Denied(request.scope, "grant")
        user = self._accounts.get(actor.account_id or "")
        if user is None:
            raise Denied(organization, "administer")
        if len(self._valid(self._store.tokens(client.namespace_id, client_id))) >= MOST_TOKENS:
            raise DataInvalid("", f"an application has at most {MOST_TOKENS} tokens: revoke some")
        token, secret = self.prepared(user, client, new, user.name)
        transaction = Transaction()
        self._store.add_token(transaction, token)
        metadata = {
            "application_name": client.name,
            "client_id": client_id,
            "token_uuid": token.uuid,
            "scope": token.scopes,
        }
        self._usage_log.record_for_namespace(
            actor, transaction, "create_oauth_api_token", client.namespace_id, metadata
        )
        transaction.commit()
        return _token(token, secret=secret)

    def of_application(self, actor: Actor, organization: str, client_id: str) -> list[Token]:
        """Returns the valid tokens of an application, newest first. Raises ResourceUnknown, Unauthenticated, Denied."""
        client = self._client(actor, organization, client_id)
        tokens = self._valid(self._store.tokens(client.namespace_id, client_id))
        owners = {token.owner_id: self._tokens.uses(token.owner_id) for token in tokens}
        newest = sorted(tokens, key=lambda token: (token.created_at or 0, token.uuid), reverse=True)
        return [_token(token, owners[token.owner_id].get(token.uuid)) for token in newest]

    def revoke_of_application(self, actor: Actor, organization: str, client_id: str, uuid: str) -> None:
        """Revokes a token of an application. Raises ResourceUnknown, Unauthenticated, Denied."""
        client = self._client(actor, organization, client_id)
        token = self._store.token(client.namespace_id, client_id, uuid)
        self._revoke(actor, token, uuid, client)

    def of_user(self, actor: Actor) -> list[Authorization]:
        """Returns the authorizations that the actor gave to applications. Raises Unauthenticated, Denied."""
        return [
            Authorization(
                token.uuid,
                Application(client.client_id, client.organization, client.name),
                tuple(sorted(stored_scopes(token.scopes))),
            )
            for token, client in self._of_user(actor)
        ]

    def one_of_user(self, actor: Actor, uuid: str) -> Authorization:
        """Returns one authorization of the actor. Raises ResourceUnknown, Unauthenticated, Denied."""
        match = next((one for one in self.of_user(actor) if one.uuid == uuid), None)
        if match is None:
            raise ResourceUnknown("authorization", uuid)
        return match

    def _of_user(self, actor: Actor) -> list[tuple[TokenRow, ClientRow]]:
        tokens = self._valid(self._store.tokens_of_user(self._access.require_user(actor, USER_ADMIN)))
        clients = self._store.clients(sorted({token.client_id or "" for token in tokens}))
        pairs = [(token, clients[token.client_id or ""]) for token in tokens if token.client_id in clients]
        return sorted(pairs, key=lambda pair: (pair[1].name, pair[0].uuid))

    def revoke_of_user(self, actor: Actor, uuid: str) -> None:
        """Revokes a token that acts as the actor. Raises ResourceUnknown, Unauthenticated, Denied."""
        own = {token.uuid: (token, client) for token, client in self._of_user(actor)}
        token, client = own.get(uuid, (None, None))
        self._revoke(actor, token, uuid, client)

    def revoke_stolen(self, account_id: str, uuid: str) -> None:
        """Revokes a token whose code was used twice, as one of the two may have stolen it."""
        token = self._tokens.of_account(account_id, TokenKind.OAUTH, uuid)
        if token is not None:
            transaction = Transaction()
            self._store.revoke(transaction, token)
            with suppress(WriteConflict):
                transaction.commit()

    def _revoke(self, actor: Actor, token: TokenRow | None, uuid: str, client: ClientRow | None) -> None:
        if token is None or client is None:
            raise ResourceUnknown("token", uuid)
        transaction = Transaction()
        self._store.revoke(transaction, token)
        metadata = {"application_name": client.name, "client_id": client.client_id, "token_uuid": uuid}
        self._usage_log.record_for_namespace(
            actor, transaction, "revoke_oauth_api_token", client.namespace_id, metadata
        )
        try:
            transaction.commit()
        except WriteConflict:
            raise ResourceUnknown("token", uuid) from None

    def _client(self, actor: Actor, organization: str, client_id: str) -> ClientRow:
        access = self._access.administered(actor, organization)
        client = self._store.clients([client_id]).get(client_id) if client_id else None
        if client is None or client.namespace_id != access.id:
            raise ResourceUnknown("application", client_id)
        return client

    def _valid(self, tokens: Sequence[TokenRow]) -> list[TokenRow]:
        now = self._clock()
        return [token for token in tokens if token.expires_at is None or token.expires_at > now]


def _token(token: TokenRow, last_used_at: int | None = None, secret: str | None = None) -> Token:
    return Token(
        token.uuid,
        token.scopes or "",
        token.title,
        token.created_at,
        token.created_by,
        token.expires_at,
        last_used_at,
        secret,
    )


def _name(text: str) -> str:
    if not 1 <= len(text.strip()) <= LONGEST_NAME:
        raise DataInvalid("name", f"a token's name has 1 to {LONGEST_NAME} characters")
    return text.strip()


def _life(seconds: int | None) -> int | None:
    if seconds is not None and seconds < 1:
        raise DataInvalid("expiration", "a token's lifetime is 1 second or more")
    return seconds
