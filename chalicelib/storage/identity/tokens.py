"""Random tokens and sessions as they are kept: found by the hash of their secret, listed by whoever may revoke them."""

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
    """Kinds of token. Each names the list it stands in."""

    ROBOT = "robot"
    APP = "app"
    OAUTH = "oauth"
    SESSION = "session"


class TokenRow(Row):
    """A random token. The same row stands twice: under the hash of its secret, and in the list of its owner.

    `epoch` is its owner's when it was made; `expires_at` is the TTL attribute. `sealed` is the secret for those who may
    read it back; `scopes` and `client_id` are an OAuth token's; `fresh_until` a session's. `made_with` is the uuid of
    the OAuth token that an app token was made with, and ends with; `view` lists app tokens of everybody.
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


class UsedRow(Row):
    """When a token was last used, to the hour."""

    at = Integer()

    def is_recent(self, now: float) -> bool:
        """Whether a use now is not written down again."""
        return self.at > int(now) - HOUR_S


class TokenStore:
    """Random tokens in the table."""

    def find(self, sha256: str) -> TokenRow | None:
        """A token by the hash of its secret."""
        return get(TokenRow, keys.token(sha256))

    def add(self, transaction: Transaction, token: TokenRow, listed_under: Key) -> None:
        """Writes a token, whose key is that of its hash, and its entry in a list."""
        transaction.put(token, absent())
        transaction.put(_listed(token, listed_under))

    def add_app(self, transaction: Transaction, token: TokenRow, position: str) -> None:
        """Writes an app token, which everybody's list has at a position."""
        listed = _listed(token, keys.account_token(token.owner_id, TokenKind.APP, token.uuid))
        listed.view, listed.view_at = keys.view_app_tokens(), position
        transaction.put(token, absent())
        transaction.put(listed)

    def all_apps(self, after: str, limit: int) -> Iterator[TokenRow]:
        """Everybody's app tokens past a position, oldest first, from an index, which lags."""
        return view(TokenRow, keys.view_app_tokens(), after, limit)

    def listed(self, account_id: str, kind: TokenKind) -> list[TokenRow]:
        """An account's tokens of a kind."""
        return list(query(TokenRow, keys.account_token(account_id, kind, "")))

    def of_account(self, account_id: str, kind: TokenKind, uuid: str) -> TokenRow | None:
        """One of an account's tokens."""
        return get(TokenRow, keys.account_token(account_id, kind, uuid)) if 0 < len(uuid) <= LONGEST_UUID else None

    def revoke(self, transaction: Transaction, listed: TokenRow) -> None:
        """Removes a token, given as its entry in a list, on condition that the entry is there."""
        transaction.delete(TokenRow.under(keys.token(listed.sha256 or "")))
        transaction.delete(TokenRow.under(listed.key), TokenRow.pk.exists())

    def expire(self, transaction: Transaction, listed: TokenRow, at: int) -> None:
        """Gives a token, given as its entry in a list, an end in seconds since the epoch."""
        for key in (keys.token(listed.sha256 or ""), listed.key):
            row = TokenRow.under(key)
            transaction.update(row, TokenRow.expires_at.set(at), condition=TokenRow.pk.exists())

    def use(self, account_id: str, uuid: str, now: float) -> None:
        """Notes the use of a token, at most once an hour; one that cannot be written down is forgotten."""
        with suppress(PutError, Unavailable):
            put_if(
                UsedRow.under(keys.used(account_id, uuid), at=int(now)), absent() | (UsedRow.at <= int(now) - HOUR_S)
            )

    def last_uses(self, tokens: Sequence[tuple[str, str]]) -> dict[str, int]:
        """When tokens, given by account and uuid, were last used, in seconds, by uuid."""
        batch = Batch()
        reads = {uuid: batch.add(UsedRow, keys.used(account_id, uuid)) for account_id, uuid in tokens}
        if reads:
            batch.read()
        return {uuid: read.row.at for uuid, read in reads.items() if read.row}

    def uses(self, account_id: str) -> dict[str, int]:
        """When each of an account's tokens was last used, in seconds, by uuid."""
        beginning = keys.used(account_id)
        return {row.sk.removeprefix(beginning[1]): row.at for row in query(UsedRow, beginning)}


def _listed(token: TokenRow, key: Key) -> TokenRow:
    listed = TokenRow.from_raw_data(token.serialize())
    listed.pk, listed.sk = key
    return listed
