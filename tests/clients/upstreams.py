"""Other registries and proxies for mirrors: Debian's docker-registry with htpasswd and TLS, and tinyproxy."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.fake_server import a_certificate
from tests.support.stack import free_port, wait_for

LOOPBACK, USER, PASSWORD = "127.0.0.1", "puller", "p@ss:w/rd"


@dataclass(frozen=True)
class RealUpstream:
    """A registry that only `USER` may use, over TLS with a certificate of its own."""

    port: int
    log: Path
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Ends it before its time."""
        self.process.terminate()
        self.process.wait(20)

    @property
    def host(self) -> str:
        return f"{LOOPBACK}:{self.port}"


@contextmanager
def real_upstream(directory: Path) -> Iterator[RealUpstream]:
    """Yields Debian's docker-registry while it runs."""
    directory.mkdir(parents=True, exist_ok=True)
    pair = a_certificate(directory / "pair.pem", LOOPBACK)
    users = subprocess.run(
        ["htpasswd", "-Bbn", USER, PASSWORD], capture_output=True, text=True, check=True, timeout=30
    ).stdout
    (directory / "htpasswd").write_text(users)
    port, config = free_port(), directory / "config.yml"
    config.write_text(
        f"""version: 0.1
storage:
  filesystem: {{rootdirectory: {directory}/data}}
  delete: {{enabled: true}}
http:
  addr: {LOOPBACK}:{port}
  secret: a-secret-for-tests
  tls: {{certificate: {pair}, key: {pair}}}
auth:
  htpasswd: {{realm: upstream, path: {directory}/htpasswd}}
"""
    )
    with _running(["docker-registry", "serve", str(config)], directory / "registry.log", port) as process:
        yield RealUpstream(port, directory / "registry.log", process)


@contextmanager
def real_proxy(directory: Path, user: str = "", password: str = "") -> Iterator[tuple[str, Path]]:
    """Yields the address of a tinyproxy, without user and password, and its log."""
    directory.mkdir(parents=True, exist_ok=True)
    port, config, log = free_port(), directory / "tinyproxy.conf", directory / "proxy.log"
    lines = [f"Port {port}", f"Listen {LOOPBACK}", "Timeout 60", "LogLevel Connect", f'LogFile "{log}"']
    lines += [f"BasicAuth {user} {password}"] if user else []
    config.write_text("\n".join(lines) + "\n")
    with _running(["tinyproxy", "-d", "-c", str(config)], directory / "output.log", port):
        yield f"{LOOPBACK}:{port}", log


@contextmanager
def _running(command: list[str], log: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: _listens(port), f"{command[0]} to listen; its log: {log}")
        yield process
    finally:
        process.terminate()
        process.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0
