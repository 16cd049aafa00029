"""A backend for tests: all services over a new table, on the servers of `make run`, with a clock that can be moved."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4
from weakref import WeakSet

from pynamodb.connection.base import MetaTable
from pynamodb.signals import pre_dynamodb_send

from chalicelib.domain.accounts import RobotName
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor
from chalicelib.settings import Settings
from chalicelib.storage.accounts.accounts import AccountRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import description
from chalicelib.wiring import Services
from infra.local import ports, seed
from infra.local.environment import settings_from, worker_environment
from infra.local.processes import ChildProcess
from infra.local.servers import credentials, endpoints, servers

BUCKET = "tests"
SHARED: dict[str, tuple[Any, Any]] = {}
# The backends in use. One listener serves them all: one for each backend would make each call slower than the last.
BACKENDS: WeakSet["Backend"] = WeakSet()


@contextmanager
def backing(data: Path) -> Iterator[Mapping[str, str]]:
    """Starts DynamoDB and S3 over a directory; yields the environment for their clients."""
    settings = settings_from({"CLOUDBERTH_DATA": str(data)})
    base, keys = ports.choose(data / ports.FILE), credentials(data)
    lock = os.open(data / "lock", os.O_CREAT | os.O_RDWR)
    started = [
        (server, ChildProcess(server.program, data / f"{server.program.name}.log"))
        # Messages only wake up what tests call themselves.
        for server in servers(settings, base, lock)
        if server.program.name != "ministack" or settings.tables == "ministack"
    ]
    for _, child in started:
        child.start()
    deadline = time.monotonic() + 30
    while not all(server.is_ready() for server, _ in started):
        assert time.monotonic() < deadline, [child.tail() for _, child in started]
        time.sleep(0.02)
    yield worker_environment(settings, endpoints(base, settings.tables), keys, {})
    for _, child in started:
        child.signal(signal.SIGKILL)
    os.close(lock)


class Clock:
    """Returns seconds since the epoch, which a test may move ahead."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@dataclass
class Calls:
    """AWS calls in the order they were made: `GetItem`, `PutObject` …"""

    names: list[str] = field(default_factory=list)

    def take(self) -> list[str]:
        """Returns the calls since the last time."""
        taken, self.names = self.names, []
        return taken


def count_table(_sender: object, operation_name: str, **_: object) -> None:
    """Records a call of DynamoDB in every backend: they share their clients."""
    for backend in tuple(BACKENDS):
        backend.calls.names.append(operation_name)


def count_bucket(event_name: str, **_: object) -> None:
    """Records a call of S3 in every backend."""
    for backend in tuple(BACKENDS):
        backend.calls.names.append(event_name.rpartition(".")[2])


pre_dynamodb_send.connect(count_table)


class Backend:
    """All services over their own table. `admin` is the first user, with the password `password`."""

    def __init__(self, environment: Mapping[str, str], data: Path, **settings: Any) -> None:
        keys = data / f"keys-{uuid4().hex}.json"
        seed.make_keys(keys)
        self.clock = Clock()
        values = {"url": "http://registry.test", "table": f"t{uuid4().hex}", "bucket": BUCKET, "secrets": str(keys)}
        self.settings = Settings(**{**values, "edge": "on", "sign_up": "open", **settings})
        with mock.patch.dict(os.environ, environment):
            self.services = Services(self.settings, clock=self.clock)
            self._share_connections(str(environment["AWS_ENDPOINT_URL_S3"]))
        seed.make_table(self.settings.table, self.services.stores.table.connection.client)
        self.services.accounts.accounts.create_user("admin", "password", first=True)
        self.calls = Calls()
        BACKENDS.add(self)

    def _share_connections(self, endpoint: str) -> None:
        """Lets the backends of a process share their clients: botocore needs a second to create two."""
        table, objects = self.services.stores.table, self.services.stores.objects
        if endpoint in SHARED:
            table.connection, objects.client = SHARED[endpoint]
            objects.slow_client = objects.client
            table.connection.add_meta_table(MetaTable(description(self.settings.table)))
            return
        SHARED[endpoint] = table.connection, objects.client
        objects.slow_client = objects.client
        objects.client.meta.events.register("before-send.s3.*", count_bucket)
        seed.make_bucket(BUCKET, objects.client)

    def stores_at(self, clock: Callable[[], float]) -> Stores:
        """Returns the stores of this backend, with another clock."""
        stores = copy(self.services.stores)
        stores.clock = clock
        return stores

    def account(self, name: str = "admin") -> AccountRow:
        """Returns an account by its name."""
        return self.services.accounts.accounts.find(name)

    def user(self, name: str) -> AccountRow:
        """Creates a user, whose password is `password`."""
        self.services.accounts.accounts.create_user(name, "password")
        return self.account(name)

    def signed_in(self, name: str) -> Actor:
        """Returns the actor of a user who has just signed in."""
        row = self.account(name)
        fresh = int(self.clock()) + self.settings.fresh_s
        return Actor(
            row.id,
            row.name,
            row.kind,
            row.epoch,
            is_superuser=row.superuser,
            is_read_only_superuser=row.read_only_superuser,
            is_session=True,
            fresh_until=fresh,
        )

    def robot(self, name: str) -> tuple[AccountRow, str]:
        """Creates a robot; returns it with its token."""
        parsed = RobotName.parse(name)
        created = self.services.accounts.robots.create(self.signed_in(parsed.namespace), parsed)
        return self.account(name), created.token or ""

    def token(self, name: str, *repositories: str, actions: str = "pull,push,delete") -> str:
        """Returns an access token as `/v2/auth` issues it."""
        scopes = [f"repository:{repository}:{actions}" for repository in repositories]
        return self.services.identity.tokens.issue((name, "password") if name else None, None, scopes).token

    def actor(self, name: str, *repositories: str, actions: str = "pull,push,delete") -> Actor:
        """Returns the actor of such a token; an empty name is anonymous."""
        return self.services.identity.tokens.believe(self.token(name, *repositories, actions=actions))

    def owner(self, repository: str = "admin/app") -> tuple[Actor, RepositoryName]:
        """Returns the admin as an actor with every right on their repository, and its name."""
        return self.actor("admin", repository), RepositoryName.parse(repository)


def secrets_of(backend: Backend) -> Mapping[str, Any]:
    """Returns the keys of a backend, as its file has them."""
    secrets: Mapping[str, Any] = json.loads(Path(backend.settings.secrets).read_text("utf-8"))
    return secrets
