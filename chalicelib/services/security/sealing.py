"""Secrets that Quay's clients read back, kept under envelope encryption: AES-GCM, 12 bytes of nonce before the text.

The data keys come from the installation's secret and stay in memory. What is sealed is bound to what it belongs to:
`about` is the id and the field, and nothing sealed for another opens under it.
"""

import base64
import hashlib
import os
import secrets
from collections.abc import Mapping

from chalicelib.domain.errors import SettingInvalid

NONCE = 12
DOT = b"."


class Envelope:
    """The ring of data keys by their ids; the last added seals, all open."""

    def __init__(self, ring: Mapping[str, bytes]) -> None:
        self._ring = ring

    def seal(self, about: str, secret: str) -> tuple[str, bytes]:
        """Key id and sealed bytes of a secret."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key_id = next(reversed(list(self._ring)))
        nonce = os.urandom(NONCE)
        return key_id, nonce + AESGCM(self._ring[key_id]).encrypt(nonce, secret.encode(), about.encode())

    def open(self, about: str, key_id: str, sealed: bytes) -> str:
        """A sealed secret. Raises SettingInvalid when the key that sealed it is no longer in the ring."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if key_id not in self._ring:
            raise SettingInvalid("CLOUDBERTH_SECRETS", f"the envelope key {key_id} is missing")
        plain = AESGCM(self._ring[key_id]).decrypt(sealed[:NONCE], sealed[NONCE:], about.encode())
        return plain.decode()


class PageTokens:
    """Where a list goes on, sealed: a place may name what its holder may not see."""

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope

    def seal(self, about: str, place: str) -> str:
        """What to ask for the next page with; `about` says of which list, and for whom."""
        key_id, sealed = self._envelope.seal(about, place)
        return base64.urlsafe_b64encode(key_id.encode() + DOT + sealed).decode().rstrip("=")

    def open(self, about: str, token: str | None) -> str:
        """The place of a token that we sealed for this; the beginning for anything else, as in Quay."""
        from cryptography.exceptions import InvalidTag

        try:
            key_id, _, sealed = base64.urlsafe_b64decode((token or "") + "===").partition(DOT)
            return self._envelope.open(about, key_id.decode(), sealed)
        except (ValueError, InvalidTag, SettingInvalid):
            return ""


def hashed(secret: str) -> str:
    """What a random token is found by: 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def random_secret(prefix: str) -> str:
    """256 random bits behind a prefix that scanners of leaked secrets, and our doors, know."""
    return prefix + secrets.token_urlsafe(32)
