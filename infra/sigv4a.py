"""AWS's signature 4A, which CloudFront's key value store requires: ECDSA over P-256 instead of HMAC, for any region.

botocore needs awscrt for it, whose import takes longer than botocore's own and would slow every process here.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

import hashlib
import hmac
from typing import Any

from botocore.auth import AUTH_TYPE_MAPS, SigV4Auth
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, derive_private_key
from cryptography.hazmat.primitives.hashes import SHA256

ALGORITHM = "AWS4-ECDSA-P256-SHA256"
# Order of the curve (FIPS 186-4, D.1.2.3).
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def signing_key(access_key: str, secret_key: str) -> EllipticCurvePrivateKey:
    """Derives the private key from a pair of AWS keys (NIST SP 800-108, counter mode)."""
    for counter in range(1, 255):
        fixed = ALGORITHM.encode() + b"\0" + access_key.encode() + bytes([counter]) + (256).to_bytes(4, "big")
        block = hmac.new(b"AWS4A" + secret_key.encode(), (1).to_bytes(4, "big") + fixed, hashlib.sha256).digest()
        candidate = int.from_bytes(block, "big")
        if candidate <= ORDER - 2:
            return derive_private_key(candidate + 1, SECP256R1())
    raise ValueError("no private key can be derived from these AWS keys")


class SigV4A(SigV4Auth):
    """Signs a request; `region_name` is the set of regions that may answer it."""

    credentials: Any
    _service_name: str
    _region_name: str

    def credential_scope(self, request: Any) -> str:
        """Returns the parent's scope without the region."""
        return f"{request.context['timestamp'][:8]}/{self._service_name}/aws4_request"

    def scope(self, request: Any) -> str:
        """Returns the parent's scope without the region."""
        return f"{self.credentials.access_key}/{self.credential_scope(request)}"

    def string_to_sign(self, request: Any, canonical_request: str) -> str:
        """Returns the parent's string with the name of this algorithm."""
        digest = hashlib.sha256(canonical_request.encode()).hexdigest()
        return "\n".join((ALGORITHM, request.context["timestamp"], self.credential_scope(request), digest))

    def signature(self, string_to_sign: str, request: Any) -> str:  # noqa: ARG002  (its parent's signature)
        """Returns the ECDSA signature as DER in hexadecimal."""
        key = signing_key(self.credentials.access_key, self.credentials.secret_key)
        return key.sign(string_to_sign.encode(), ECDSA(SHA256())).hex()

    def _modify_request_before_signing(self, request: Any) -> None:
        super()._modify_request_before_signing(request)  # type: ignore[misc]  # its stubs leave it out
        del request.headers["X-Amz-Region-Set"]
        request.headers["X-Amz-Region-Set"] = self._region_name

    def _inject_signature_to_request(self, request: Any, signature: str) -> Any:
        names = self.signed_headers(self.headers_to_sign(request))
        words = f"Credential={self.scope(request)}, SignedHeaders={names}, Signature={signature}"
        request.headers["Authorization"] = f"{ALGORITHM} {words}"
        return request


def install() -> None:
    """Lets botocore use this signature in this process."""
    AUTH_TYPE_MAPS["v4a"] = SigV4A
