"""Issuers of tokens that are not ours: their keys, read through the guarded way out, and tokens held against these.

Keys are kept in the table for all processes. They are read again when they are old, and when a token names one that is
not among them, at most once a minute over all processes: nobody can make us call an issuer more often.
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
# In seconds: between two reads, until keys are read again, until they are no longer believed, and for one read.
PAUSE_S, FRESH_S, BELIEVED_S, READING_S = 60, 3600, 7200, 8
LOOK_S = 0.1
MOST_KEYS, SMALLEST_RSA_BITS = 64, 2048
KINDS = {"RS256": "RSA", "ES256": "EC"}
# What is kept of a key: its public part.
PARTS = ("kty", "kid", "use", "alg", "n", "e", "crv", "x", "y")

Key = Mapping[str, str]


class Issuers:
    """The keys of issuers."""

    def __init__(
        self,
        store: FederationStore,
        outgoing: Outgoing,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store, self._outgoing, self._clock, self._sleep = store, outgoing, clock, sleep

    def check(self, issuer: str) -> None:
        """Raises OutgoingRefused for an issuer that would never be called."""
        self._outgoing.check_url(issuer)
        if "?" in issuer or "#" in issuer:
            raise OutgoingRefused("an issuer has no query and no fragment")

    def verify(self, text: str, header: Mapping[str, object], issuer: str) -> Mapping[str, Any]:
        """What a token of an issuer says, once its signature was held against the issuer's keys.

        Raises WrongCredentials, whose sentence is for the operator; OutgoingFailed where the keys cannot be had.
        """
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS or not isinstance(kid, str | None):
            raise WrongCredentials(f"it is signed by none of {', '.join(ALGORITHMS)}")
        for key in self._keys(issuer, str(algorithm), kid):
            try:
                claims: Mapping[str, Any] = jwt.decode(text, _imported(key), algorithms=[str(algorithm)]).claims
            except (JoseError, ValueError, KeyError, TypeError):
                continue
            return claims
        raise WrongCredentials("no key of its issuer has signed it")

    def _keys(self, issuer: str, algorithm: str, kid: str | None) -> list[Key]:
        """The keys of an issuer that may have signed: as they are kept, or read again. Raises OutgoingFailed."""
        row = self._store.keys_of(issuer)
        found = _fitting(row, algorithm, kid)
        if found and self._age_s(row) < FRESH_S:
            return found
        is_believed = bool(found) and self._age_s(row) < BELIEVED_S
        if self._store.claim(issuer, self._clock(), PAUSE_S):
            row = self._read(issuer, row if is_believed else None)
        elif not is_believed:
            row = self._awaited(issuer)
        if self._age_s(row) >= BELIEVED_S:
            raise OutgoingFailed("the issuer's keys could not be read a moment ago")
        return _fitting(row, algorithm, kid)

    def _age_s(self, row: IssuerRow | None) -> float:
        return self._clock() - row.read_at if row and row.read_at is not None else float("inf")

    def _read(self, issuer: str, otherwise: IssuerRow | None) -> IssuerRow | None:
        """The keys, read again; where that fails, what there is otherwise, if anything. Raises OutgoingFailed."""
        try:
            self._store.keep(issuer, json.dumps(self._fetch(issuer)), self._clock())
        except OutgoingFailed:
            self._store.fail(issuer, self._clock())
            if otherwise is None:
                raise
            return otherwise
        return self._store.keys_of(issuer)

    def _awaited(self, issuer: str) -> IssuerRow | None:
        """What is kept once whoever reads the keys now is through; where nobody does, what is kept."""
        row = self._store.keys_of(issuer)
        for _ in range(round(READING_S / LOOK_S)):
            if row is None or not row.is_being_read(self._clock(), READING_S):
                break
            self._sleep(LOOK_S)
            row = self._store.keys_of(issuer)
        return row

    def _fetch(self, issuer: str) -> list[Key]:
        """An issuer's keys, found by its own document. Raises OutgoingFailed."""
        try:
            about = self._document(issuer.rstrip("/") + DISCOVERY)
            if about.get("issuer") != issuer or not isinstance(about.get("jwks_uri"), str):
                raise OutgoingFailed("the issuer's document is not about the issuer")
            listed = self._document(about["jwks_uri"]).get("keys")
        except OutgoingRefused as error:
            raise OutgoingFailed(str(error)) from None
        if not isinstance(listed, list):
            raise OutgoingFailed("the issuer's keys are no list")
        return [_public(key) for key in listed[:MOST_KEYS] if isinstance(key, dict)]

    def _document(self, url: str) -> dict[str, Any]:
        answer = self._outgoing.get(url)
        document = answer.json() if answer.status == 200 else None
        if not isinstance(document, dict):
            raise OutgoingFailed(f"the issuer answers {answer.status}")
        return document


def _public(key: Mapping[str, object]) -> Key:
    return {name: value for name in PARTS if isinstance(value := key.get(name), str)}


def _fitting(row: IssuerRow | None, algorithm: str, kid: str | None) -> list[Key]:
    """The kept keys that may sign with an algorithm, of the id that a token names where it names one."""
    kept: Sequence[Key] = json.loads(row.document) if row and row.document else []
    return [
        key
        for key in kept
        if key.get("kty") == KINDS[algorithm]
        and kid in (None, key.get("kid"))
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
    ]


def _imported(key: Key) -> RSAKey | ECKey:
    """A key as joserfc takes it. Raises ValueError for a weak one."""
    if key["kty"] == "EC":
        return ECKey.import_key(dict(key))
    imported = RSAKey.import_key(dict(key))
    if imported.public_key.key_size < SMALLEST_RSA_BITS:
        raise ValueError("this key is too short")
    return imported
