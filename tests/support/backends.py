"""A backend for tests: every service over a fresh table, on the servers of `make run`, and a clock to be moved."""

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
# Those that somebody still lives in: a listener a backend, which keeps it, would make each call slower than the last.
BACKENDS: WeakSet["Backend"] = WeakSet()


@contextmanager
def backing(data: Path) -> Iterator[Mapping[str, str]]:
    """Starts DynamoDB and S3 over a directory; gives the environment that leads to them."""
    chosen = settings_from({"CLOUDBERTH_DATA": str(data)})
    base, keys = ports.choose(data / ports.FILE), credentials(data)
    lock = os.open(data / "lock", os.O_CREAT | os.O_RDWR)
    started = [
        (server, ChildProcess(server.program, data / f"{server.program.name}.log"))
        for server in servers(chosen, base, lock)
    ]
    for _, child in started:
        child.start()
    deadline = time.monotonic() + 30
    while not all(server.is_ready() for server, _ in started):
        assert time.monotonic() < deadline, [child.tail() for _, child in started]
        time.sleep(0.02)
    yield worker_environment(chosen, endpoints(base), keys, {})
    for _, child in started:
        child.signal(signal.SIGKILL)
    os.close(lock)


class Clock:
    """Seconds since the epoch, which a test may move."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@dataclass
class Calls:
    """AWS calls in the order they were made: `GetItem`, `PutObject` …"""

    names: list[str] = field(default_factory=list)

    def take(self) -> list[str]:
        """What was called since the last time."""
        taken, self.names = self.names, []
        return taken


def count_table(_sender: object, operation_name: str, **_: object) -> None:
    """Notes a call of DynamoDB for every backend: they share their clients."""
    for backend in tuple(BACKENDS):
        backend.calls.names.append(operation_name)


def count_bucket(event_name: str, **_: object) -> None:
    """Notes a call of S3 likewise."""
    for backend in tuple(BACKENDS):
        backend.calls.names.append(event_name.rpartition(".")[2])


pre_dynamodb_send.connect(count_table)


class Backend:
    """All services over a table of their own. `admin` is the first user, with the password `password`."""

    def __init__(self, environment: Mapping[str, str], data: Path, **settings: Any) -> None:
        keys = data / f"keys-{uuid4().hex}.json"
        seed.make_keys(keys)
        self.clock = Clock()
        values = {"url": "http://registry.test", "table": f"t{uuid4().hex}", "bucket": BUCKET, "secrets": str(keys)}
        self.settings = Settings(**{**values, "edge": "on", **settings})
        with mock.patch.dict(os.environ, environment):
            self.services = Services(self.settings, clock=self.clock)
            self._share_connections(str(environment["AWS_ENDPOINT_URL_S3"]))
        seed.make_table(self.settings.table, self.services.stores.table.connection.client)
        self.services.accounts.accounts.create_user("admin", "password", first=True)
        self.calls = Calls()
        BACKENDS.add(self)

    def _share_connections(self, place: str) -> None:
        """Lets the backends of a process share their clients: botocore takes a second to make two."""
        table, objects = self.services.stores.table, self.services.stores.objects
        if place in SHARED:
            table.connection, objects.client = SHARED[place]
            table.connection.add_meta_table(MetaTable(description(self.settings.table)))
            return
        SHARED[place] = table.connection, objects.client
        objects.client.meta.events.register("before-send.s3.*", count_bucket)
        seed.make_bucket(BUCKET, objects.client)

    def stores_at(self, clock: Callable[[], float]) -> Stores:
        """The stores of this backend, with another clock."""
        stores = copy(self.services.stores)
        stores.clock = clock
        return stores

    def account(self, name: str = "admin") -> AccountRow:
        """An account by its name."""
        return self.services.accounts.accounts.find(name)

    def user(self, name: str) -> AccountRow:
        """A new user, whose password is `password`."""
        self.services.accounts.accounts.create_user(name, "password")
        return self.account(name)

    def signed_in(self, name: str) -> Actor:
        """Who a user is to the API, signed in by a session a moment ago."""
        row = self.account(name)
        fresh = int(self.clock()) + self.settings.fresh_s
        return Actor(
            row.id, row.name, row.kind, row.epoch, is_superuser=row.superuser, is_session=True, fresh_until=fresh
        )

    def robot(self, name: str) -> tuple[AccountRow, str]:
        """A new robot and its token."""
        parsed = RobotName.parse(name)
        made = self.services.accounts.robots.create(self.signed_in(parsed.namespace), parsed)
        return self.account(name), made.token or ""

    def token(self, name: str, *repositories: str, actions: str = "pull,push,delete") -> str:
        """An access token as `/v2/auth` gives it."""
        scopes = [f"repository:{repository}:{actions}" for repository in repositories]
        return self.services.identity.tokens.issue((name, "password") if name else None, None, scopes).token

    def actor(self, name: str, *repositories: str, actions: str = "pull,push,delete") -> Actor:
        """Who such a token speaks for; an empty name is the anonymous."""
        return self.services.identity.tokens.believe(self.token(name, *repositories, actions=actions))

    def owner(self, repository: str = "admin/app") -> tuple[Actor, RepositoryName]:
        """The admin with every right on a repository of theirs, and its name."""
        return self.actor("admin", repository), RepositoryName.parse(repository)


def secrets_of(backend: Backend) -> Mapping[str, Any]:
    """The keys of a backend, as its file has them."""
    found: Mapping[str, Any] = json.loads(Path(backend.settings.secrets).read_text("utf-8"))
    return found
