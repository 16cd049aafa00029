"""What an operator may choose: the environment, read once."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from chalicelib.domain.addresses import Permitted
from chalicelib.domain.errors import FieldInvalid, SettingInvalid
from chalicelib.domain.expiry_labels import SOURCES

DOWNLOADS = ("redirect", "edge")
EDGES = ("off", "on", "staging")
PULL_LOGS = ("hourly", "all")


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, named `CLOUDBERTH_<NAME>` in the environment; names ending in `_s` are seconds."""

    # Where clients reach us: the only source of realms and absolute addresses, never the Host header.
    url: str = "http://localhost:5000"
    table: str = "cloudberth"
    bucket: str = "cloudberth"
    # Signing and envelope keys: a file of the local stack, or the ARN of a secret.
    secrets: str = ""
    # Where a blob's bytes come from: `redirect` to presigned S3, or the `edge` in front of it.
    downloads: str = "redirect"
    # Whether an upload edge writes to the bucket by itself, so that blobs are looked for there: `on` where S3 proves
    # what it takes, `staging` where the registry has it proven.
    edge: str = "off"
    # Whether only CloudFront may ask, which proves itself with the origin secret and tells the viewer's address.
    origin: bool = False
    # `hourly`: a pull is recorded once an hour by actor, address, repository and reference; `all`: each one.
    pull_log: str = "hourly"
    # How long a written pull may wait for others, where the process outlives its replies; 0 writes before the reply.
    pull_batch_s: float = 0.0
    token_s: int = 300
    # How long a session lasts, and how long its password counts as just shown.
    session_s: int = 14 * 86400
    fresh_s: int = 600
    # How long an OAuth token lasts when nobody says: Quay's ten years are too long to forget one in.
    oauth_token_s: int = 90 * 86400
    # Whether a superuser has every right on what others own, as Quay's FEATURE_SUPERUSERS_FULL_ACCESS gives.
    superusers_full_access: bool = False
    # Hosts and networks that we may call although they are not public, over http too.
    outgoing_allow: str = ""
    # From when a label `quay.expires-after` counts: the push, or the moment at which the image was built.
    tag_expiration_from: str = "push"
    # How near to its beginning, and how far from it, an end lies at least and at most that somebody gives a tag.
    tag_expiration_least_s: int = 3600
    tag_expiration_most_s: int = 104 * 7 * 86400
    lease_s: int = 3600
    grace_s: int = 3600
    presign_s: int = 900
    upload_s: int = 3600
    # How long a relay may take to bring one blob, on a slow line.
    presigned_upload_s: int = 86400
    log_s: int = 90 * 86400
    # Connections kept to DynamoDB and S3: as many as there are threads.
    connections: int = 12
    # Reads of the table past botocore, which takes longer around a read than DynamoDB over it.
    fast_reads: bool = True

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """The settings of an environment. Raises SettingInvalid, naming the variable and the remedy."""
        found: dict[str, Any] = {}
        for name, field in cls.__dataclass_fields__.items():
            text = environment.get(f"CLOUDBERTH_{name.upper()}", "")
            if text:
                found[name] = _parsed(f"CLOUDBERTH_{name.upper()}", text, field.type)
        settings = cls(**found)
        settings._check()
        return settings

    def _check(self) -> None:
        if self.grace_s <= self.presign_s:
            why = (
                f"{self.grace_s} must exceed CLOUDBERTH_PRESIGN_S ({self.presign_s}), or an address outlives its bytes"
            )
            raise SettingInvalid("CLOUDBERTH_GRACE_S", why)
        if not self.url.startswith(("http://", "https://")) or self.url.count("/") > 2:
            raise SettingInvalid("CLOUDBERTH_URL", f"{self.url!r} is not http(s)://host[:port] without a path")
        for name, value, choices in (
            ("DOWNLOADS", self.downloads, DOWNLOADS),
            ("EDGE", self.edge, EDGES),
            ("PULL_LOG", self.pull_log, PULL_LOGS),
            ("TAG_EXPIRATION_FROM", self.tag_expiration_from, SOURCES),
        ):
            if value not in choices:
                raise SettingInvalid(f"CLOUDBERTH_{name}", f"{value!r} is none of {', '.join(choices)}")
        try:
            Permitted.parse(self.outgoing_allow, "")
        except FieldInvalid as error:
            raise SettingInvalid("CLOUDBERTH_OUTGOING_ALLOW", str(error)) from None

    @property
    def settled_s(self) -> int:
        """Seconds after which nobody can still want a key that was written and not named."""
        return self.presigned_upload_s + self.upload_s + self.lease_s

    @property
    def drained_s(self) -> int:
        """Seconds after a deletion at which no token of before it works, and no lease of before it holds."""
        return self.token_s + self.lease_s

    @property
    def service(self) -> str:
        """The registry's host and port: audience of tokens, `service` of challenges."""
        return self.url.partition("//")[2]


def _parsed(name: str, text: str, kind: object) -> object:
    if kind is bool:
        if text not in ("on", "off"):
            raise SettingInvalid(name, f"{text!r} is neither 'on' nor 'off'")
        return text == "on"
    if kind not in (int, float):
        return text.rstrip("/") if name == "CLOUDBERTH_URL" else text
    try:
        number = int(text) if kind is int else float(text)
    except ValueError:
        raise SettingInvalid(name, f"{text!r} is not a number") from None
    if number < 0:
        raise SettingInvalid(name, f"{text!r} is below 0")
    if not math.isfinite(number):
        raise SettingInvalid(name, f"{text!r} is not a number")
    return number


@cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings.read(os.environ)
