"""`python -m benchmarks.mirrors`: measures a mirror beside `skopeo sync`, and kills its workers within a large blob.

Both copy the same images from Debian's docker-registry into our stack, once and then again without a change. With
`--gb` it instead mirrors one layer of that size, kills the worker and the queues' server with SIGKILL in its middle,
and fails if more than a part of it, and what was on its way, is fetched again.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from benchmarks.bodies import Body
from benchmarks.report import table
from benchmarks.stacks import StackError
from chalicelib.domain.media_types import OCI_CONFIG
from chalicelib.services.mirroring.blob_copies import PART
from tests.clients.callers import Person, person
from tests.clients.images import Layout, an_image
from tests.clients.upstreams import PASSWORD, USER, real_upstream
from tests.support.fake_server import respond
from tests.support.stack import Stack, wait_for
from tests.support.upstream import LAYER, Upstream

IMAGES, LAYERS = 100, (1_000_000, 200_000, 20_000)
RUNNING = ("SYNC_NOW", "SYNCING")
# What sockets hold when a process dies.
ON_ITS_WAY = 16 * 1024 * 1024
LONGEST_S = 1800.0


def main() -> int:
    """Returns the exit status: 1, with a sentence for each failure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mirrors", description=__doc__)
    parser.add_argument("--gb", type=float, help="mirror one layer of this size, and kill what copies it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cloudberth-mirrors-") as place, _stack(Path(place)) as stack:
        if arguments.gb:
            complaints = _kill(stack, Body(int(arguments.gb * 1e9), seed=1))
        else:
            complaints = _compare(stack, Path(place))
    for complaint in complaints:
        print(f"mirrors: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


@contextmanager
def _stack(place: Path) -> Iterator[Stack]:
    started = Stack.start(place / "stack", CLOUDBERTH_OUTGOING_ALLOW="127.0.0.0/8")
    try:
        yield started
    finally:
        started.stop()


def _compare(stack: Stack, place: Path) -> list[str]:
    """Copies by both, twice; returns a sentence for each aim that is missed."""
    with real_upstream(place / "upstream") as upstream:
        _fill(upstream.host, place)
        user = person(stack)
        mirror = _mirror(user, f"{upstream.host}/team/app", {"username": USER, "password": PASSWORD})
        names = ("first", "again")
        ours = dict(zip(names, (_timed(mirror) for _ in names), strict=True))
        sync = [
            *("sync", "--all", "--src", "docker", "--dest", "docker"),
            *("--src-tls-verify=false", "--src-creds", f"{USER}:{PASSWORD}"),
            *("--dest-tls-verify=false", "--dest-creds", f"{user.name}:{user.password}"),
            *(f"{upstream.host}/team/app", f"{stack.host}/{user.name}"),
        ]
        theirs = {name: _timed(lambda: _skopeo(*sync)) for name in names}
    lines = [
        [name, f"{ours[name]:.1f}", f"{theirs[name]:.1f}", f"{theirs[name] / ours[name]:.1f}", aim]
        for name, aim in zip(names, ("1", "10"), strict=True)
    ]
    print(table(["copy", "mirror s", "skopeo sync s", "ours is ... times as fast", "aim"], lines))
    return [f"the {line[0]} copy is {line[3]} times as fast" for line in lines if float(line[3]) < float(line[4])]


def _fill(host: str, place: Path) -> None:
    """Pushes the images to the other registry."""
    layout = Layout(place / "layout")
    for number in range(IMAGES):
        layout.tag(an_image(layout, f"image {number}", LAYERS), f"v{number}")
        target = ("--dest-tls-verify=false", "--dest-creds", f"{USER}:{PASSWORD}")
        images = (f"oci:{layout.directory}:v{number}", f"docker://{host}/team/app:v{number}")
        _skopeo("copy", *target, *images)


def _skopeo(*words: str) -> None:
    program = shutil.which("skopeo")
    if program is None:
        raise StackError("skopeo is not installed")
    subprocess.run([program, *words], check=True, capture_output=True)


def _mirror(user: Person, reference: str, credentials: dict[str, str]) -> Callable[[], None]:
    """Makes a mirror; returns what runs it once."""
    path = f"/api/v1/repository/{user.name}/mirrored/mirror"
    _ok(user.put("/api/v1/user/robots/mirror", {}))
    _ok(user.post("/api/v1/repository", {"repository": "mirrored", "visibility": "private", "description": ""}))
    settings: dict[str, Any] = {
        "external_reference": reference,
        "external_registry_config": {"verify_tls": False},
        "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["*"]},
        "robot_username": f"{user.name}+mirror",
        "sync_start_date": "2099-01-01T00:00:00Z",
        "sync_interval": 3600,
        "skopeo_timeout_interval": 3600,
        **{f"external_registry_{name}": value for name, value in credentials.items()},
    }
    _ok(user.post(path, settings))

    def run() -> None:
        _ok(user.post(f"{path}/sync-now", None))
        wait_for(lambda: user.get(path).json()["sync_status"] not in RUNNING, "the end of the run", LONGEST_S)
        status = user.get(path).json()["sync_status"]
        if status != "SUCCESS":
            raise StackError(f"the run ended as {status}: {user.get(f'{path}/runs').text}")

    return run


def _ok(answer: Any) -> None:
    if not answer.ok:
        raise StackError(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text}")


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


class _LargeLayer:
    """A layer that another registry sends from any place; `sent` has where each answer began, and its bytes."""

    def __init__(self, body: Body) -> None:
        self.body, self.sent = body, list[list[int]]()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answers one request for the layer."""
        start = int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        self.sent.append([start, 0])
        told = self.sent[-1]
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(self.body.size - start))
        handler.send_header("Content-Range", f"bytes {start}-{self.body.size - 1}/{self.body.size}")
        handler.end_headers()
        offset = 0
        for block in self.body:
            if offset + len(block) > start:
                piece = block[max(start - offset, 0) :]
                handler.wfile.write(piece)
                told[1] += len(piece)
            offset += len(block)


def _kill(stack: Stack, body: Body) -> list[str]:
    """Mirrors the layer while its worker dies; returns a sentence for each failure."""
    layer = _LargeLayer(body)

    def fault(handler: BaseHTTPRequestHandler, path: str) -> bool:
        if not path.endswith(body.digest):
            return False
        if handler.command == "HEAD":
            respond(handler, b"", Content_Length=str(body.size))
        else:
            layer.answer(handler)
        return True

    upstream = Upstream(fault=fault)
    with upstream.running():
        config = {"mediaType": OCI_CONFIG, **upstream.add_blob(b'{"architecture":"amd64","os":"linux"}')}
        large = {"mediaType": LAYER, "digest": body.digest, "size": body.size}
        upstream.add_manifest({"config": config, "layers": [large]}, "latest")
        run = _mirror(person(stack), upstream.reference, {})
        threading.Thread(target=_kill_in_the_middle, args=(stack, layer), daemon=True).start()
        seconds = _timed(run)
    again = sum(sent for _, sent in layer.sent) - body.size
    print(f"{body.size:,} bytes in {seconds:.0f} s; answers began at and sent: {layer.sent}; again: {again:,}")
    return [] if again <= PART + ON_ITS_WAY else [f"{again:,} bytes were fetched again"]


def _kill_in_the_middle(stack: Stack, layer: _LargeLayer) -> None:
    wait_for(lambda: layer.sent and layer.sent[0][1] > layer.body.size // 2, "half of the layer", LONGEST_S)
    for name in ("clockwork", "ministack"):
        stack.kill(name)


if __name__ == "__main__":
    sys.exit(main())
