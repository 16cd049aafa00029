"""Starts what is measured: our stack, a peer, and the object store of both."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from benchmarks.client import Client, address_of
from benchmarks.processes import environment, listening_on, tree
from tests.support.stack import Stack

START_S = 30
PEER_BUCKET = "benchmark-peer"
# https://distribution.github.io/distribution/about/configuration/ (redirects and the in-memory cache are its best case)
PEER_CONFIGURATION = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  s3:
    accesskey: {store.access_key}
    secretkey: {store.secret_key}
    region: {store.region}
    regionendpoint: {store.endpoint}
    bucket: {bucket}
    secure: false
  cache: {{blobdescriptor: inmemory}}
  delete: {{enabled: true}}
http: {{addr: "127.0.0.1:{port}"}}
health: {{storagedriver: {{enabled: false}}}}
"""


class StackError(Exception):
    """Something that a run needs is missing; the message says what to do."""


@dataclass(frozen=True)
class ObjectStore:
    """An S3 endpoint and its access key."""

    endpoint: str
    access_key: str
    secret_key: str
    region: str

    def create_bucket(self, name: str) -> None:
        client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
            config=Config(proxies={}),
        )
        if name not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
            client.create_bucket(Bucket=name)


@dataclass
class Side:
    """A registry that is measured: its client, and its processes."""

    name: str
    client: Client
    roots: list[int] = field(default_factory=list)

    def processes(self) -> dict[int, str]:
        """Returns the names of this side's processes by id; empty if it runs on another machine."""
        return tree(self.roots)


def side_at(name: str, url: str, user: str = "", password: str = "") -> Side:
    """Returns a registry that runs already; its processes are found by its port if it runs on this machine."""
    wait_for(url, name)
    parts = urlsplit(url)
    is_near = parts.hostname in ("localhost", "127.0.0.1")
    return Side(name, Client(url.rstrip("/"), user, password), listening_on(parts.port or 80) if is_near else [])


def object_store_of(side: Side) -> ObjectStore:
    """Returns the object store that our workers use, from botocore's variables in their environment."""
    for pid in side.processes():
        variables = environment(pid)
        if "AWS_ENDPOINT_URL_S3" in variables:
            return ObjectStore(
                variables["AWS_ENDPOINT_URL_S3"],
                variables["AWS_ACCESS_KEY_ID"],
                variables["AWS_SECRET_ACCESS_KEY"],
                variables.get("AWS_DEFAULT_REGION", "us-east-1"),
            )
    raise StackError(f"no process of {side.client.url} names its object store; give the peer with --peer URL")


@dataclass
class OurStack:
    """Our stack, started for the run with its own data directory."""

    directory: Path
    stack: Stack
    side: Side

    @classmethod
    def start(cls, directory: Path, settings: dict[str, str]) -> OurStack:
        stack = Stack(data=directory, settings=settings)
        return cls(directory, stack, Side("ours", Client(stack.url, stack.admin, stack.password), [stack.process.pid]))

    def restart(self, settings: dict[str, str]) -> None:
        """Restarts it with the same data and other settings; the side stays the same object."""
        self.stop()
        again = OurStack.start(self.directory, settings)
        self.stack = again.stack
        self.side.client, self.side.roots = again.side.client, again.side.roots

    def stop(self) -> None:
        self.side.client.close()
        self.stack.stop()


@dataclass
class Peer:
    """Debian's docker-registry, without authentication, on the S3 that our stack uses."""

    process: subprocess.Popen[bytes]
    side: Side

    @classmethod
    def start(cls, store: ObjectStore, directory: Path) -> Peer:
        """Starts it on a free loopback port with its own bucket. Raises StackError if it is not installed."""
        program = shutil.which("docker-registry")
        if program is None:
            raise StackError("docker-registry is not installed: apt install docker-registry, or give --peer URL")
        store.create_bucket(PEER_BUCKET)
        port = _free_port()
        configuration = directory / "peer.yml"
        configuration.write_text(PEER_CONFIGURATION.format(store=store, bucket=PEER_BUCKET, port=port))
        with (directory / "peer.log").open("wb") as log:
            # The environment is empty: its AWS client fails with AWS_CA_BUNDLE and would use the developer's profile.
            process = subprocess.Popen([program, "serve", configuration], stdout=log, stderr=log, env={})
        peer = cls(process, Side("peer", Client(f"http://127.0.0.1:{port}"), [process.pid]))
        try:
            wait_for(peer.side.client.url, "docker-registry")
        except StackError:
            peer.stop()
            raise
        return peer

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(START_S)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def wait_for(url: str, name: str) -> None:
    """Waits until an HTTP server answers at `url`. Raises StackError after 30 s."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        connection = HTTPConnection(*address_of(url), timeout=START_S)
        try:
            connection.request("GET", "/v2/")
            connection.getresponse()
        except OSError:
            time.sleep(0.1)
        else:
            return
        finally:
            connection.close()
    raise StackError(f"{name} does not answer at {url}")
