"""The servers behind the gateway: dynoxide or ministack as DynamoDB, SeaweedFS as S3, ministack as SQS."""

import http.client
import json
import os
import secrets
import shutil
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from infra.local import ports
from infra.local.environment import LOOPBACK, VENV, ServerEndpoints, StackCredentials, StackSettings
from infra.local.errors import StackError
from infra.local.installation import ministack_home
from infra.local.ministack import HEALTH, program
from infra.local.processes import Program

DYNOXIDE = VENV / "dynoxide/node_modules/@dynoxide/linux-x64/dynoxide"
MINISTACK = ministack_home() / "bin/python"
SNAPSHOT_S = 20
# How far above the first port the server of the queues listens.
QUEUES = 12
ACCESS_KEY = "cloudberth"
# Without this soft limit Go's garbage collector lets SeaweedFS grow to 3 GB during four large downloads.
MEMORY_LIMIT = "512MiB"


@dataclass(frozen=True)
class BackendServer:
    """A program, and the addresses (port, path) that answer 200 when it is ready."""

    program: Program
    checks: tuple[tuple[int, str], ...]

    def is_ready(self) -> bool:
        return all(answers(port, path) for port, path in self.checks)


def servers(settings: StackSettings, base_port: int, lock: int) -> list[BackendServer]:
    """Returns all servers of a stack; each inherits `lock`, the lock of the data directory."""
    objects = _seaweed(settings, base_port + 1, lock)
    if settings.tables == "ministack":
        return [_ministack(settings, base_port, lock, "dynamodb,sqs"), objects]
    queues = _ministack(settings, base_port + QUEUES, lock, "sqs")
    return [_dynoxide(settings, base_port, lock), objects, queues]


def endpoints(base_port: int, tables_server: str = "dynoxide") -> ServerEndpoints:
    """Returns the URLs at which the workers reach the servers; one that keeps the tables may have the queues, too."""
    queues = base_port + (0 if tables_server == "ministack" else QUEUES)
    tables, objects, messages = (f"http://{LOOPBACK}:{port}" for port in (base_port, base_port + 1, queues))
    return ServerEndpoints(tables=tables, objects=objects, queues=messages)


def credentials(data: Path) -> StackCredentials:
    """Returns the key pair in `s3.json` (SeaweedFS's format), which the first start makes, readable by its owner."""
    file = data / "s3.json"
    if not file.exists():
        _write_privately(file, json.dumps(_identities(ACCESS_KEY, secrets.token_urlsafe(30))))
    try:
        key = json.loads(file.read_text("utf-8"))["identities"][0]["credentials"][0]
        return StackCredentials(key["accessKey"], key["secretKey"])
    except (ValueError, LookupError, TypeError):
        raise StackError(
            f"{file} is not a key file of this stack; delete it, and the next start makes new keys."
        ) from None


def tidy(base_port: int) -> None:
    """Removes the sockets that SeaweedFS leaves in /tmp, which are named after its ports."""
    for port in ports.block(base_port):
        for leftover in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
            leftover.unlink(missing_ok=True)


def answers(port: int, path: str) -> bool:
    """Tells whether a server on loopback answers GET with 200."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _dynoxide(settings: StackSettings, port: int, lock: int) -> BackendServer:
    if not DYNOXIDE.exists():
        raise StackError(f"{DYNOXIDE} is missing; `make run` or `make test` fetches it.")
    command = (str(DYNOXIDE), "serve", "--host", LOOPBACK, "--port", str(port))
    program = Program(
        "dynoxide",
        (*command, "--db-path", str(settings.data / "tables.db")),
        _bare_environment(settings.data),
        settings.data,
        (lock,),
    )
    return BackendServer(program, ((port, "/"),))


def _ministack(settings: StackSettings, port: int, lock: int, services: str) -> BackendServer:
    if not MINISTACK.exists():
        raise StackError(f"{MINISTACK} is missing; `make run` or `make test` installs it.")
    state = settings.data / "ministack"
    state.mkdir(exist_ok=True)
    options = ("--snapshot-every", str(SNAPSHOT_S))
    started = program(MINISTACK, port, state, options, {"SERVICES": services, "STATE_DIR": str(state)}, lock)
    return BackendServer(started, ((port, HEALTH),))


def _seaweed(settings: StackSettings, port: int, lock: int) -> BackendServer:
    weed = Path(sysconfig.get_path("scripts")) / "weed"
    if not weed.exists():
        raise StackError(f"{weed} is missing; `make run` or `make test` installs it.")
    blobs = settings.data / "blobs"
    blobs.mkdir(exist_ok=True)
    s3, master, admin = port, port + 1, port + 2
    # A master that finds an earlier start's state wakes up 400 times a second (3 % of a core), and uses none of it.
    shutil.rmtree(blobs / f"m{master}", ignore_errors=True)
    options = {
        "dir": blobs,
        "ip": LOOPBACK,
        "ip.bind": LOOPBACK,
        "s3.config": settings.data / "s3.json",
        "s3.port": s3,
        "master.port": master,
        "admin.port": admin,
        # The worker that reclaims the space of deleted objects looks only there.
        "admin.port.grpc": admin + ports.OFFSET,
        "s3.port.grpc": port + 3,
        "master.port.grpc": port + 4,
        "volume.port": port + 5,
        "volume.port.grpc": port + 6,
        "filer.port": port + 7,
        "filer.port.grpc": port + 8,
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "webdav": "false",
        "admin.ui": "false",
        # Otherwise SeaweedFS reports statistics to its makers.
        "master.telemetry": "false",
        "volume.preStopSeconds": 0,
    }
    program = Program(
        "weed",
        (str(weed), "mini", *(f"-{name}={value}" for name, value in options.items())),
        _bare_environment(settings.data) | {"GOMEMLIMIT": MEMORY_LIMIT},
        blobs,
        (lock,),
    )
    # S3 answers before a volume can be written to; the second address assigns a file to a volume.
    return BackendServer(program, ((s3, "/healthz"), (master, "/dir/assign")))


def _bare_environment(home: Path) -> dict[str, str]:
    """Returns an environment without the operator's, since SeaweedFS makes users from AWS_* and reads ~/.seaweedfs."""
    return {"PATH": os.defpath, "HOME": str(home)}


def _identities(access_key: str, secret_key: str) -> dict[str, object]:
    """https://github.com/seaweedfs/seaweedfs/wiki/Amazon-S3-API#static-configuration"""
    identity = {
        "name": "cloudberth",
        "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    return {"identities": [identity]}


def _write_privately(file: Path, text: str) -> None:
    draft = file.with_suffix(".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    draft.replace(file)
