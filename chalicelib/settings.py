"""The operator's settings, read once from the environment."""

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
SIGN_UPS = ("open", "invited", "closed")
# The settings that have one of a few values.
CHOICES: Mapping[str, tuple[str, ...]] = {
    "downloads": DOWNLOADS,
    "edge": EDGES,
    "pull_log": PULL_LOGS,
    "sign_up": SIGN_UPS,
    "tag_expiration_from": SOURCES,
}
# The words for a switch, in any case of letters.
ON, OFF = ("on", "true", "yes", "1"), ("off", "false", "no", "0")


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, named `CLOUDBERTH_<NAME>` in the environment; names ending in `_s` are seconds."""

    # The address that clients use: realms and absolute addresses come from it only, never from the Host header.
    url: str = "http://localhost:5000"
    table: str = "cloudberth"
    bucket: str = "cloudberth"
    # Where the signing and envelope keys are: a file of the local stack, or the ARN of a secret.
    secrets: str = ""
    # How the URLs of the queues begin: their names follow. Without it, what a message would wake up waits for a timer.
    queues: str = ""
    # How often a mirror asks for new referrers and signatures of tags that did not change; 0 for never.
    mirror_referrers_s: int = 86400
    # Where a blob is downloaded from: `redirect` leads to a presigned S3 address, `edge` to the servers in front of S3.
    downloads: str = "redirect"
    # Whether an upload edge writes to the bucket, so that blobs are looked for there: `on` if S3 verifies checksums
    # itself, `staging` if the registry has S3 verify them.
    edge: str = "off"
    # Whether only CloudFront may call us. It authenticates with the origin secret and sends the client's address.
    origin: bool = False
    # Who may create an account: `open` anybody, `invited` whom a superuser invites, `closed` nobody but superusers, for
    # others. No mail is sent, so that a superuser creates an invited account, too.
    sign_up: str = "closed"
    # `hourly` records a pull once an hour for each actor, address, repository and reference; `all` records each pull.
    pull_log: str = "hourly"
    # How long a pull's record may wait to be written with others, in a process that outlives its responses; 0 writes
    # each before the response.
    pull_batch_s: float = 0.0
    token_s: int = 300
    # How long a session lasts, and how long it counts as fresh after its password was given.
    session_s: int = 14 * 86400
    fresh_s: int = 600
    # How long an OAuth token lasts by default. Quay's ten years are too long for a token that is forgotten.
    oauth_token_s: int = 90 * 86400
    # Whether superusers have all rights on everything, like Quay's FEATURE_SUPERUSERS_FULL_ACCESS.
    superusers_full_access: bool = False
    # Whether an index may lack manifests that it lists, like Quay's FEATURE_SPARSE_INDEX.
    sparse_index: bool = False
    # Hosts and networks that outgoing requests may reach although they are not public, also over http.
    outgoing_allow: str = ""
    # The moment from which a label `quay.expires-after` counts: the push, or the build of the image.
    tag_expiration_from: str = "push"
    # The shortest and the longest life that a user can give a tag.
    tag_expiration_min_s: int = 3600
    tag_expiration_max_s: int = 104 * 7 * 86400
    lease_s: int = 3600
    grace_s: int = 3600
    presign_s: int = 900
    upload_s: int = 3600
    # How long a relay may take to upload one blob over a slow line.
    presigned_upload_s: int = 86400
    log_s: int = 90 * 86400
    # Connections kept open to DynamoDB and S3: as many as there are threads.
    connections: int = 12
    # Whether the table is read without botocore, whose overhead for a read exceeds DynamoDB's own time.
    fast_reads: bool = True

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Reads the settings from an environment. Raises SettingInvalid, naming the variable and the remedy."""
        values: dict[str, Any] = {}
        for name, field in cls.__dataclass_fields__.items():
            text = environment.get(f"CLOUDBERTH_{name.upper()}", "")
            if text:
                values[name] = _parsed(f"CLOUDBERTH_{name.upper()}", text, field.type)
        settings = cls(**values)
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
        for name, choices in CHOICES.items():
            if (value := getattr(self, name)) not in choices:
                raise SettingInvalid(f"CLOUDBERTH_{name.upper()}", f"{value!r} is none of {', '.join(choices)}")
        try:
            Permitted.parse(self.outgoing_allow, "")
        except FieldInvalid as error:
            raise SettingInvalid("CLOUDBERTH_OUTGOING_ALLOW", str(error)) from None

    @property
    def settled_s(self) -> int:
        """Seconds after which no upload can still link an S3 key that was written and is not linked."""
        return self.presigned_upload_s + self.upload_s + self.lease_s

    @property
    def drained_s(self) -> int:
        """Seconds after a deletion when all tokens and leases from before it have ended."""
        return self.token_s + self.lease_s

    @property
    def service(self) -> str:
        """The registry's host and port: the audience of tokens and the `service` of challenges."""
        return self.url.partition("//")[2]


def _parsed(name: str, text: str, kind: object) -> object:
    if kind is bool:
        if text.lower() not in (*ON, *OFF):
            raise SettingInvalid(name, f"{text!r} is neither {', '.join(ON)} nor {', '.join(OFF)}")
        return text.lower() in ON
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
