"""Reads the keys that sign and seal: a JSON document in a local file or in AWS Secrets Manager.

{"signing": [private JWK, ...], "upload": [hex, ...], "envelope": {id: hex, ...}, "relay": hex, "origin": [text, ...],
"setup": text}
`origin` is what CloudFront sends where it is the only way in; `setup` is what creating the first user over the API
requires. Both may be missing. The first key of a list, and the last one added to `envelope`, is current; the others are
still accepted.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.domain.errors import SettingInvalid, Unavailable

NOT_NOW = "the keys of this installation cannot be read now"


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
    def load(cls, source: str) -> "Secrets":
        """Reads the keys from a file or the ARN of a secret. Raises SettingInvalid, which shows no key, or Unavailable.

        https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
        """
        if not source:
            raise SettingInvalid("CLOUDBERTH_SECRETS", "name a file or the ARN of a secret")
        try:
            text = _secret(source) if source.startswith("arn:") else Path(source).read_text("utf-8")
            secrets = cls._parse(json.loads(text))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            why = f"{source} cannot be read as the keys of an installation ({type(error).__name__})"
            raise SettingInvalid("CLOUDBERTH_SECRETS", why) from None
        if not (secrets.signing and secrets.upload and secrets.envelope and secrets.relay):
            raise SettingInvalid("CLOUDBERTH_SECRETS", f"{source} lacks a key: signing, upload, envelope and relay")
        return secrets

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

    from chalicelib.storage.patience import answering, passes, usual_config

    client: Any = get_session().create_client("secretsmanager", config=usual_config())
    try:
        with answering(NOT_NOW):
            text: str = client.get_secret_value(SecretId=arn)["SecretString"]
    except (ClientError, KeyError) as error:
        if isinstance(error, ClientError) and passes(error):
            raise Unavailable(NOT_NOW) from error
        why = f"{arn} holds no keys yet, or may not be read: run python -m infra.secrets put"
        raise SettingInvalid("CLOUDBERTH_SECRETS", why) from error
    return text
