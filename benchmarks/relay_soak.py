"""`python -m benchmarks.relay_soak`: pushes a layer of gigabytes through `relay serve` while programs are killed.

podman (or skopeo) pushes it once, and the object store is killed while the relay sends. Then a client leaves in the
middle of its PATCH, the relay is killed and started again, and the client continues with a sha512 digest, so that the
bytes are sent in parts; the object store is killed during these too. The soak fails if other bytes arrive, or if the
relay takes 100 MB of memory.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import requests

from benchmarks.bodies import BLOCK_BYTES, Body
from benchmarks.client import Client, RegistryError
from benchmarks.processes import memory
from benchmarks.stacks import OurStack, StackError
from tests.clients.images import Layout, an_image, content_of
from tests.clients.programs import make_environment
from tests.clients.registry import Registry
from tests.support.stack import ROOT, Stack, free_port

CEILING_BYTES = 100_000_000
START_S, PUSH_S = 20, 1800
SAMPLE_S = 0.2
# The layer is in the layout, twice in podman's storage, in the spool and in the bucket, with one copy to spare.
COPIES, SPARE_BYTES = 6, 1_000_000_000


class Left(Exception):
    """A client leaves."""


@dataclass
class Relay:
    """A relay in its own process; `peak` is its highest memory in bytes, over all restarts."""

    stack: Stack
    spool: Path
    port: int
    process: subprocess.Popen[bytes]
    peak: int = 0

    @classmethod
    def start(cls, stack: Stack, spool: Path) -> Self:
        port = free_port()
        relay = cls(stack, spool, port, cls._started(stack, spool, port))
        relay.wait_until_up()
        return relay

    @staticmethod
    def _started(stack: Stack, spool: Path, port: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "relay", "serve", "--registry", stack.url, "--listen", f"127.0.0.1:{port}"]
        return subprocess.Popen([*command, "--spool", str(spool)], cwd=ROOT)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def wait_until_up(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            with suppress(requests.RequestException):
                requests.get(f"http://{self.host}/relay/health", timeout=5)
                return
            time.sleep(0.1)
        raise StackError(f"the relay does not answer at {self.host}")

    def note_peak(self) -> None:
        """Records its peak memory."""
        if sampled := memory({self.process.pid: "relay"}).get("relay"):
            self.peak = max(self.peak, sampled.peak)

    def bytes_read(self) -> int:
        """Returns how many bytes it has read from files, which it has sent: rchar omits recv(2) (proc(5))."""
        lines = Path(f"/proc/{self.process.pid}/io").read_text().splitlines()
        return int(dict(line.split(": ") for line in lines)["rchar"])

    def kill_and_start_again(self) -> None:
        self.note_peak()
        self.process.kill()
        self.process.wait()
        self.process = self._started(self.stack, self.spool, self.port)
        self.wait_until_up()

    def stop(self) -> None:
        self.note_peak()
        self.process.terminate()
        self.process.wait(START_S)


class Cutting:
    """Kills the object store when the relay has read `after` more bytes; the stack starts it again."""

    def __init__(self, relay: Relay, after: int) -> None:
        self._relay, self._until = relay, relay.bytes_read() + after
        self._over, self.was_cut = threading.Event(), False
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_S):
            if not self.was_cut and self._relay.bytes_read() > self._until:
                self._relay.stack.kill("weed")
                self.was_cut = True


def main() -> int:
    """Returns the exit status: 1, with a sentence for each failure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.relay_soak", description=__doc__)
    parser.add_argument("--gb", type=float, default=2.0, help="size of the layer in GB")
    parser.add_argument("--directory", type=Path, default=Path("/tmp"), help="where temporary files are kept")
    arguments = parser.parse_args()
    # podman refuses the names that tempfile makes, and its sockets need a short path.
    directory = arguments.directory / f"cb-soak-{uuid.uuid4().hex[:8]}"
    directory.mkdir(mode=0o700)
    try:
        with ExitStack() as stack:
            complaints = _soak(directory, int(arguments.gb * 1e9), stack)
    except (StackError, RegistryError) as error:
        complaints = [str(error)]
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    for complaint in complaints:
        print(f"relay soak: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


def _soak(directory: Path, size: int, stack: ExitStack) -> list[str]:
    needed, free = COPIES * size + SPARE_BYTES, shutil.disk_usage(directory).free
    if free < needed:
        raise StackError(f"{directory} has {free / 1e9:.1f} GB free and this needs {needed / 1e9:.1f}: --directory")
    own = OurStack.start(directory / "stack", {})
    stack.callback(own.stop)
    relay = Relay.start(own.stack, directory / "spool")
    stack.callback(relay.stop)
    complaints = []
    for carry in (_by_client, _in_parts):
        began = time.perf_counter()
        name, is_whole, was_cut = carry(relay, directory, size)
        words = "whole" if is_whole else "other bytes arrived"
        print(f"  {size / 1e9:g} GB by {name}: {words}, {time.perf_counter() - began:.0f} s", flush=True)
        complaints += [] if is_whole else [f"{name}: {words}"]
        complaints += [] if was_cut else [f"{name}: the object store was not killed during the push"]
    left = [path.name for path in relay.spool.iterdir() if path.name != "lock"]
    complaints += [f"the spool still has {left}"] if left else []
    relay.note_peak()
    print(f"  the relay took at most {relay.peak / 1e6:.0f} MB", flush=True)
    too_much = f"the relay took {relay.peak / 1e6:.0f} MB, over {CEILING_BYTES / 1e6:.0f} MB"
    return [*complaints, too_much] if relay.peak >= CEILING_BYTES else complaints


def _by_client(relay: Relay, directory: Path, size: int) -> tuple[str, bool, bool]:
    """Pushes an image of one layer with podman, or with skopeo if there is no podman.

    Returns the program's name, whether the layer arrived unchanged, and whether the object store was killed meanwhile.
    """
    home, repository = directory / "home", f"{relay.stack.admin}/soak"
    environment, layout = make_environment(home, relay.host), Layout(home / "layout")
    image = an_image(layout, "soak", (size,))
    layout.tag(image, "soak")
    wanted = json.loads(layout.read(content_of(layout, image)[0]))["rootfs"]["diff_ids"]

    def run(*command: str | Path, typed: str = "") -> str:
        words = [str(word) for word in command]
        done = subprocess.run(
            words, env=environment, input=typed, text=True, capture_output=True, timeout=PUSH_S, check=False
        )
        if done.returncode != 0:
            raise StackError(f"{words[0]} failed: {done.stderr[-500:]}")
        return done.stdout.strip()

    source, target = f"oci:{layout.directory}:soak", f"docker://{relay.host}/{repository}:1"
    if shutil.which("podman") and os.geteuid() == 0:
        name = "podman"
        places = ("--root", home / "root", "--runroot", home / "run", "--tmpdir", home / "libpod")
        podman = ("podman", *places, "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs")
        run(
            *(*podman, "login", "--username", relay.stack.admin, "--password-stdin", relay.host),
            typed=relay.stack.password,
        )
        loaded = run(*podman, "pull", "--quiet", source)
        with Cutting(relay, size // 2) as cutting:
            run(*podman, "push", loaded, target)
    elif shutil.which("skopeo"):
        name = "skopeo"
        with Cutting(relay, size // 2) as cutting:
            run("skopeo", "copy", "--dest-creds", f"{relay.stack.admin}:{relay.stack.password}", source, target)
    else:
        raise StackError("neither podman (as root) nor skopeo is here: apt-get install podman skopeo")
    registry = Registry(relay.stack)
    layers = registry.manifest(repository, "1").json()["layers"]
    is_whole = [registry.diff_id_of_blob(repository, each["digest"]) for each in layers] == wanted
    shutil.rmtree(home, ignore_errors=True)
    return name, is_whole, cutting.was_cut


def _in_parts(relay: Relay, _directory: Path, size: int) -> tuple[str, bool, bool]:
    """A client leaves during its PATCH, the relay is killed and started again, and the client continues.

    Returns the same as `_by_client`.
    """
    repository, body = f"{relay.stack.admin}/soak", Body(size, seed=time.time_ns())
    digest = f"sha512:{_sha512(iter(body))}"
    client = Client(f"http://{relay.host}", relay.stack.admin, relay.stack.password)
    client.sign_in(repository)
    begun = client.send("POST", f"/v2/{repository}/blobs/uploads/?digest-algorithm=sha512", b"", accepted=(202,))
    location = begun.headers["Location"]
    with suppress(Left):
        client.send("PATCH", location, _half(body), {"Content-Length": str(size)}, (202,))
    client.close()
    offset = _settled(client, location)
    relay.kill_and_start_again()
    client.close()
    if _offset(client, location) != offset:
        raise StackError(f"the relay lost bytes when it was killed: it had {offset} bytes")
    headers = {"Content-Length": str(size - offset), "Content-Range": f"{offset}-{size - 1}"}
    client.send("PATCH", location, _after(body, offset), headers, (202,))
    client.sign_in(repository)
    # The new relay reads all bytes once to compute their digest before it sends them.
    with Cutting(relay, size + size // 2) as cutting:
        client.send("PUT", f"{location}?digest={digest}", b"", accepted=(201,))
    client.sign_in(repository)
    connection, target = client.connection_for(client.blob_address(repository, digest))
    connection.request("GET", target)
    answer = connection.getresponse()
    pulled = _sha512(iter(lambda: answer.read(BLOCK_BYTES), b""))
    client.close()
    return f"a cut PATCH of {offset / 1e9:.2f} GB and its rest, in parts", f"sha512:{pulled}" == digest, cutting.was_cut


def _half(body: Body) -> Iterator[bytes]:
    sent = 0
    for block in body:
        yield block
        sent += len(block)
        if sent > body.size // 2:
            raise Left


def _after(body: Body, offset: int) -> Iterator[bytes]:
    position = 0
    for block in body:
        position += len(block)
        if position > offset:
            yield block[-(position - offset) :]


def _sha512(blocks: Iterator[bytes]) -> str:
    hashed = hashlib.sha512()
    for block in blocks:
        hashed.update(block)
    return hashed.hexdigest()


def _offset(client: Client, location: str) -> int:
    return int(client.send("GET", location, accepted=(204,)).headers["Range"].partition("-")[2]) + 1


def _settled(client: Client, location: str) -> int:
    """Returns the offset of an upload once it no longer changes."""
    offset = -1
    while offset != (offset := _offset(client, location)):
        time.sleep(1)
    return offset


if __name__ == "__main__":
    sys.exit(main())
