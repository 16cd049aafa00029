"""Manages app tokens, with which a user's programs sign in to the registry as `$app` instead of with the password.

The secret can be read back: it is stored sealed. A token created with an OAuth token has no more rights than that one,
and ends with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from chalicelib.domain.accounts import APP_TOKEN_PREFIX
from chalicelib.domain.errors import FieldInvalid, ResourceUnknown
from chalicelib.domain.ids import is_ulid, ulid
from chalicelib.domain.pages import LARGEST_PAGE
from chalicelib.domain.permissions import Actor
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.identity.makers import maker_of
from chalicelib.services.security.access import Access
from chalicelib.services.security.sealing import Envelope, hashed, random_secret
from chalicelib.storage import keys
from chalicelib.storage.identity.tokens import TokenKind, TokenRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, WriteConflict, retry_on_conflict

# `SWEPT`: how many ended tokens are removed when one is created.
LONGEST_TITLE, MOST_TOKENS, SWEPT = 255, 100, 20
# A token that ends within this many seconds ends soon: Quay's four weeks.
SOON_S = 28 * 86_400
LONGEST_LIFE_S = 315_576_000


@dataclass(frozen=True, slots=True)
class AppToken:
    """An app token; `secret` is None if the actor may not see it. Times are in seconds since the epoch."""

    uuid: str
    title: str
    owner: str
    created_at: int | None
    expires_at: int | None = None
    last_used_at: int | None = None
    secret: str | None = None


class AppTokens:
    """Creates, lists and revokes app tokens."""

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores, envelope: Envelope) -> None:
        self._access, self._usage_log, self._accounts, self._tokens = access, usage_log, stores.accounts, stores.tokens
        self._envelope, self._clock = envelope, stores.clock

    def create(self, actor: Actor, title: str, life_s: int | None = None) -> AppToken:
        """Creates a token of the actor and returns it with its secret; a `life_s` of None means until it is revoked.

        Raises FieldInvalid, Unauthenticated, Denied.
        """
        account_id, now = self._access.require_user(actor), int(self._clock())
        if not 1 <= len(title.strip()) <= LONGEST_TITLE:
            raise FieldInvalid("title", f"a token's title has 1 to {LONGEST_TITLE} characters")
        if life_s is not None and not 1 <= life_s <= LONGEST_LIFE_S:
            raise FieldInvalid("expiration", f"a token's lifetime is 1 to {LONGEST_LIFE_S} seconds")
        secret = random_secret(APP_TOKEN_PREFIX)
        token = self._new(actor, account_id, secret, now + life_s if life_s else None)
        token.title = title.strip()
        retry_on_conflict(lambda: self._add(actor, token))
        return _app_token(token, secret=secret)

    def _new(self, actor: Actor, account_id: str, secret: str, expires_at: int | None) -> TokenRow:
        """Returns a token to be written. One created with an OAuth token has its scopes and ends with it."""
        maker, uuid = maker_of(self._tokens, actor), str(uuid4())
        key_id, sealed = self._envelope.seal(_about(uuid), secret)
        return TokenRow.under(
            keys.token(hashed(secret)),
            kind=TokenKind.APP,
            owner_id=account_id,
            uuid=uuid,
            epoch=actor.epoch,
            sha256=hashed(secret),
            created_at=int(self._clock()),
            created_by=actor.name,
            expires_at=maker.end(expires_at),
            scopes=(maker.row.scopes or "") if maker.row else None,
            made_with=maker.made_with,
            sealed=sealed,
            key_id=key_id,
        )

    def _add(self, actor: Actor, token: TokenRow) -> None:
        """Writes a token, and removes some of those that a new password has ended."""
        rows = self._tokens.listed(token.owner_id, TokenKind.APP)
        if len([row for row in rows if self._is_valid(row, actor.epoch)]) >= MOST_TOKENS:
            raise FieldInvalid("", f"a user has at most {MOST_TOKENS} app tokens: revoke some")
        transaction = Transaction()
        for row in [row for row in rows if row.epoch < actor.epoch][:SWEPT]:
            self._tokens.revoke(transaction, row)
        self._tokens.add_app(transaction, token, ulid(self._clock()))
        self._record(actor, transaction, "create_app_specific_token", token)
        transaction.commit()

    def of_oneself(self, actor: Actor, *, only_expiring: bool = False) -> list[AppToken]:
        """Returns the actor's own tokens, newest first, or only those that end soon. Raises Unauthenticated, Denied."""
        account_id = self._access.require_user(actor)
        used = self._tokens.uses(account_id)
        rows = [row for row in self._tokens.listed(account_id, TokenKind.APP) if self._is_valid(row, actor.epoch)]
        listed = [row for row in rows if not only_expiring or self._ends_soon(row)]
        newest = sorted(listed, key=lambda row: (row.created_at or 0, row.uuid), reverse=True)
        return [_app_token(row, used) for row in newest]

    def of_everybody(self, actor: Actor, after: str = "", *, only_expiring: bool = False) -> tuple[list[AppToken], str]:
        """Returns a page of all users' tokens, oldest first, and where it ends, empty at the last one; for superusers.

        Raises Unauthenticated, Denied.
        """
        self._access.superuser(actor)
        rows = list(self._tokens.all_apps(after if is_ulid(after) else "", LARGEST_PAGE + 1))
        owners = self._accounts.get_all(sorted({row.owner_id for row in rows}))
        epochs = {account_id: account.epoch for account_id, account in owners.items()}
        page = [row for row in rows[:LARGEST_PAGE] if self._is_valid(row, epochs.get(row.owner_id))]
        used = self._tokens.last_uses([(row.owner_id, row.uuid) for row in page])
        items = [_app_token(row, used) for row in page if not only_expiring or self._ends_soon(row)]
        return items, (rows[LARGEST_PAGE - 1].view_at or "") if len(rows) > LARGEST_PAGE else ""

    def get(self, actor: Actor, uuid: str) -> AppToken:
        """Returns one of the actor's own tokens with its secret. An OAuth token sees only what it created.

        Raises ResourceUnknown, Unauthenticated, Denied.
        """
        row = self._require_row(actor, uuid)
        secret = (
            self._envelope.open(_about(uuid), row.key_id or "", row.sealed or b"") if _is_seen(actor, row) else None
        )
        return _app_token(row, self._tokens.last_uses([(row.owner_id, uuid)]), secret)

    def revoke(self, actor: Actor, uuid: str) -> None:
        """Revokes one of the actor's own tokens at once. Raises ResourceUnknown, Unauthenticated, Denied."""
        row = self._require_row(actor, uuid)
        transaction = Transaction()
        self._tokens.revoke(transaction, row)
        self._record(actor, transaction, "revoke_app_specific_token", row)
        try:
            transaction.commit()
        except WriteConflict:
            raise ResourceUnknown("token", uuid) from None

    def _require_row(self, actor: Actor, uuid: str) -> TokenRow:
        row = self._tokens.of_account(self._access.require_user(actor), TokenKind.APP, uuid)
        if row is None or not self._is_valid(row, actor.epoch):
            raise ResourceUnknown("token", uuid)
        return row

    def _is_valid(self, row: TokenRow, epoch: int | None) -> bool:
        """Whether a token is valid by its time and its owner's epoch."""
        return row.epoch == epoch and (row.expires_at is None or row.expires_at > self._clock())

    def _ends_soon(self, row: TokenRow) -> bool:
        return row.expires_at is not None and row.expires_at <= self._clock() + SOON_S

    def _record(self, actor: Actor, transaction: Transaction, kind: str, token: TokenRow) -> None:
        metadata = {"app_specific_token_title": token.title, "app_specific_token": token.uuid}
        self._usage_log.record_for_namespace(actor, transaction, kind, token.owner_id, metadata)


def _is_seen(actor: Actor, row: TokenRow) -> bool:
    """Whether an actor may see a secret: a session may, and a token that created it, which the secret ends with."""
    return actor.scopes is None or actor.token in row.makers


def _about(uuid: str) -> str:
    """Returns the name under which a token's secret is sealed."""
    return f"{uuid}/secret"


def _app_token(row: TokenRow, used: Mapping[str, int] | None = None, secret: str | None = None) -> AppToken:
    return AppToken(
        row.uuid,
        row.title or "",
        row.created_by or "",
        row.created_at,
        row.expires_at,
        (used or {}).get(row.uuid),
        secret,
    )
