"""Starts dockerd and containerd for the tests as root, with all their data in one directory.

They have no bridge, no iptables and no overlay: they only push and pull, and must not disturb a running daemon.
"""

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

STARTS_WITHIN = 60.0
STOPS_WITHIN = 30.0

CONTAINERD_SETTINGS = """
version = 2
root = "{directory}/root"
state = "{directory}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]

[grpc]
address = "{socket}"

# Otherwise a pull into one namespace takes its layers from another, and not from the registry.
[plugins."io.containerd.metadata.v1.bolt"]
content_sharing_policy = "isolated"
"""


@contextmanager
def containerd(directory: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    """Runs a containerd; yields its socket."""
    directory.mkdir()
    socket, settings = directory / "containerd.sock", directory / "config.toml"
    settings.write_text(CONTAINERD_SETTINGS.format(directory=directory, socket=socket))
    command = ["containerd", "--config", str(settings)]
    probe = ["ctr", "--address", str(socket), "version"]
    with _daemon(command, environment, directory / "log", lambda: _succeeds(probe, environment)):
        yield socket


@contextmanager
def dockerd(directory: Path, containerd_socket: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """Runs a dockerd with the vfs graph driver; yields the value for DOCKER_HOST."""
    directory.mkdir()
    (directory / "daemon.json").write_text("{}")
    host = f"unix://{directory}/docker.sock"
    command = [
        "dockerd",
        f"--config-file={directory}/daemon.json",
        f"--data-root={directory}/root",
        f"--exec-root={directory}/exec",
        f"--pidfile={directory}/pid",
        f"--host={host}",
        f"--containerd={containerd_socket}",
        "--storage-driver=vfs",
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
    ]
    probe = ["docker", "--host", host, "version"]
    try:
        with _daemon(command, environment, directory / "log", lambda: _succeeds(probe, environment)):
            yield host
    finally:
        # dockerd mounts its data root on itself, and leaves it mounted when it is killed.
        subprocess.run(["umount", str(directory / "root")], env=dict(environment), capture_output=True, check=False)


@contextmanager
def _daemon(
    command: list[str], environment: Mapping[str, str], log: Path, is_ready: Callable[[], bool]
) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=dict(environment), stdout=output, stderr=output)
        try:
            _wait(process, is_ready, log)
            yield
        finally:
            _stop(process)


def _wait(process: subprocess.Popen[bytes], is_ready: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while not is_ready():
        is_late = time.monotonic() > deadline
        if is_late or process.poll() is not None:
            reason = f"is not up after {STARTS_WITHIN:.0f} s" if is_late else f"ended with {process.returncode}"
            lines = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise RuntimeError(f"{Path(str(process.args[0])).name} {reason}; the end of its log:\n{lines}")  # type: ignore[index]
        time.sleep(0.1)


def _succeeds(command: list[str], environment: Mapping[str, str]) -> bool:
    return subprocess.run(command, env=dict(environment), capture_output=True, check=False).returncode == 0


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
