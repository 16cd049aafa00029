"""Sessions of people in a browser: opaque, kept by the hash of their secret, ended by a sign-out or a new password.

A change needs the session's CSRF token beside the cookie. It follows from the cookie's own value, so nothing is kept
for it, and a stranger, who has a signed cookie and no session, gets one without a write.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from uuid import uuid4

from chalicelib.domain.accounts import SESSION_PREFIX
from chalicelib.domain.errors import CsrfInvalid, FreshLoginRequired, WrongCredentials
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

STRANGER = "stranger."


@dataclass(frozen=True, slots=True)
class Session:
    """What a browser keeps: the cookie's value, and the CSRF token that goes with it."""

    cookie: str
    csrf: str


class Sessions:
    """Sessions. `life_s` is how long one lasts, `fresh_s` how long its password counts as just shown, in seconds."""

    def __init__(self, usage_log: UsageLog, stores: Stores, doors: Authentication) -> None:
        self._doors, self._usage_log, self._tokens = doors, usage_log, stores.tokens
        self._keys = list(stores.secrets.upload)
        self._life_s, self._fresh_s, self._clock = stores.settings.session_s, stores.settings.fresh_s, stores.clock

    def sign_in(self, name: str, password: str, address: str, cookie: str) -> tuple[AccountRow, Session]:
        """A new session for a name and password; the one of `cookie` ends. Raises WrongCredentials, TooManyAttempts."""
        account = self._doors.by_password(WEB, name, password, address)
        return account, self._begin(account, cookie, address)

    def verify(self, actor: Actor, password: str, cookie: str) -> Session:
        """A new, fresh session for a signed-in user's password: no token becomes a session.

        Raises WrongCredentials, TooManyAttempts.
        """
        if not actor.is_session:
            raise WrongCredentials
        account = self._doors.by_password(WEB, actor.name, password, actor.address)
        return self._begin(account, cookie, actor.address)

    def begin(self, account: AccountRow, cookie: str = "") -> Session:
        """A new session of an account that has been recognised; the one of `cookie` ends."""
        return self._begin(account, cookie)

    def _begin(self, account: AccountRow, cookie: str, address: str | None = None) -> Session:
        """The same; who came from an address with a password has signed in, and it is recorded."""
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
            self._usage_log.note(actor, transaction, LOGIN, account.id, {"type": "quayauth", "username": account.name})
        transaction.commit()
        self._end(cookie)
        return self.session(secret)

    def end(self, actor: Actor, cookie: str) -> None:
        """Signs out: the session of a cookie ends; one that is over stays so."""
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
                told = {"type": "quayauth", "username": actor.name}
                self._usage_log.note(actor, transaction, LOGOUT, token.owner_id, told)
            try:
                transaction.commit()
            except WriteConflict:
                return

    def believe(self, cookie: str) -> Identity | None:
        """Who a session's cookie speaks for; None for a stranger, or when it is over."""
        return self._doors.by_session(cookie)

    def check_fresh(self, actor: Actor) -> None:
        """Raises FreshLoginRequired for a session whose password was shown too long ago; tokens need none."""
        if actor.is_session and actor.fresh_until <= self._clock():
            raise FreshLoginRequired

    def session(self, cookie: str) -> Session:
        """A cookie with its CSRF token."""
        return Session(cookie, self._csrf(self._keys[0], cookie))

    def stranger(self, cookie: str) -> Session:
        """The session of somebody who has not signed in; a cookie that we signed is kept."""
        if cookie.startswith(SESSION_PREFIX) or self._is_ours(cookie):
            return self.session(cookie)
        words = STRANGER + secrets.token_urlsafe(16)
        return self.session(f"{words}.{self._signature(self._keys[0], words)}")

    def _is_ours(self, cookie: str) -> bool:
        words, _, signature = cookie.rpartition(".")
        is_stranger = words.startswith(STRANGER)
        return is_stranger and any(_same(self._signature(key, words), signature) for key in self._keys)

    def check_csrf(self, cookie: str, csrf: str) -> None:
        """Raises CsrfInvalid when a CSRF token is not that of the cookie beside it."""
        is_known = cookie.startswith(SESSION_PREFIX) or self._is_ours(cookie)
        if not is_known or not any(_same(self._csrf(key, cookie), csrf) for key in self._keys):
            raise CsrfInvalid

    def _csrf(self, key: bytes, cookie: str) -> str:
        return _mac(key, "csrf." + cookie)

    def _signature(self, key: bytes, words: str) -> str:
        return _mac(key, "cookie." + words)


def _mac(key: bytes, text: str) -> str:
    digest = hmac.new(key, text.encode("utf-8", "replace"), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _same(ours: str, shown: str) -> bool:
    return hmac.compare_digest(ours.encode(), shown.encode("utf-8", "replace"))
