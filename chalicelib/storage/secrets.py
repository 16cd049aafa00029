"""The keys that sign and seal: a JSON document in a file of the local stack, or in AWS Secrets Manager.

{"signing": [private JWK, ...], "upload": [hex, ...], "envelope": {id: hex, ...}, "relay": hex}
The first of a list, and the last added of an envelope, is current; the others are still believed.
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

    @classmethod
    def load(cls, place: str) -> "Secrets":
        """Reads the keys from a file or the ARN of a secret. Raises SettingInvalid."""
        if not place:
            raise SettingInvalid("CLOUDBERTH_SECRETS", "name a file or the ARN of a secret")
        document = json.loads(_secret(place) if place.startswith("arn:") else Path(place).read_text("utf-8"))
        return cls(
            tuple(document["signing"]),
            tuple(bytes.fromhex(key) for key in document["upload"]),
            {name: bytes.fromhex(key) for name, key in document["envelope"].items()},
            bytes.fromhex(document["relay"]),
        )


def _secret(arn: str) -> str:
    from botocore.session import get_session

    client: Any = get_session().create_client("secretsmanager")
    text: str = client.get_secret_value(SecretId=arn)["SecretString"]
    return text
