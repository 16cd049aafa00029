"""JSON Web Signatures in their compact form, by ES256 and nothing else: what our own tokens are made of.

joserfc, which reads the tokens of strangers, loads X.509 and encryption, too: 29 ms of every cold start (ADR 14). The
cryptography itself is the library's here as there. https://www.rfc-editor.org/rfc/rfc7515#section-3.1,
https://www.rfc-editor.org/rfc/rfc7518#section-3.4
"""

import base64
import json
from collections.abc import Mapping
from typing import Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

ALGORITHM = "ES256"
HOW = ec.ECDSA(SHA256())
NUMBER_BYTES = 32


class Key:
    """A private key on P-256 and its id."""

    def __init__(self, kid: str, private: ec.EllipticCurvePrivateKey) -> None:
        self.kid, self._private, self._public = kid, private, private.public_key()

    @classmethod
    def of(cls, jwk: Mapping[str, Any]) -> Self:
        """A key from its JWK (https://www.rfc-editor.org/rfc/rfc7518#section-6.2). ValueError when it is none."""
        if (jwk.get("kty"), jwk.get("crv")) != ("EC", "P-256"):
            raise ValueError("the key is none on P-256")
        try:
            x, y, d = (int.from_bytes(_decoded(jwk[name])) for name in ("x", "y", "d"))
            kid = jwk["kid"]
        except KeyError as error:
            raise ValueError(f"the key lacks {error}") from None
        public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1())
        return cls(kid, ec.EllipticCurvePrivateNumbers(d, public).private_key())

    def sign(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        """The signed token; the algorithm and the key's id come into its header."""
        whole = {"alg": ALGORITHM, "kid": self.kid, **header}
        signed = f"{_encoded(_json(whole))}.{_encoded(_json(claims))}"
        numbers = decode_dss_signature(self._private.sign(signed.encode("ascii"), HOW))
        return f"{signed}.{_encoded(b''.join(number.to_bytes(NUMBER_BYTES) for number in numbers))}"

    def check(self, signed: bytes, signature: bytes) -> None:
        """Raises ValueError unless this key has signed."""
        if len(signature) != 2 * NUMBER_BYTES:
            raise ValueError("the signature has another length")
        numbers = (int.from_bytes(half) for half in (signature[:NUMBER_BYTES], signature[NUMBER_BYTES:]))
        try:
            self._public.verify(encode_dss_signature(*numbers), signed, HOW)
        except InvalidSignature:
            raise ValueError("the key has not signed this") from None


def read(text: str, keys: Mapping[str, Key]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token that one of the keys, by their ids, has signed. ValueError for any other text."""
    signed, _, signature = text.rpartition(".")
    first, _, second = signed.partition(".")
    header = _object(first)
    # `crit` names what must be understood; of that we understand nothing (RFC 7515, section 4.1.11).
    if header.get("alg") != ALGORITHM or "crit" in header:
        raise ValueError("the token is signed in another way")
    key = keys.get(str(header.get("kid")))
    if key is None:
        raise ValueError("no key of ours has signed it")
    key.check(signed.encode("ascii"), _decoded(signature))
    return header, _object(second)


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(_decoded(text))
    except RecursionError:
        raise ValueError("the token is nested too deep") from None
    if not isinstance(found, dict):
        raise ValueError("the token holds no object")
    return found


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _decoded(text: str) -> bytes:
    """The bytes of unpadded base64url. ValueError for any character that is none of it."""
    if "=" in text:
        raise ValueError("base64url without padding is wanted")
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
