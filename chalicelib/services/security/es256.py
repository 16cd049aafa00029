"""Signs and reads JSON Web Signatures in compact form with ES256, for the registry's own tokens.

joserfc, which reads the tokens of other issuers, also loads X.509 and encryption: 29 ms of every cold start (ADR 14).
The `cryptography` library does the cryptography in both. https://www.rfc-editor.org/rfc/rfc7515#section-3.1,
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
SIGNATURE_ALGORITHM = ec.ECDSA(SHA256())
NUMBER_BYTES = 32


class Key:
    """A private key on P-256 with its id."""

    def __init__(self, kid: str, private: ec.EllipticCurvePrivateKey) -> None:
        self.kid, self._private, self._public = kid, private, private.public_key()

    @classmethod
    def of(cls, jwk: Mapping[str, Any]) -> Self:
        """Returns the key of a JWK (https://www.rfc-editor.org/rfc/rfc7518#section-6.2). Raises ValueError."""
        if (jwk.get("kty"), jwk.get("crv")) != ("EC", "P-256"):
            raise ValueError("the key is not on P-256")
        try:
            x, y, d = (int.from_bytes(_decoded(jwk[name])) for name in ("x", "y", "d"))
            kid = jwk["kid"]
        except KeyError as error:
            raise ValueError(f"the key lacks {error}") from None
        public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1())
        return cls(kid, ec.EllipticCurvePrivateNumbers(d, public).private_key())

    def sign(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        """Returns a signed token; the algorithm and the key's id are added to its header."""
        whole = {"alg": ALGORITHM, "kid": self.kid, **header}
        signed = f"{_encoded(_json(whole))}.{_encoded(_json(claims))}"
        numbers = decode_dss_signature(self._private.sign(signed.encode("ascii"), SIGNATURE_ALGORITHM))
        return f"{signed}.{_encoded(b''.join(number.to_bytes(NUMBER_BYTES) for number in numbers))}"

    def check(self, signed: bytes, signature: bytes) -> None:
        """Raises ValueError unless this key made the signature."""
        if len(signature) != 2 * NUMBER_BYTES:
            raise ValueError("the signature has the wrong length")
        numbers = (int.from_bytes(half) for half in (signature[:NUMBER_BYTES], signature[NUMBER_BYTES:]))
        try:
            self._public.verify(encode_dss_signature(*numbers), signed, SIGNATURE_ALGORITHM)
        except InvalidSignature:
            raise ValueError("the signature does not match the key") from None


def read(text: str, keys: Mapping[str, Key]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns header and claims of a token that one of the keys signed; `keys` are by id. Raises ValueError."""
    signed, _, signature = text.rpartition(".")
    first, _, second = signed.partition(".")
    header = _object(first)
    # `crit` names extensions that must be understood, and none is supported here (RFC 7515, section 4.1.11).
    if header.get("alg") != ALGORITHM or "crit" in header:
        raise ValueError("the token is not signed with ES256")
    key = keys.get(str(header.get("kid")))
    if key is None:
        raise ValueError("no key of this registry signed the token")
    key.check(signed.encode("ascii"), _decoded(signature))
    return header, _object(second)


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _object(text: str) -> dict[str, Any]:
    try:
        document = json.loads(_decoded(text))
    except RecursionError:
        raise ValueError("the token is nested too deeply") from None
    if not isinstance(document, dict):
        raise ValueError("a part of the token is not a JSON object")
    return document


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _decoded(text: str) -> bytes:
    """Decodes unpadded base64url. Raises ValueError for any other character."""
    if "=" in text:
        raise ValueError("base64url must have no padding")
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
