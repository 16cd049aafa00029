"""Stores random tokens and sessions, under the hash of the secret and in the lists of those who may revoke them."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from enum import StrEnum

from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import PutError

from chalicelib.domain.errors import Unavailable
from chalicelib.storage import keys
from chalicelib.storage.attributes import EnumText, Integer, OptionalBytes, OptionalInteger, OptionalText
from chalicelib.storage.keys import Key
from chalicelib.storage.table import Batch, Row, Transaction, absent, get, put_if, query, view

HOUR_S = 3600
LONGEST_UUID = 64


class TokenKind(StrEnum):
    """The kind of a token. Each kind has its own list."""

    ROBOT = "robot"
    APP = "app"
    OAUTH = "oauth"
    SESSION = "session"


class TokenRow(Row):
    """A random token. It is stored twice: under the hash of its secret, and in the list of its owner.

    `epoch` is the owner's at creation; `expires_at` is the TTL attribute. `sealed` is the secret, for those who may
    read it. OAuth tokens have `scopes` and `client_id`, sessions have `fresh_until`. `made_with` are the uuids of
    the OAuth tokens that a token was created with, its maker first, separated by spaces: it ends with the first of
    them to end. `view` lists all app tokens.
    """

    kind = EnumText(TokenKind)
    owner_id = UnicodeAttribute()
    uuid = UnicodeAttribute()
    epoch = Integer()
    expires_at = OptionalInteger()
    sha256 = OptionalText()
    created_at = OptionalInteger()
    created_by = OptionalText()
    title = OptionalText()
    scopes = OptionalText()
    client_id = OptionalText()
    namespace_id = OptionalText()
    fresh_until = OptionalInteger()
    sealed = OptionalBytes()
    key_id = OptionalText()
    made_with = OptionalText()
    view = OptionalText()
    view_at = OptionalText()

    @property
    def makers(self) -> tuple[str, ...]:
        """The uuids of the OAuth tokens that this token was created with."""
        return tuple((self.made_with or "").split())

    @property
    def is_narrowed(self) -> bool:
        """Whether this token has only its scopes, even if they are none, and not all rights of its owner."""
        return self.kind is TokenKind.OAUTH or self.scopes is not None or bool(self.makers)


class UsedRow(Row):
    """The time of a token's last use, accurate to an hour."""

    at = Integer()

    def is_recent(self, now: float) -> bool:
        """Whether the last use is so recent that another one is not recorded."""
        return self.at > int(now) - HOUR_S


class TokenStore:
    """The random tokens in the table."""

    def find(self, sha256: str) -> TokenRow | None:
        """Returns a token by the hash of its secret."""
        return get(TokenRow, keys.token(sha256))

    def add(self, transaction: Transaction, token: TokenRow, listed_under: Key) -> None:
        """Writes a token under its hash, and its entry in a list."""
        transaction.put(token, absent())
        transaction.put(_listed(token, listed_under))

    def add_app(self, transaction: Transaction, token: TokenRow, position: str) -> None:
        """Writes an app token, with its position in the list of all app tokens."""
        listed = _listed(token, keys.account_token(token.owner_id, TokenKind.APP, token.uuid))
        listed.view, listed.view_at = keys.view_app_tokens(), position
        transaction.put(token, absent())
        transaction.put(listed)

    def all_apps(self, after: str, limit: int) -> Iterator[TokenRow]:
        """Yields all app tokens after a position, oldest first. The index lags."""
        return view(TokenRow, keys.view_app_tokens(), after, limit)

    def listed(self, account_id: str, kind: TokenKind) -> list[TokenRow]:
        """Returns an account's tokens of a kind."""
        return list(query(TokenRow, keys.account_token(account_id, kind, "")))

    def of_account(self, account_id: str, kind: TokenKind, uuid: str) -> TokenRow | None:
        """Returns a token of an account."""
        return get(TokenRow, keys.account_token(account_id, kind, uuid)) if 0 < len(uuid) <= LONGEST_UUID else None

    def revoke(self, transaction: Transaction, listed: TokenRow) -> None:
        """Removes a token, given as its entry in a list, if the entry exists."""
        transaction.delete(TokenRow.under(keys.token(listed.sha256 or "")))
        transaction.delete(TokenRow.under(listed.key), TokenRow.pk.exists())

    def expire(self, transaction: Transaction, listed: TokenRow, at: int) -> None:
        """Sets the expiry of a token, given as its entry in a list, in seconds since the epoch."""
        for key in (keys.token(listed.sha256 or ""), listed.key):
            row = TokenRow.under(key)
            transaction.update(row, TokenRow.expires_at.set(at), condition=TokenRow.pk.exists())

    def use(self, account_id: str, uuid: str, now: float) -> None:
        """Records the use of a token, at most once an hour. Errors of the table are ignored."""
        with suppress(PutError, Unavailable):
            put_if(
                UsedRow.under(keys.used(account_id, uuid), at=int(now)), absent() | (UsedRow.at <= int(now) - HOUR_S)
            )

    def last_uses(self, tokens: Sequence[tuple[str, str]]) -> dict[str, int]:
        """Returns the last uses of tokens, given as (account id, uuid), in seconds, by uuid."""
        batch = Batch()
        reads = {uuid: batch.add(UsedRow, keys.used(account_id, uuid)) for account_id, uuid in tokens}
        if reads:
            batch.read()
        return {uuid: read.row.at for uuid, read in reads.items() if read.row}

    def uses(self, account_id: str) -> dict[str, int]:
        """Returns the last uses of an account's tokens, in seconds, by uuid."""
        prefix = keys.used(account_id)
        return {row.sk.removeprefix(prefix[1]): row.at for row in query(UsedRow, prefix)}


def _listed(token: TokenRow, key: Key) -> TokenRow:
    listed = TokenRow.from_raw_data(token.serialize())
    listed.pk, listed.sk = key
    return listed
