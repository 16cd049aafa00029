"""Reads the local stack's settings from the environment and makes the environment of its workers (docs/settings.md)."""

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.errors import StackError

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
TABLE = "cloudberth"
BUCKET = "cloudberth"
REGION = "us-east-1"
# The account that the servers know.
ACCOUNT = "000000000000"
LOOPBACK = "127.0.0.1"
# AWS documents that its TTL service deletes rows "within a few days".
LATEST_S = 7 * 86_400
CHOICES = {
    "CLOUDBERTH_DOWNLOADS": ("redirect", "edge"),
    "CLOUDBERTH_PULL_LOG": ("hourly", "all"),
    "CLOUDBERTH_SIGN_UP": ("open", "invited", "closed"),
    "CLOUDBERTH_TABLES": ("dynoxide", "ministack"),
}


@dataclass(frozen=True)
class StackSettings:
    """The settings that an operator chose for one stack."""

    port: int
    data: Path
    admin: str
    admin_password: str | None = field(repr=False)
    workers: int
    downloads: str
    pull_log: str
    sign_up: str
    tables: str
    ttl_late_s: int

    @property
    def host(self) -> str:
        """Returns the registry part of an image's name: `localhost:5000`."""
        return f"localhost:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"


@dataclass(frozen=True)
class StackCredentials:
    """The key pair of this stack's S3 and DynamoDB."""

    access_key: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True)
class ServerEndpoints:
    """The URLs of the servers of one start."""

    tables: str
    objects: str
    queues: str


def settings_from(environ: Mapping[str, str]) -> StackSettings:
    """Parses every CLOUDBERTH_* variable of the stack. Raises StackError, which names the first bad one."""
    return StackSettings(
        port=_number(environ, "CLOUDBERTH_PORT", default=5000, highest=65535),
        data=ROOT / Path(_text(environ, "CLOUDBERTH_DATA", ".local")).expanduser(),
        admin=_text(environ, "CLOUDBERTH_ADMIN", "admin"),
        admin_password=_text(environ, "CLOUDBERTH_ADMIN_PASSWORD", "") or None,
        workers=_number(environ, "CLOUDBERTH_WORKERS", default=2, highest=64),
        downloads=_choice(environ, "CLOUDBERTH_DOWNLOADS", "edge"),
        pull_log=_choice(environ, "CLOUDBERTH_PULL_LOG", "hourly"),
        sign_up=_choice(environ, "CLOUDBERTH_SIGN_UP", "open"),
        tables=tables_server(environ),
        ttl_late_s=_number(environ, "CLOUDBERTH_TTL_LATE_S", default=60, lowest=0, highest=LATEST_S),
    )


def tables_server(environ: Mapping[str, str]) -> str:
    """Returns the server of the tables: by default dynoxide if it has a binary for this machine, else ministack."""
    has_binary = sys.platform == "linux" and platform.machine() == "x86_64"
    return _choice(environ, "CLOUDBERTH_TABLES", "dynoxide" if has_binary else "ministack")


def worker_environment(
    settings: StackSettings, endpoints: ServerEndpoints, credentials: StackCredentials, base: Mapping[str, str]
) -> dict[str, str]:
    """Returns the environment of gateway workers and the seed: `base` without its AWS account, plus the stack's."""
    # A developer's AWS_PROFILE or session token must never reach a stack whose servers are on loopback.
    inherited = {
        name: value
        for name, value in base.items()
        if not name.startswith("AWS_") and name != "CLOUDBERTH_ADMIN_PASSWORD"
    }
    return inherited | {
        "AWS_ENDPOINT_URL_DYNAMODB": endpoints.tables,
        "AWS_ENDPOINT_URL_S3": endpoints.objects,
        "AWS_ENDPOINT_URL_SQS": endpoints.queues,
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        "CLOUDBERTH_URL": settings.url,
        "CLOUDBERTH_TABLE": TABLE,
        "CLOUDBERTH_BUCKET": BUCKET,
        "CLOUDBERTH_QUEUES": f"{endpoints.queues}/{ACCOUNT}/{TABLE}-",
        "CLOUDBERTH_SECRETS": str(settings.data / "secrets.json"),
        "CLOUDBERTH_ADMIN": settings.admin,
        "CLOUDBERTH_DOWNLOADS": settings.downloads,
        # The gateway plays the upload edge, and its process goes on after an answer.
        "CLOUDBERTH_EDGE": "on",
        "CLOUDBERTH_PULL_BATCH_S": "0.1",
        "CLOUDBERTH_PULL_LOG": settings.pull_log,
        "CLOUDBERTH_SIGN_UP": settings.sign_up,
        "CLOUDBERTH_TTL_LATE_S": str(settings.ttl_late_s),
        "CLOUDBERTH_DATA": str(settings.data),
        "CLOUDBERTH_PORT": str(settings.port),
        "CLOUDBERTH_WORKERS": str(settings.workers),
        "PYTHONUNBUFFERED": "1",
        # Otherwise glibc keeps a layer's buffers in the arena of every thread that has used one.
        "MALLOC_MMAP_THRESHOLD_": "131072",
        **_without_proxy(base),
    }


def seed_environment(settings: StackSettings, worker: Mapping[str, str]) -> dict[str, str]:
    """Returns the worker's environment, and the first user's password if the operator chose one."""
    if settings.admin_password is None:
        return dict(worker)
    return dict(worker) | {"CLOUDBERTH_ADMIN_PASSWORD": settings.admin_password}


def _without_proxy(base: Mapping[str, str]) -> dict[str, str]:
    """Exempts loopback from HTTP_PROXY, which botocore and requests would use otherwise; they read both spellings."""
    exempt = base.get("no_proxy") or base.get("NO_PROXY") or ""
    value = ",".join(part for part in (exempt, LOOPBACK, "localhost") if part)
    return {"NO_PROXY": value, "no_proxy": value}


def _text(environ: Mapping[str, str], name: str, default: str) -> str:
    value = environ.get(name, default)
    if name in environ and not value.strip():
        raise StackError(f"{name} is set but empty; give it a value or unset it.")
    return value


def _number(environ: Mapping[str, str], name: str, *, default: int, highest: int, lowest: int = 1) -> int:
    text = _text(environ, name, str(default))
    if not (text.isascii() and text.isdigit() and lowest <= int(text) <= highest):
        raise StackError(f"{name} is {text!r}; it must be a whole number from {lowest} to {highest}.")
    return int(text)


def _choice(environ: Mapping[str, str], name: str, default: str) -> str:
    text = _text(environ, name, default)
    if text not in CHOICES[name]:
        raise StackError(f"{name} is {text!r}; it must be one of: {', '.join(CHOICES[name])}.")
    return text
