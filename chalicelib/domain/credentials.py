"""What an access token was issued for, by name, so that a write can read whether that is still accepted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.digests import Digest
from chalicelib.domain.federation import Rule


@dataclass(frozen=True, slots=True)
class Credential:
    """A random token, or a robot's federation rule, with everything that must exist for it to be accepted.

    `kind` and `uuid` are those of the random token; a federated robot has neither, but `robot`, its name in the first
    of the namespaces, and `rule`. `makers` are the uuids of the OAuth tokens with which the token was created,
    `clients` the applications and `namespaces` the namespaces that the token and its makers belong to.
    """

    kind: str = ""
    uuid: str = ""
    makers: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    robot: str = ""
    rule: Rule | None = None

    def to_claim(self) -> dict[str, Any]:
        """Returns the claim of an access token, without what is empty."""
        rule = self.rule.to_document() if self.rule else None
        fields: dict[str, Any] = {"kind": self.kind, "uuid": self.uuid, "robot": self.robot, "rule": rule}
        fields |= {"makers": self.makers, "clients": self.clients, "namespaces": self.namespaces}
        return {name: value for name, value in fields.items() if value}

    @classmethod
    def from_claim(cls, claim: Mapping[str, Any]) -> "Credential | None":
        """Returns the credential of a claim; None for the empty claim of a password and of anonymous clients."""
        if not claim:
            return None
        rule = claim.get("rule")
        return cls(
            claim.get("kind", ""),
            claim.get("uuid", ""),
            tuple(claim.get("makers", ())),
            tuple(claim.get("clients", ())),
            tuple(claim.get("namespaces", ())),
            claim.get("robot", ""),
            Rule(rule["issuer"], rule["subject"], rule.get("audience")) if rule else None,
        )


@dataclass(frozen=True, slots=True)
class UploadRight:
    """The one upload that a long token may end, as the blob of a digest, or of any digest if that is empty."""

    upload_id: str
    digest: str = ""

    def covers(self, upload_id: str, digest: Digest) -> bool:
        """Whether it is the right to make this upload the blob of this digest."""
        return self.upload_id == upload_id and self.digest in ("", str(digest))
