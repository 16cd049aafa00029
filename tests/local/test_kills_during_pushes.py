"""A kill -9 of any process during pushes loses nothing that was acknowledged."""

import hashlib
import itertools
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.stack import Stack

KILLED = ["gateway-1", "gateway-2", "dynoxide", "weed", "supervisor"]
PUSHERS = 3


class Pusher(threading.Thread):
    """Pushes blobs and tags one after the other and records what was acknowledged."""

    def __init__(self, stack: Stack, number: int) -> None:
        super().__init__(daemon=True)
        self.url, self.auth = stack.url, (stack.admin, stack.password)
        self.name = f"admin/pusher-{number}"
        self.blobs: list[str] = []
        self.tags: dict[str, str] = {}
        self.ended = threading.Event()
        self.failures = 0

    def run(self) -> None:
        for number in itertools.count():
            if self.ended.is_set():
                return
            try:
                self._push(number)
            except (requests.RequestException, AssertionError):
                self.failures += 1
                time.sleep(0.05)

    def _push(self, number: int) -> None:
        # Every fifth blob is large enough for the edge, and every seventh is sent in chunks through the relay.
        content = os.urandom(5 * 1024 * 1024 if number % 5 == 4 or number % 7 == 6 else 2000)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        headers = self._headers()
        location = self._sent("POST", "blobs/uploads/", 202, headers=headers).headers["Location"]
        if number % 7 == 6:
            chunks = (content[start : start + 65536] for start in range(0, len(content), 65536))
            answer = self._sent("PATCH", location, 202, headers=headers, data=chunks)
            self._sent("PUT", f"{answer.headers['Location']}?digest={digest}", 201, headers=headers)
        else:
            self._sent("PUT", f"{location}?digest={digest}", 201, headers=headers, data=content)
        self.blobs.append(digest)
        layer = f'{{"mediaType":"x/y","size":{len(content)},"digest":"{digest}"}}'
        manifest = f'{{"schemaVersion":2,"layers":[{layer}]}}'
        kind = {"Content-Type": "application/vnd.example.bundle.v1+json"}
        self._sent("PUT", f"manifests/v{number}", 201, headers=headers | kind, data=manifest)
        self.tags[f"v{number}"] = manifest

    def _headers(self) -> dict[str, str]:
        scope = {"scope": f"repository:{self.name}:pull,push"}
        answer = requests.get(f"{self.url}/v2/auth", params=scope, auth=self.auth, timeout=20)
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['token']}"}

    def _sent(self, method: str, path: str, status: int, **options: Any) -> requests.Response:
        address = self.url + (path if path.startswith("/") else f"/v2/{self.name}/{path}")
        answer = requests.request(method, address, timeout=20, **options)
        assert answer.status_code == status, answer.text
        return answer

    def check(self) -> None:
        """Checks that everything acknowledged exists, byte for byte."""
        headers = self._headers()
        for tag, manifest in self.tags.items():
            assert self._sent("GET", f"manifests/{tag}", 200, headers=headers).text == manifest
        for digest in self.blobs:
            content = self._sent("GET", f"blobs/{digest}", 200, headers=headers).content
            assert f"sha256:{hashlib.sha256(content).hexdigest()}" == digest


@pytest.fixture
def pushed(tmp_path: Path) -> Iterator[tuple[Stack, list[Pusher]]]:
    """Starts a stack that receives pushes."""
    stack = Stack.start(tmp_path / "data")
    pushers = [Pusher(stack, number) for number in range(PUSHERS)]
    for pusher in pushers:
        pusher.start()
    yield stack, pushers
    for pusher in pushers:
        pusher.ended.set()
    stack.stop()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", KILLED)
def test_acknowledged_pushes_survive_the_kill_of(pushed: Any, name: Any) -> None:
    stack, pushers = pushed
    deadline = time.monotonic() + 30
    while any(len(pusher.tags) < 8 for pusher in pushers):
        assert time.monotonic() < deadline, [pusher.tags for pusher in pushers]
        time.sleep(0.05)

    stack.kill(name)
    if name == "supervisor":
        stack.restart()
    stack.wait_until_healthy()
    before = [len(pusher.tags) for pusher in pushers]
    deadline = time.monotonic() + 30
    while any(len(pusher.tags) < count + 3 for pusher, count in zip(pushers, before, strict=True)):
        assert time.monotonic() < deadline, "pushes did not go on"
        time.sleep(0.05)
    for pusher in pushers:
        pusher.ended.set()
    for pusher in pushers:
        pusher.join(60)

    for pusher in pushers:
        pusher.check()
