"""Digests, which identify content (https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests)."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

from chalicelib.domain.errors import DigestInvalid, ResourceUnknown

HEX_LENGTH = {"sha256": 64, "sha512": 128}
GRAMMAR = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
HEX = re.compile(r"[a-f0-9]+")


@dataclass(frozen=True, slots=True)
class Digest:
    """A supported algorithm and its result in hexadecimal."""

    algorithm: str
    hex: str

    @classmethod
    def parse(cls, text: str) -> "Digest":
        """Parses `algorithm:hex`. Raises DigestInvalid if it is malformed or its algorithm is not supported."""
        if not GRAMMAR.fullmatch(text):
            raise DigestInvalid(text, "a digest is an algorithm, ':' and lower-case hexadecimal digits")
        algorithm, _, value = text.partition(":")
        parse_algorithm(algorithm)
        if len(value) != HEX_LENGTH[algorithm] or not HEX.fullmatch(value):
            raise DigestInvalid(text, f"{algorithm} has {HEX_LENGTH[algorithm]} lower-case hexadecimal digits")
        return cls(algorithm, value)

    @classmethod
    def existing(cls, text: str, kind: str = "manifest") -> "Digest":
        """Parses the digest of content that must exist. Raises ResourceUnknown if it is malformed."""
        try:
            return cls.parse(text)
        except DigestInvalid:
            raise ResourceUnknown(kind, text) from None

    @classmethod
    def of(cls, content: bytes, algorithm: str = "sha256") -> "Digest":
        """Returns the digest of `content`."""
        return cls(algorithm, hashlib.new(algorithm, content).hexdigest())

    def matches(self, content: bytes) -> bool:
        """Whether this is the digest of `content`."""
        return hmac.compare_digest(Digest.of(content, self.algorithm).hex, self.hex)

    @property
    def base64(self) -> str:
        """The result in base64, as in S3's checksum headers."""
        return base64.b64encode(bytes.fromhex(self.hex)).decode("ascii")

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"


def parse_algorithm(text: str) -> str:
    """Returns the algorithm if it is supported. Raises DigestInvalid."""
    if text not in HEX_LENGTH:
        raise DigestInvalid(text, f"algorithm {text[:40]!r} is not supported, use sha256 or sha512")
    return text
