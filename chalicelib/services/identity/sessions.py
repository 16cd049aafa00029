"""Manages browser sessions: opaque secrets, stored by their hash, that end with a sign-out or a new password.

A change needs the session's CSRF token beside the cookie. The token is derived from the cookie, so nothing is stored
for it, and a browser that is not signed in, which has a signed cookie and no session, gets one without a write.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from uuid import uuid4

from chalicelib.domain.accounts import SESSION_PREFIX
from chalicelib.domain.errors import CsrfInvalid, FreshLoginRequired, Unauthenticated, WrongCredentials
from chalicelib.domain.events import LOGIN, LOGOUT
from chalicelib.domain.permissions import Actor
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.identity.authentication import Authentication, Identity
from chalicelib.services.security.sealing import hashed, random_secret
from chalicelib.services.security.throttles import WEB
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountRow
from chalicelib.storage.identity.tokens import TokenKind, TokenRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, WriteConflict

ANONYMOUS_PREFIX = "stranger."


@dataclass(frozen=True, slots=True)
class Session:
    """What a browser keeps: the value of the cookie and its CSRF token."""

    cookie: str
    csrf: str


class Sessions:
    """Starts, checks and ends sessions."""

    def __init__(self, usage_log: UsageLog, stores: Stores, authentication: Authentication) -> None:
        self._authentication, self._usage_log, self._tokens = authentication, usage_log, stores.tokens
        self._keys = list(stores.secrets.upload)
        self._life_s, self._fresh_s, self._clock = stores.settings.session_s, stores.settings.fresh_s, stores.clock

    def sign_in(self, name: str, password: str, address: str, cookie: str) -> tuple[AccountRow, Session]:
        """Starts a session by password and ends that of `cookie`. Raises WrongCredentials, TooManyAttempts."""
        account = self._authentication.by_password(WEB, name, password, address)
        return account, self._begin(account, cookie, address)

    def verify(self, actor: Actor, password: str, cookie: str) -> Session:
        """Starts a fresh session for a signed-in user who gives their password again. A token cannot do this.

        Raises Unauthenticated, WrongCredentials, TooManyAttempts.
        """
        if actor.is_anonymous:
            raise Unauthenticated("Requires authentication")
        if not actor.is_session:
            raise WrongCredentials
        account = self._authentication.by_password(WEB, actor.name, password, actor.address)
        return self._begin(account, cookie, actor.address)

    def begin(self, account: AccountRow, cookie: str = "") -> Session:
        """Starts a session of an authenticated account and ends that of `cookie`."""
        return self._begin(account, cookie)

    def _begin(self, account: AccountRow, cookie: str, address: str | None = None) -> Session:
        """Starts a session; with the address of a sign-in by password, it also records that sign-in."""
        now, secret = int(self._clock()), random_secret(f"{SESSION_PREFIX}{account.id}.")
        token = TokenRow.under(
            keys.token(hashed(secret)),
            kind=TokenKind.SESSION,
            owner_id=account.id,
            uuid=str(uuid4()),
            epoch=account.epoch,
            sha256=hashed(secret),
            created_at=now,
            expires_at=now + self._life_s,
            fresh_until=now + self._fresh_s,
        )
        transaction = Transaction()
        self._tokens.add(transaction, token, keys.account_token(account.id, TokenKind.SESSION, token.uuid))
        if address is not None:
            actor = Actor(account.id, account.name, account.kind, address=address)
            self._usage_log.record_for_namespace(
                actor, transaction, LOGIN, account.id, {"type": "quayauth", "username": account.name}
            )
        transaction.commit()
        self._end(cookie)
        return self.session(secret)

    def end(self, actor: Actor, cookie: str) -> None:
        """Signs out: ends the session of a cookie. Does nothing if it has ended."""
        self._end(cookie, actor)

    def _end(self, cookie: str, actor: Actor | None = None) -> None:
        token = self._tokens.find(hashed(cookie)) if cookie.startswith(SESSION_PREFIX) else None
        if token is None:
            return
        listed = self._tokens.of_account(token.owner_id, TokenKind.SESSION, token.uuid)
        transaction = Transaction()
        if listed is not None:
            self._tokens.revoke(transaction, listed)
            if actor is not None and actor.account_id == token.owner_id:
                metadata = {"type": "quayauth", "username": actor.name}
                self._usage_log.record_for_namespace(actor, transaction, LOGOUT, token.owner_id, metadata)
            try:
                transaction.commit()
            except WriteConflict:
                return

    def believe(self, cookie: str) -> Identity | None:
        """Returns the identity of a session's cookie; None if there is no session or it has ended."""
        return self._authentication.by_session(cookie)

    def check_fresh(self, actor: Actor) -> None:
        """Raises FreshLoginRequired for a session whose last password check is too long ago; never for a token."""
        if actor.is_session and actor.fresh_until <= self._clock():
            raise FreshLoginRequired

    def session(self, cookie: str) -> Session:
        """Returns a cookie with its CSRF token."""
        return Session(cookie, self._csrf(self._keys[0], cookie))

    def anonymous(self, cookie: str) -> Session:
        """Returns the session of a browser that is not signed in; a cookie signed by this registry is kept."""
        if cookie.startswith(SESSION_PREFIX) or self._is_ours(cookie):
            return self.session(cookie)
        value = ANONYMOUS_PREFIX + secrets.token_urlsafe(16)
        return self.session(f"{value}.{self._signature(self._keys[0], value)}")

    def _is_ours(self, cookie: str) -> bool:
        value, _, signature = cookie.rpartition(".")
        is_anonymous = value.startswith(ANONYMOUS_PREFIX)
        return is_anonymous and any(_same(self._signature(key, value), signature) for key in self._keys)

    def check_csrf(self, cookie: str, csrf: str) -> None:
        """Raises CsrfInvalid unless the CSRF token belongs to the cookie."""
        is_known = cookie.startswith(SESSION_PREFIX) or self._is_ours(cookie)
        if not is_known or not any(_same(self._csrf(key, cookie), csrf) for key in self._keys):
            raise CsrfInvalid

    def _csrf(self, key: bytes, cookie: str) -> str:
        return _mac(key, "csrf." + cookie)

    def _signature(self, key: bytes, value: str) -> str:
        return _mac(key, "cookie." + value)


def _mac(key: bytes, text: str) -> str:
    digest = hmac.new(key, text.encode("utf-8", "replace"), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _same(ours: str, given: str) -> bool:
    return hmac.compare_digest(ours.encode(), given.encode("utf-8", "replace"))
