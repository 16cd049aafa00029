"""Encrypts the secrets that Quay's clients read back, with AES-GCM and a 12-byte nonce before the ciphertext.

The data keys come from the installation's secret and stay in memory. `about` names the id and the field that a secret
belongs to. It is authenticated with the secret, so a secret sealed for another field does not open.
"""

import base64
import hashlib
import os
import secrets
from collections.abc import Callable, Mapping

from chalicelib.domain.accounts import CLIENT_KEY_PREFIX
from chalicelib.domain.errors import SettingInvalid

NONCE = 12
DOT = b"."


class Envelope:
    """The data keys by their ids. The last one seals; every one opens what it sealed."""

    def __init__(self, ring: Mapping[str, bytes]) -> None:
        self._ring = ring

    def seal(self, about: str, secret: str) -> tuple[str, bytes]:
        """Seals a secret and returns the key id and the sealed bytes."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key_id = next(reversed(list(self._ring)))
        nonce = os.urandom(NONCE)
        return key_id, nonce + AESGCM(self._ring[key_id]).encrypt(nonce, secret.encode(), about.encode())

    def open(self, about: str, key_id: str, sealed: bytes) -> str:
        """Opens a sealed secret. Raises SettingInvalid if the key that sealed it is no longer known."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if key_id not in self._ring:
            raise SettingInvalid("CLOUDBERTH_SECRETS", f"the envelope key {key_id} is missing")
        plain = AESGCM(self._ring[key_id]).decrypt(sealed[:NONCE], sealed[NONCE:], about.encode())
        return plain.decode()

    def seal_text(self, about: str, secret: str) -> str:
        """Seals a secret and returns it with the key id as one text, for a client to keep."""
        key_id, sealed = self.seal(about, secret)
        return base64.urlsafe_b64encode(key_id.encode() + DOT + sealed).decode().rstrip("=")

    def open_text(self, about: str, text: str) -> str | None:
        """Opens a text from a client; None if it was not sealed for `about` with a key that is still known."""
        from cryptography.exceptions import InvalidTag

        try:
            key_id, _, sealed = base64.urlsafe_b64decode(text + "===").partition(DOT)
            return self.open(about, key_id.decode(), sealed)
        except (ValueError, InvalidTag, SettingInvalid):
            return None


class PageTokens:
    """Seals the position in a list, as it may name an item that the client must not see."""

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope

    def seal(self, about: str, position: str) -> str:
        """Returns the token of the next page; `about` names the list and the actor."""
        return self._envelope.seal_text(about, position)

    def open(self, about: str, token: str | None) -> str:
        """Returns the position in a token sealed for `about`; for any other token the start of the list, as in Quay."""
        return self._envelope.open_text(about, token or "") or ""


class SealedEpochs:
    """Seals the epoch of an account into a client key, which ends with that epoch, as all that was issued in it."""

    def __init__(self, envelope: Callable[[], Envelope]) -> None:
        self._envelope = envelope

    def seal(self, account_id: str, epoch: int) -> str:
        """Returns a client key of an account."""
        return CLIENT_KEY_PREFIX + self._envelope().seal_text(_about_client_key(account_id), str(epoch))

    def is_key_of(self, account_id: str, epoch: int, text: str) -> bool:
        """Whether a text is a client key of an account in its present epoch."""
        if not text.startswith(CLIENT_KEY_PREFIX):
            return False
        opened = self._envelope().open_text(_about_client_key(account_id), text.removeprefix(CLIENT_KEY_PREFIX))
        return opened == str(epoch)


def _about_client_key(account_id: str) -> str:
    return f"{account_id} client key"


def hashed(secret: str) -> str:
    """Returns the SHA-256 under which a random token is stored; 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def random_secret(prefix: str) -> str:
    """Returns 256 random bits after a prefix that authentication and scanners of leaked secrets recognise."""
    return prefix + secrets.token_urlsafe(32)
