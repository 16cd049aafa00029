"""The keys that sign and seal: a JSON document in a file of the local stack, or in AWS Secrets Manager.

{"signing": [private JWK, ...], "upload": [hex, ...], "envelope": {id: hex, ...}, "relay": hex, "origin": [text, ...],
"setup": text}
`origin`, which CloudFront shows where it is the only way in, may be missing; so may `setup`, which whoever makes the
first user over the API shows. The first of a list, and the last added of
an envelope, is current; the others are still believed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.domain.errors import SettingInvalid


@dataclass(frozen=True, slots=True)
class Secrets:
    """The keys of one installation."""

    signing: tuple[Mapping[str, Any], ...]
    upload: tuple[bytes, ...]
    envelope: Mapping[str, bytes]
    relay: bytes
    origin: tuple[str, ...] = ()
    setup: str = ""

    @classmethod
    def load(cls, place: str) -> "Secrets":
        """Reads the keys from a file or the ARN of a secret. Raises SettingInvalid, which tells nothing of them."""
        if not place:
            raise SettingInvalid("CLOUDBERTH_SECRETS", "name a file or the ARN of a secret")
        try:
            text = _secret(place) if place.startswith("arn:") else Path(place).read_text("utf-8")
            found = cls._parse(json.loads(text))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            why = f"{place} cannot be read as the keys of an installation ({type(error).__name__})"
            raise SettingInvalid("CLOUDBERTH_SECRETS", why) from None
        if not (found.signing and found.upload and found.envelope and found.relay):
            raise SettingInvalid("CLOUDBERTH_SECRETS", f"{place} lacks a key: signing, upload, envelope and relay")
        return found

    @classmethod
    def _parse(cls, document: Any) -> "Secrets":
        return cls(
            tuple(document["signing"]),
            tuple(bytes.fromhex(key) for key in document["upload"]),
            {name: bytes.fromhex(key) for name, key in document["envelope"].items()},
            bytes.fromhex(document["relay"]),
            tuple(str(secret) for secret in document.get("origin", ())),
            str(document.get("setup", "")),
        )


def _secret(arn: str) -> str:
    from botocore.exceptions import ClientError
    from botocore.session import get_session

    client: Any = get_session().create_client("secretsmanager")
    try:
        text: str = client.get_secret_value(SecretId=arn)["SecretString"]
    except (ClientError, KeyError) as error:
        why = f"{arn} holds no keys yet, or may not be read: run python -m infra.secrets put"
        raise SettingInvalid("CLOUDBERTH_SECRETS", why) from error
    return text
