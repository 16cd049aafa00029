"""Fetches the keys of other token issuers through the outgoing guard, and verifies tokens with them.

The keys are stored in the table for all processes. They are fetched again when they are old, or when a token names an
unknown key, at most once a minute over all processes, so that no client can make the registry call an issuer more
often.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from chalicelib.domain.errors import OutgoingFailed, OutgoingRefused, WrongCredentials
from chalicelib.domain.federation import ALGORITHMS
from chalicelib.remote.outgoing import Outgoing
from chalicelib.storage.identity.federation import FederationStore, IssuerRow

DISCOVERY = "/.well-known/openid-configuration"
# In seconds: the pause between two fetches, when keys are fetched again, when they expire, and the time of one fetch.
PAUSE_S, FRESH_S, BELIEVED_S, READING_S = 60, 3600, 7200, 8
LOOK_S = 0.1
MOST_KEYS, SMALLEST_RSA_BITS = 64, 2048
KINDS = {"RS256": "RSA", "ES256": "EC"}
# The public members of a JWK, which are stored.
PARTS = ("kty", "kid", "use", "alg", "n", "e", "crv", "x", "y")

Key = Mapping[str, str]


class Issuers:
    """Verifies tokens with the keys of their issuers."""

    def __init__(
        self,
        store: FederationStore,
        outgoing: Outgoing,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store, self._outgoing, self._clock, self._sleep = store, outgoing, clock, sleep

    def check(self, issuer: str) -> None:
        """Raises OutgoingRefused for an issuer that may not be called."""
        self._outgoing.check_url(issuer)
        if "?" in issuer or "#" in issuer:
            raise OutgoingRefused("an issuer has no query and no fragment")

    def verify(self, text: str, header: Mapping[str, object], issuer: str) -> Mapping[str, Any]:
        """Returns the claims of a token after verifying its signature with the issuer's keys.

        Raises WrongCredentials, whose text is for the operator, and OutgoingFailed if the keys cannot be fetched.
        """
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS or not isinstance(kid, str | None):
            raise WrongCredentials(f"the token is not signed with {' or '.join(ALGORITHMS)}")
        for key in self._keys(issuer, str(algorithm), kid):
            try:
                claims: Mapping[str, Any] = jwt.decode(text, _imported(key), algorithms=[str(algorithm)]).claims
            except (JoseError, ValueError, KeyError, TypeError):
                continue
            return claims
        raise WrongCredentials("no key of its issuer signed the token")

    def _keys(self, issuer: str, algorithm: str, kid: str | None) -> list[Key]:
        """Returns the stored or fetched keys of an issuer that may have signed. Raises OutgoingFailed."""
        row = self._store.keys_of(issuer)
        keys = _fitting(row, algorithm, kid)
        if keys and self._age_s(row) < FRESH_S:
            return keys
        is_believed = bool(keys) and self._age_s(row) < BELIEVED_S
        if self._store.claim(issuer, self._clock(), PAUSE_S):
            row = self._read(issuer, row if is_believed else None)
        elif not is_believed:
            row = self._awaited(issuer)
        if self._age_s(row) >= BELIEVED_S:
            raise OutgoingFailed("the issuer's keys could not be fetched a moment ago")
        return _fitting(row, algorithm, kid)

    def _age_s(self, row: IssuerRow | None) -> float:
        return self._clock() - row.read_at if row and row.read_at is not None else float("inf")

    def _read(self, issuer: str, fallback: IssuerRow | None) -> IssuerRow | None:
        """Fetches and returns the keys; if that fails, returns `otherwise` unless it is None. Raises OutgoingFailed."""
        try:
            self._store.keep(issuer, json.dumps(self._fetch(issuer)), self._clock())
        except OutgoingFailed:
            self._store.fail(issuer, self._clock())
            if fallback is None:
                raise
            return fallback
        return self._store.keys_of(issuer)

    def _awaited(self, issuer: str) -> IssuerRow | None:
        """Returns the stored keys after waiting for another process that is fetching them, if there is one."""
        row = self._store.keys_of(issuer)
        for _ in range(round(READING_S / LOOK_S)):
            if row is None or not row.is_being_read(self._clock(), READING_S):
                break
            self._sleep(LOOK_S)
            row = self._store.keys_of(issuer)
        return row

    def _fetch(self, issuer: str) -> list[Key]:
        """Fetches an issuer's keys from the address in its discovery document. Raises OutgoingFailed."""
        try:
            discovery = self._document(issuer.rstrip("/") + DISCOVERY)
            if discovery.get("issuer") != issuer or not isinstance(discovery.get("jwks_uri"), str):
                raise OutgoingFailed("the issuer's discovery document names another issuer or no keys")
            listed = self._document(discovery["jwks_uri"]).get("keys")
        except OutgoingRefused as error:
            raise OutgoingFailed(str(error)) from None
        if not isinstance(listed, list):
            raise OutgoingFailed("the issuer's keys are not a list")
        return [_public(key) for key in listed[:MOST_KEYS] if isinstance(key, dict)]

    def _document(self, url: str) -> dict[str, Any]:
        response = self._outgoing.get(url)
        document = response.json() if response.status == 200 else None
        if not isinstance(document, dict):
            raise OutgoingFailed(f"the issuer responded with {response.status}")
        return document


def _public(key: Mapping[str, object]) -> Key:
    return {name: value for name in PARTS if isinstance(value := key.get(name), str)}


def _fitting(row: IssuerRow | None, algorithm: str, kid: str | None) -> list[Key]:
    """Returns the stored keys for an algorithm, and for a key id if the token names one."""
    stored: Sequence[Key] = json.loads(row.document) if row and row.document else []
    return [
        key
        for key in stored
        if key.get("kty") == KINDS[algorithm]
        and kid in (None, key.get("kid"))
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
    ]


def _imported(key: Key) -> RSAKey | ECKey:
    """Imports a key for joserfc. Raises ValueError for a weak one."""
    if key["kty"] == "EC":
        return ECKey.import_key(dict(key))
    imported = RSAKey.import_key(dict(key))
    if imported.public_key.key_size < SMALLEST_RSA_BITS:
        raise ValueError("the RSA key is too short")
    return imported
